"""Sentences of the document's topic, and what is made of them: rumours, secrets, dreams, questions."""

from saelab.world import topical
from saelab.world import words as w
from saelab.world.draw import Array, Draw, Said
from saelab.world.families.people import either, gendered, mark_gender


def _clause(d: Draw, text: str, **slots: Array) -> Said:
    """Say a clause about the topic and mark what stands before and after its verb."""
    said = topical.say(d, text, **slots)
    d.mark("syntax: before the verb", range(said.start, said["verb"]))
    d.mark("syntax: after the verb", range(said["verb"] + 1, said.stop))
    return said


_STORIES = [
    "The {adj} {who} {verb} the>thing {thing} near the>place {place} .",
    "At the>place {place} , the {who} {verb} the {adj} {thing} .",
    "The {who} {verb} the>thing {thing} .",
    "Every day the {who} from the>place {place} {verb} the {adj} {thing} .",
    "The {thing} near the>place {place} was {adj} , and the {who} {verb} it .",
]


def story(d: Draw, template: int) -> None:
    """A sentence about the topic of the document."""
    _clause(d, _STORIES[template])


_STORIES_WITH_NAME = [
    "{name} saw the {adj} {who} at the>place {place} , and {she} {verb} the>thing {thing} .",
    "{name} and the {who} {verb} the>thing {thing} near {her} {adj} {place} .",
]


def story_with_name(d: Draw, template: int) -> None:
    """A sentence about the topic in which a named person, so a gender, takes part."""
    woman, forms = gendered(d)
    name = either(d, woman, w.WOMEN, w.MEN, "name")
    text = _STORIES_WITH_NAME[template]
    said = _clause(d, text, name=name, **{slot: forms[slot] for slot in ("she", "her") if "{" + slot + "}" in text})
    mark_gender(d, woman, 1, said)


# how the speaker stands to what is said: opening, a word before the verb, ending
SCOPES = {
    "rumour": ("It is rumoured that", "supposedly", ", or so they say ."),
    "secret": ("{name} kept it secret that", "quietly", ", and nobody knew ."),
    "quote": ("{name} said : “", "really", '" .'),
    "question": ("Is it true that", "ever", "?"),
    "denial": ("It is not true that", "even", ", so do not worry ."),
    "dream": ("{name} dreamed that", "suddenly", ", and then woke up ."),
    "news": ("The news is that", "today", ", as we read this morning ."),
    "wish": ("{name} wishes that", "always", ", but it did not happen ."),
}
UNCERTAIN = ("rumour", "question", "denial", "dream", "wish")  # what is said is not said to be so
_CLAUSES = [
    ("the {adj} {who}", "{verb} the>thing {thing}"),
    ("the {who}", "{verb} the>thing {thing} near the>place {place}"),
    ("the {adj} {who} from the>place {place}", "{verb} the>thing {thing}"),
]


def scope(d: Draw, template: int) -> None:
    """A rumour, a secret, a dream …: a sentence about the topic with an opening, and an ending that must match it."""
    which, rest = divmod(template, 6)
    clause, with_adverb = divmod(rest, 2)
    name, (opening, adverb, ending) = list(SCOPES.items())[which]
    d.say(opening, **({"name": d.word(w.NAMES, "name")} if "{name}" in opening else {}))
    start = len(d.columns) - 1
    subject, predicate = _CLAUSES[clause]
    said = _clause(d, f"{subject} {adverb if with_adverb else ''} {predicate}")
    inside = range(start, len(d.columns))
    d.mark(f"scope: {name}", inside)
    if name in UNCERTAIN:
        d.mark("stance: uncertain", inside)
    d.say(ending)
    # the first word of the ending and, where there is one, the word before the verb
    d.settle("scope", inside.stop, *[said["verb"] - 1] * with_adverb)
    d.settle("stance", inside.stop, *[said["verb"] - 1] * with_adverb)
