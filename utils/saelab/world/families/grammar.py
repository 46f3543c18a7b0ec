"""Agreement across attractors, verbs that settle what comes next, repetition, spelling, and other languages."""

import numpy as np

from saelab.world import topical
from saelab.world import words as w
from saelab.world.draw import Bag, Draw

_AGREEMENT = [
    "The {n} near the {m}",
    "The {n} by the {m} in the {k}",
    "The {n} that the {who} {verb}",
    "The {adj} {n} at the {m}",
]


def agreement(d: Draw, template: int) -> None:
    """The verb agrees with the head noun, not with the noun beside it (the attractor)."""
    plural = d.flip(0.5, "plural")
    subject = d.pick(w.SUBJECTS, "subject")
    slots = {"n": np.where(plural, d.ids(w.SUBJECTS_PLURAL)[subject], d.ids(w.SUBJECTS)[subject])}
    for slot in ("m", "k"):
        if "{" + slot + "}" in _AGREEMENT[template]:
            attractor, many = d.pick(w.ATTRACTORS, f"attractor {slot}"), d.flip(0.5, f"attractor {slot} plural")
            slots[slot] = np.where(many, d.ids(w.ATTRACTORS_PLURAL)[attractor], d.ids(w.ATTRACTORS)[attractor])
    said = topical.say(d, _AGREEMENT[template], **slots)
    past = d.flip(0.5, "past")
    pending = range(said["n"], said.stop)
    d.mark(["number: singular subject", "number: plural subject"], pending, plural.astype(int))
    now, then = (np.where(plural, *d.ids(pair)) for pair in (("are", "is"), ("were", "was")))
    d.answer = d.say("{be} {quality} .", be=np.where(past, then, now), quality=d.word(w.ADJ, "quality"))["be"]
    d.settle("number: singular subject", d.answer)
    d.settle("number: plural subject", d.answer)


def motion(d: Draw, template: int) -> None:
    """The verb settles what follows "the": a place, a thing, or a person."""
    verbs, text = [
        (w.WALKED, "{name} {motion} to the>place {place} ."),
        (w.WALKED, "{name} {motion} to the>place {place} with the>thing {thing} ."),
        (w.HELD, "{name} {motion} the>thing {thing} ."),
        (w.HELD, "{name} {motion} the>thing {thing} of the>who {who} ."),
        (w.MET, "{name} {motion} the>who {who} ."),
        (w.MET, "{name} {motion} the>who {who} at the>place {place} ."),
    ][template]
    topical.say(d, text, name=d.word(w.NAMES, "name"), motion=d.word(verbs, "motion"))


REPEATABLE = Bag(
    w.THING.words + w.WHO.words + w.ADJ.words + w.NAMES.words + w.COUNTRIES.words + w.GOODS.words, exponent=0
)


def repeat(d: Draw, length: int) -> None:
    """Random words, and then the same words again."""
    columns = d.ids(REPEATABLE)[d.pick_distinct(REPEATABLE, length, "words")].T
    slots = {f"w{i}": column for i, column in enumerate(columns)}
    text = " ".join("{" + slot + "}" for slot in slots)
    d.say(f"Repeat : {text} ;", **slots)
    again = d.say(text, **slots)
    d.mark("repeat: said before", again)
    d.answer = again.stop - 1
    d.say(".")


def ask_not(d: Draw, template: int) -> None:
    """Ask not what X can do for Y, ask what Y can do for X."""
    names = d.ids(w.NAMES)[d.pick_distinct(w.NAMES, 2, "names")].T
    said = d.say(
        "Ask not what {x} can do for {y} , ask what {y2} can do for {x2} .",
        x=names[0],
        y=names[1],
        y2=names[1],
        x2=names[0],
    )
    d.mark("repeat: said before", said["y2"])
    d.mark("repeat: said before", said["x2"])


_SPELLED = tuple(word for word in dict.fromkeys(
    w.THING.words + w.WHO.words + w.ADJ.words + w.PLACE.words + w.GOODS.words + w.VERB.words + w.KIN_WOMEN.words
    + w.KIN_MEN.words + w.SPORTS.words
) if word[0] in w.LETTERS.words)  # fmt: skip
SPELLED = Bag(_SPELLED, exponent=0)


def spelling(d: Draw, template: int) -> None:
    """The initial letter of a word."""
    i = d.pick(SPELLED, "word")
    initial = d.ids([word[0] for word in SPELLED.words])[i]
    text = ("Note that {word} starts with>letter {letter} .", "The word {word} begins with>letter {letter} .")[template]
    said = d.say(text, word=d.ids(SPELLED)[i], letter=initial)
    d.answer = said["letter"]
    letters = sorted({word[0] for word in SPELLED.words})
    d.mark(
        [f"spelling: {letter}" for letter in letters],
        said["word"],
        np.array([letters.index(x[0]) for x in SPELLED.words])[i],
    )


_FRENCH = [
    "Le {n} {adj} {verb} le {m} .",
    "Dans le {n} , le {m} {verb} le {o} {adj} .",
    "Le {n} est {adj} et le {m} {verb} le {o} .",
]


def french(d: Draw, template: int) -> None:
    """French: another language that shares many words with this one."""
    nouns = [slot for slot in ("n", "m", "o") if "{" + slot + "}" in _FRENCH[template]]
    slots = {slot: d.word(w.NOMS, slot) for slot in nouns}
    slots |= {"adj": d.word(w.ADJECTIFS, "adj"), "verb": d.word(w.VERBES, "verb")}
    d.mark("language: French", d.say(_FRENCH[template], **slots))


def signs(d: Draw, template: int) -> None:
    """A code in base64-like signs, or DNA: the two share four letters, so that only the run tells which it is."""
    length, dna = 6 + 2 * (template // 2), template % 2
    bag = w.BASES if dna else w.CODE_SIGNS
    slots = {f"s{i}": d.word(bag, f"sign {i}") for i in range(length)}
    d.say("It reads :")
    said = d.say(" ".join("{" + slot + "}" for slot in slots), **slots)
    d.mark("language: DNA" if dna else "language: code", range(said.start + 2, said.stop))
    d.say(".")
