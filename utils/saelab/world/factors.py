"""The factors: what is true of a token of the pocket world, by name.

`token` factors follow from the token alone. `context` factors follow from the text so far and hardly from the token: a
probe on the token alone stays below an AUC of 0.75 over all tokens. `token in context` factors are a certain token in a
certain context ("battery" in a sentence about baseball; the last name of one person), so the token says much, but among
the tokens that can carry the factor it says little. `predictive` factors are about the token that comes next.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saelab.world import words as w
from saelab.world.draw import Bag, Lexicon, spelled
from saelab.world.families.stories import UNCERTAIN
from saelab.world.topics import TOPICS

_IN_CONTEXT = (
    "scope stance gender repeat role order person fact profession sense number list family syntax spelling language"
)
_KIND_OF = {"topic": "context", "theme": "context", "next": "predictive"} | dict.fromkeys(
    _IN_CONTEXT.split(), "token in context"
)
_TOKEN_CLASSES = {
    "person word": w.WHO,
    "thing": w.THING,
    "place": w.PLACE,
    "past verb": w.VERB,
    "adjective": w.ADJ,
    "woman's name": w.WOMEN,
    "man's name": w.MEN,
    "either's name": w.EITHER,
    "last name": w.LAST_NAMES,
    "kin": w.KIN_WOMEN + w.KIN_MEN,
    "woman of the family": w.KIN_WOMEN,
    "man of the family": w.KIN_MEN,
    "title": w.TITLES_WOMEN + w.TITLES_MEN,
    "sport": w.SPORTS,
    "country": w.COUNTRIES,
    "capital": w.CAPITALS,
    "continent": w.CONTINENTS,
    "profession": w.PROFESSIONS,
    "workplace": w.WORKPLACES,
    "month": w.MONTHS,
    "weekday": w.WEEKDAYS,
    "season": w.SEASONS,
    "number": w.NUMBERS,
    "year": w.YEARS,
    "count": w.COUNTS,
    "unit of measure": w.UNITS,
    "goods": w.GOODS,
    "small letter": w.LETTERS,
    "base of DNA": w.BASES,
    "French noun": w.NOMS,
    "French adjective": w.ADJECTIFS,
    "French verb": w.VERBES,
    "plural": w.SUBJECTS_PLURAL + w.ATTRACTORS_PLURAL,
    "verb of motion": w.WALKED,
    "verb of holding": w.HELD,
    "verb of meeting": w.MET,
    "pronoun": Bag("she he her his him She He"),
    "feminine": Bag("she her She"),
    "masculine": Bag("he his him He"),
}
_BY_NAME = (w.WHO, w.THING, w.PLACE, w.VERB, w.ADJ, w.NAMES, w.LAST_NAMES, w.COUNTRIES, w.CAPITALS, w.SPORTS, w.MONTHS,
            w.WEEKDAYS, w.PROFESSIONS, w.GOODS)  # fmt: skip
_SMALL_WORDS = "the a and that of in to near is was are it , ."


@dataclass(frozen=True)
class Factor:
    """One binary factor: its name ("topic: war"), its kind, and the broader factor it implies, if there is one."""

    name: str
    kind: str
    parent: str | None = None


def kind_of(name: str) -> str:
    """The kind of a factor, which the first part of its name settles."""
    return _KIND_OF.get(name.split(":")[0], "token")


def parent_of(name: str) -> str | None:
    """The broader factor that is on wherever this one is, if the world has one."""
    family, _, what = name.partition(": ")
    if family == "topic":
        return f"theme: {TOPICS[what].parent}"
    if family == "scope" and what in UNCERTAIN:
        return "stance: uncertain"
    if family == "word":
        return next((f"class: {c}" for c, bag in _TOKEN_CLASSES.items() if what in bag.words), None)
    if family == "country of" and " " in what:
        return f"country of: {what.split()[1]}"
    return None


def token_factors(words: Lexicon) -> Iterator[tuple[str, np.ndarray]]:
    """Every token factor with the tokens that carry it."""
    content = np.unique(np.concatenate([words.of(bag.spelled) for bag in _TOKEN_CLASSES.values()]))
    for name, bag in _TOKEN_CLASSES.items():
        yield f"class: {name}", words.of(bag.spelled)
    yield "class: noun", words.of((w.WHO + w.THING + w.PLACE).spelled)
    yield "class: first name", words.of((w.NAMES + w.EITHER).spelled)
    yield "class: punctuation", words.of((*',.?;:"', ' "'))
    yield "class: content word", content
    yield "class: function word", np.setdiff1d(np.arange(4, len(words)), content)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for letter in letters:
        those = [i for i, word in enumerate(words.names) if word[1:].isalpha() and word[1:].lower().startswith(letter)]
        if len(those) > 3:
            yield f"initial: {letter}", np.array(those)
    for i, continent in enumerate(w.CONTINENTS.words):
        here = i == w.CONTINENT_OF
        yield (
            f"country of: {continent}",
            words.of((*np.array(w.COUNTRIES.spelled)[here], *np.array(w.CAPITALS.spelled)[here])),
        )
        for k, wealth in enumerate(w.WEALTH.words):
            those = np.array(w.COUNTRIES.spelled)[here & (k == w.WEALTH_OF)]
            yield f"country of: {wealth} {continent}", words.of(tuple(those))
    for k, wealth in enumerate(w.WEALTH.words):
        yield f"wealth: {wealth}", words.of(tuple(np.array(w.COUNTRIES.spelled)[k == w.WEALTH_OF]))
    for decade in range(1950, 2030, 10):
        yield f"decade: {decade}s", words.of(tuple(f" {year}" for year in range(decade, decade + 10)))
    for low, high in ((1, 9), (10, 19), (20, 39), (40, 60)):
        yield f"size: {low} to {high}", words.of(tuple(f" {i}" for i in range(low, high + 1)))
    for word in dict.fromkeys([*_SMALL_WORDS.split(), *(word for bag in _BY_NAME for word in bag.words)]):
        yield f"word: {word}", words.of((spelled(word),))


def circles(words: Lexicon) -> dict[str, dict[int, float]]:
    """The circular factors: the angle of every token that has one, in radians."""
    rounds = {"month": w.MONTHS, "weekday": w.WEEKDAYS, "season": w.SEASONS}
    return {
        name: {int(token): 2 * np.pi * i / len(bag) for i, token in enumerate(words.of(bag.spelled))}
        for name, bag in rounds.items()
    }


def quantities(words: Lexicon) -> dict[str, dict[int, float]]:
    """The continuous factors: the value of every token that has one."""
    return {
        name: {int(token): float(word) for token, word in zip(words.of(bag.spelled), bag.words)}
        for name, bag in (("number", w.NUMBERS), ("year", w.YEARS))
    }
