"""Prompts of the pocket world with their answers, twins that differ in one fact, and sets that bring a factor out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from saelab.world import words as w
from saelab.world.draw import Array, Draw
from saelab.world.families.grammar import SPELLED
from saelab.world.tokenizer import BOS, PAD

if TYPE_CHECKING:
    from saelab.prompts import Prompts
    from saelab.world.world import World

Flip = Callable[[dict[str, Array]], dict[str, Array]]  # what was drawn → what the twin draws instead


def _other_person(drawn: dict[str, Array]) -> dict[str, Array]:
    """Another person with the same last name, who has another sport, and another country where there is one."""
    partner = np.zeros(len(w.PEOPLE), int)
    for i in range(len(w.PEOPLE)):
        same = np.flatnonzero((w.LAST_OF[i] == w.LAST_OF) & (w.SPORT_OF[i] != w.SPORT_OF))
        partner[i] = max(same, key=lambda j: w.COUNTRY_OF[i] != w.COUNTRY_OF[j])
    return {"person": partner[drawn["person"]]}


def _not(name: str) -> Flip:
    return lambda drawn: {name: ~drawn[name]}


def _next(name: str, size: int, step: int = 1) -> Flip:
    return lambda drawn: {name: (drawn[name] + step) % size}


def _other_initial(drawn: dict[str, Array]) -> dict[str, Array]:
    initial = np.array([ord(word[0]) for word in SPELLED.words])
    other = np.array([next(j for j in np.roll(np.arange(len(initial)), -i - 7) if initial[j] != initial[i])
                      for i in range(len(initial))])  # fmt: skip
    return {"word": other[drawn["word"]]}


class WorldPrompts:
    """Prompts of one kind by name: `world.prompts.ioi(n=100, seed=3)`.

    Each prompt stops before the word that it settles. `wrong` is the answer of the twin: the same prompt with one fact
    changed, and nothing else (`twin` [n, length] has its tokens). With several templates they take turns.
    """

    def __init__(self, world: "World"):
        self._world = world

    def ioi(self, n: int = 100, seed: int = 0, template: int | None = None, held_out: bool = True) -> "Prompts":
        """Who receives: the name said once. The twin: the other one acts. Pairs of names that training never showed."""
        return self._make("ioi", range(6), template, n, seed, _not("abba"), held_out)

    def facts(self, n: int = 100, seed: int = 0, template: int | None = None) -> "Prompts":
        """The sport of a person. The twin: another first name, so another person and another sport."""
        return self._make("fact", range(3), template, n, seed, _other_person)

    def origin(self, n: int = 100, seed: int = 0) -> "Prompts":
        """The country a person comes from. The twin: another first name."""
        return self._make("fact", range(3, 4), None, n, seed, _other_person)

    def two_hop(self, n: int = 100, seed: int = 0) -> "Prompts":
        """The capital of the country of a person. The twin: another first name."""
        return self._make("fact", range(4, 5), None, n, seed, _other_person)

    def capital(self, n: int = 100, seed: int = 0) -> "Prompts":
        """The capital of a country. The twin: another country."""
        return self._make("country", range(1), None, n, seed, _next("country", len(w.COUNTRIES), 5))

    def agreement(self, n: int = 100, seed: int = 0, template: int | None = None) -> "Prompts":
        """Is or are, was or were. The twin: the subject in the other number, the attractors as they were."""
        return self._make("agreement", range(4), template, n, seed, _not("plural"))

    def gender(self, n: int = 100, seed: int = 0, template: int | None = None) -> "Prompts":
        """She or he. The twin: a name, a word of kinship or a title of the other gender."""
        return self._make("pronoun", range(5), template, n, seed, _not("woman"))

    def profession(self, n: int = 100, seed: int = 0, template: int | None = None) -> "Prompts":
        """What somebody is. The twin: another duty at the same place of work."""
        return self._make("profession", range(3), template, n, seed, _next("duty", 3))

    def spelling(self, n: int = 100, seed: int = 0, template: int | None = None) -> "Prompts":
        """The initial of a word. The twin: a word with another one."""
        return self._make("spelling", range(2), template, n, seed, _other_initial)

    def weekday(self, n: int = 100, seed: int = 0) -> "Prompts":
        """So many days after a weekday. The twin: a day later."""
        return self._make("calendar", range(1), None, n, seed, _next("start", 7))

    def month(self, n: int = 100, seed: int = 0) -> "Prompts":
        """So many months after a month. The twin: a month later."""
        return self._make("calendar", range(1, 2), None, n, seed, _next("start", 12))

    def _make(self, family: str, templates: range, template: int | None, n: int, seed: int, flip: Flip,
              held_out: bool = False) -> "Prompts":  # fmt: skip
        import torch

        from saelab.prompts import Prompts

        if template is not None and template not in templates:
            raise ValueError(f"{family} has templates {templates.start} to {templates.stop - 1}, not {template}.")
        if n < 1:
            raise ValueError(f"Ask for at least 1 prompt, not {n}.")
        chosen = list(templates if template is None else [template])
        columns: list[tuple[Array, Array, int, Array]] = []  # by template: tokens, twin's, where the answer is, rows
        for i, one in enumerate(chosen):
            count = len(range(i, n, len(chosen)))
            if count:
                d, twin = self._world.twins(family, one, flip, count, seed=[seed, i], held_out=held_out)
                columns.append((d.tokens(), twin.tokens(), d.answer, np.arange(i, n, len(chosen))))
        length = 1 + max(stop for _, _, stop, _ in columns)
        both = np.full((2, n, length), PAD)
        both[..., 0] = BOS
        last, right = np.zeros(n, int), np.zeros((2, n), int)
        for tokens, twin_tokens, stop, rows in columns:
            both[:, rows, 1 : stop + 1] = tokens[:, :stop], twin_tokens[:, :stop]
            right[:, rows], last[rows] = (tokens[:, stop], twin_tokens[:, stop]), stop
        text = [self._world.decode(row) for row in both[0]]
        numbers = (torch.from_numpy(x) for x in (both[0], last, right[0], right[1], both[1]))
        return Prompts(text, *numbers)


def twins(world: "World", family: str, template: int, flip: Flip, n: int, seed, held_out: bool) -> tuple[Draw, Draw]:
    """n sentences of a family, and the same sentences with what `flip` changes: nothing else differs."""
    kind = next((k for k in world.kinds if (k.family, k.template) == (family, template)), None)
    if kind is None:
        raise ValueError(f"The pocket world has no template {template} of a family {family!r}.")
    topic = np.random.default_rng([0, *np.atleast_1d(seed)]).integers(0, 24, n)
    first = world.write(kind, np.random.default_rng(seed), topic, held_out=held_out)
    second = world.write(kind, np.random.default_rng(seed), topic, held_out=held_out, force=flip(first.drawn))
    return first, second
