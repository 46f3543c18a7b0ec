"""Names and what is said of people: indirect objects, facts over two names, pronouns, professions."""

import numpy as np

from saelab.world import topical
from saelab.world import words as w
from saelab.world.draw import Array, Bag, Draw, Said

# Ordered pairs of different names; one pair in ten (with its mirror image) never stands in an IOI sentence of the
# training text: `Draw.held_out` asks for these.
_A, _B = (grid.ravel() for grid in np.meshgrid(np.arange(64), np.arange(64), indexing="ij"))
_IS_HELD_OUT = (np.minimum(_A, _B) * 7 + np.maximum(_A, _B) * 11) % 10 == 3
_SHARE = w.NAMES.p[_A] * w.NAMES.p[_B] * (_A != _B)
PAIRS = {out: Bag(map(str, range(64 * 64)), weights=_SHARE * (out == _IS_HELD_OUT)) for out in (False, True)}

_IOI = [  # who is there, and who acts; the receiver comes next
    ("When {a} and {b} went to the>place {place} ,", "{s} gave the>thing {thing} to>name"),
    ("While {a} and {b} were at the>place {place} ,", "{s} handed the>thing {thing} to>name"),
    ("Then {a} and {b} had a long talk . Later", "{s} gave the>thing {thing} to>name"),
    ("Friends {a} and {b} found the>thing {thing} at the>place {place} .", "{s} gave it to>name"),
    (
        "When {a} and {b} came to the>place {place} , the {adj} {who} was there ,",
        "and {s} passed the>thing {thing} to>name",
    ),
    ("After the {adj} day {a} and {b} left the>place {place} ,", "and {s} sold the>thing {thing} to>name"),
]


def ioi(d: Draw, template: int) -> None:
    """Indirect object: two people, one of them acts, so the other one receives."""
    pair = d.pick(PAIRS[d.held_out], "pair")
    names = d.ids(w.NAMES)
    a, b = names[_A[pair]], names[_B[pair]]
    abba = d.flip(0.5, "abba")  # A B … B … A, or A B … A … B
    slots = {"a": a, "b": b, "s": np.where(abba, b, a)}
    first, second = _IOI[template]
    opening, action = topical.say(d, first, **slots), topical.say(d, second, **slots)
    end = d.say("{io} .", io=np.where(abba, a, b))
    d.mark("role: first name", opening["a"])
    d.mark("role: second name", opening["b"])
    d.mark("role: repeated name", action["s"])
    d.mark("role: receiver", end["io"])
    d.answer = end["io"]
    d.mark(["order: ABAB", "order: ABBA"], range(action["s"], end.start), abba.astype(int))
    d.settle("order", d.answer)


_FACTS = [
    "{first} {last} plays the sport of>sport",
    "{first} {last} won a prize in>sport",
    "The sport that {first} {last} loves is>sport",
    "{first} {last} comes from>country",
    "The capital of the country of {first} {last} is>capital",
]


def fact(d: Draw, template: int) -> None:
    """A lookup over first and last name: sport, country, or in two hops the capital of the country."""
    person = d.pick(w.PEOPLE, "person")
    first, last = d.ids(w.FIRST_NAMES)[w.FIRST_OF[person]], d.ids(w.LAST_NAMES)[w.LAST_OF[person]]
    said = d.say(_FACTS[template], first=first, last=last)
    answer = (
        d.ids(w.SPORTS)[w.SPORT_OF], d.ids(w.COUNTRIES)[w.COUNTRY_OF], d.ids(w.CAPITALS)[w.COUNTRY_OF],
    )[max(0, template - 2)][person]  # fmt: skip
    end = d.say("{answer} .", answer=answer)
    d.answer = end["answer"]
    d.settle("fact", d.answer)
    names = [f"person: {w.FIRST_NAMES.words[f]} {w.LAST_NAMES.words[n]}" for f, n in zip(w.FIRST_OF, w.LAST_OF)]
    d.mark(names, said["last"], person)
    asked = range(said["last"], end.start)
    if template < 3:
        d.mark([f"fact: plays {sport}" for sport in w.SPORTS.words], asked, w.SPORT_OF[person])
    else:
        d.mark([f"fact: from {country}" for country in w.COUNTRIES.words[:16]], asked, w.COUNTRY_OF[person])


def gendered(d: Draw, women_share: float | Array = 0.5) -> tuple[Array, dict[str, Array]]:
    """Draw a gender for every sentence: is it a woman [n], and the pronouns that go with it."""
    woman = d.flip(women_share, "woman")
    pairs = {"she": (w.SHE, w.HE), "her": (w.HER, w.HIS), "obj": (w.HER, w.HIM), "She": ("She", "He")}
    return woman, {slot: np.where(woman, *d.ids(pair)) for slot, pair in pairs.items()}


def either(d: Draw, woman: Array, women: Bag, men: Bag, name: str) -> Array:
    """A word of the women's list or of the men's list, by gender (the lists are equally long), [n]."""
    i = d.pick(women, name)
    return np.where(woman, d.ids(women)[i], d.ids(men)[i])


def mark_gender(d: Draw, woman: Array, start: int, *said: Said) -> None:
    """From `start` to here the person spoken of is known to be a woman or a man, which settles the pronouns `said`."""
    d.mark(["gender: man", "gender: woman"], range(start, len(d.columns)), woman.astype(int))
    d.settle("gender", *(phrase[slot] for phrase in said for slot in ("she", "her", "obj") if slot in phrase.at))


_PRONOUNS = [  # who is spoken of, and what is said
    ("{name}", "lost {her} {thing} near the>place {place} because {she} was {adj} ."),
    ("{name}", "looked for the {adj} {thing} , but {she} forgot it at {her} {place} ."),
    ("The {kin}", "of {other} forgot {her} {thing} , so {she} went back to the>place {place} ."),
    ("The {kin}", "of {other} was {adj} , and {she} took {her} {thing} to the>place {place} ."),
    ("{title}", "{either} came to the>place {place} , where {she} met {her} {who} ."),
]


def pronoun(d: Draw, template: int) -> None:
    """A pronoun that follows a name, or a word of kinship or a title while the name itself does not tell."""
    woman, forms = gendered(d)
    who, what = _PRONOUNS[template]
    slots = forms.copy()
    if template < 2:
        slots |= {"name": either(d, woman, w.WOMEN, w.MEN, "name")}
    elif template < 4:
        slots |= {"kin": either(d, woman, w.KIN_WOMEN, w.KIN_MEN, "kin"), "other": d.word(w.NAMES, "other")}
    else:
        slots |= {
            "title": either(d, woman, w.TITLES_WOMEN, w.TITLES_MEN, "title"),
            "either": d.word(w.EITHER, "either"),
        }
    d.say(who, **slots)
    known = len(d.columns)
    said = topical.say(d, what, **slots)
    d.answer = said["she"]
    mark_gender(d, woman, known, said)


def profession(d: Draw, template: int) -> None:
    """Workplace and duty together tell the profession; the name (or a word of kinship, or nothing) tells the gender."""
    place, duty = d.pick(w.WORKPLACES, "workplace"), d.pick(Bag("helped wrote fixed", exponent=0), "duty")
    way = d.pick(Bag("0 1 2", exponent=0), "way")
    woman, forms = gendered(d, np.array(w.WOMEN_SHARE)[duty])
    verbs = np.array([[d.words[" " + phrase.split()[0]] for phrase in ways] for ways in w.DUTIES])
    nouns = np.array([[d.words[" " + phrase.split()[1]] for phrase in ways] for ways in w.DUTIES])
    slots = forms | {"place": d.ids(w.WORKPLACES)[place], "verb": verbs[duty, way], "noun": nouns[duty, way]}
    if template == 0:
        slots |= {"name": either(d, woman, w.WOMEN, w.MEN, "name")}
        opening = d.say("{name} worked at the {place} . Every day", **slots)
        known = opening["name"] + 1
    elif template == 1:
        slots |= {"kin": either(d, woman, w.KIN_WOMEN, w.KIN_MEN, "kin"), "name": d.word(w.NAMES, "name")}
        opening = d.say("The {kin} of {name} worked at the {place} . Every day", **slots)
        known = opening["kin"] + 1
    else:
        slots |= {"name": d.word(w.EITHER, "name")}
        opening = d.say("{name} worked at the {place} . Every day", **slots)
        known = opening.stop + 1
    duty_said = d.say("{she} {verb} {noun} ,", **slots)
    called = d.say("so people called {obj} the>profession", **slots)
    which = 3 * place + duty
    d.mark([f"profession: {name}" for name in w.PROFESSIONS.words], range(duty_said["verb"], len(d.columns)), which)
    d.answer = d.say("{profession} .", profession=d.ids(w.PROFESSIONS)[which])["profession"]
    d.settle("profession", d.answer)
    mark_gender(d, woman, known, duty_said, called)
