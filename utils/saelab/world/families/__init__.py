"""All kinds of sentences, each with its share of the text."""

from collections.abc import Callable
from dataclasses import dataclass

from saelab.world.draw import Draw
from saelab.world.families import grammar, numbers, people, stories


@dataclass(frozen=True)
class Kind:
    """One kind of sentence: a family and one of its templates."""

    family: str
    template: int
    share: float
    write: Callable[[Draw, int], None]


def _kinds() -> list[Kind]:
    shares: list[tuple[Callable[[Draw, int], None], float, range]] = [
        (stories.story, 0.20, range(5)),
        (stories.story_with_name, 0.06, range(2)),
        (stories.scope, 0.16, range(6 * len(stories.SCOPES))),
        (people.ioi, 0.11, range(6)),
        (people.fact, 0.11, range(5)),
        (people.pronoun, 0.05, range(5)),
        (people.profession, 0.05, range(3)),
        (grammar.agreement, 0.07, range(4)),
        (grammar.motion, 0.04, range(6)),
        (grammar.repeat, 0.03, range(3, 8)),
        (grammar.ask_not, 0.01, range(1)),
        (grammar.spelling, 0.03, range(2)),
        (grammar.french, 0.02, range(3)),
        (grammar.signs, 0.02, range(6)),
        (numbers.country, 0.05, range(5)),
        (numbers.shopping, 0.02, range(3, 6)),
        (numbers.number, 0.05, range(6)),
        (numbers.calendar, 0.02, range(3)),
    ]
    total = sum(share for _, share, _ in shares)
    return [Kind(f.__name__, t, share / total / len(ts), f) for f, share, ts in shares for t in ts]


KINDS = _kinds()
