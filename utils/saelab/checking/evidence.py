"""How much wrong outcomes tell: a few truth values or one shared zero prove nothing, many numbers do.

Counted in rough bits: what the wrong outcomes have that would hardly come about by another mistake.
"""

import math
from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

from .replay import changed_arguments, fitted, history
from .watched import Call

ENOUGH = 16  # bits: two numbers that nobody would guess
FORM = {"raised": 16, "nothing": 16, "arguments": 16, "harm": 16, "gradient": 16, "shape": 8, "dtype": 8, "kind": 8,
        "length": 8}  # fmt: skip
STRANGE = 16  # of NaN or infinity where a number should be
NUMBER, WHOLE = 8, 4  # bits of a number that nobody would guess, of a whole number above 2
WORD = 4  # of a wrong word where another is right
PLAIN = (0.0, 0.5, 1.0, 2.0)  # numbers that come about in many ways
READ = 1000  # numbers of one tensor
LARGEST = 2**63  # a whole number above that may be more than a float can be


def bits(wrong: Iterable[tuple[Call, Call]], specs: dict[str, Callable]) -> int:
    """What pairs of (wrong call, the same call made to the reference) tell together."""
    forms, numbers, whole, plain, strange = set[str](), set[str](), set[int](), 0, 0
    words = set[tuple[str, str]]()
    for call, solved in wrong:
        mine, right = fitted(call, specs), fitted(solved, specs)
        forms |= set(_forms(call, solved, mine, right))
        words |= set(_wrong_words(mine, right))
        odd = [*_differing(mine, right), *_differing(call.grads, solved.grads)]
        numbers |= {f"{x:.4g}" for x in odd if isinstance(x, float) and math.isfinite(x) and abs(x) not in PLAIN}
        whole |= {x for x in odd if type(x) is int and abs(x) > 2}
        plain += min(4, len(odd))
        strange = max(strange, STRANGE * any(not math.isfinite(x) for x in odd))
    told = NUMBER * len(numbers) + WHOLE * len(whole) + WORD * len(words) + plain + strange
    return sum(FORM[form] for form in forms) + told


def _forms(call: Call, solved: Call, mine, right) -> Iterator[str]:
    """In what ways, other than numbers, the call went differently."""
    if call.after is None or solved.after is None:
        yield "raised"
        return
    if mine is None and right is not None:
        yield "nothing"
    if changed_arguments(call) != changed_arguments(solved):
        yield "arguments"
    if call.harm != solved.harm:
        yield "harm"
    if history(mine) != history(right) and history(mine) is not None and history(right) is not None:
        yield "gradient"
    if type(mine) is not type(right):
        yield "kind"
    elif not isinstance(mine, Tensor):
        if len(list(_numbers(mine))) != len(list(_numbers(right))):
            yield "length"
    else:
        if mine.shape != right.shape:
            yield "shape"
        if mine.dtype != right.dtype:
            yield "dtype"


def _wrong_words(mine, right) -> Iterator[tuple[str, str]]:
    """Pairs of a text and another that should stand in its place, in lists and dictionaries of one form too."""
    if isinstance(mine, str) and isinstance(right, str):
        if mine != right:
            yield mine, right
    elif isinstance(mine, (list, tuple)) and isinstance(right, (list, tuple)):
        if len(mine) == len(right):
            for a, b in zip(mine, right):
                yield from _wrong_words(a, b)
    elif isinstance(mine, dict) and isinstance(right, dict):
        for key in mine.keys() & right.keys():
            yield from _wrong_words(mine[key], right[key])


def _differing(mine, right) -> list[int | float]:
    """The numbers in `mine` that are not those of `right`, or all where there are not as many."""
    ours, theirs = list(_numbers(mine)), list(_numbers(right))
    if len(ours) != len(theirs):
        return ours
    return [a for a, b in zip(ours, theirs) if not (a == b or abs(a - b) <= 1e-6 + 1e-4 * abs(b) or a != a and b != b)]


def _numbers(value) -> Iterator[int | float]:
    if isinstance(value, Tensor):
        yield from value.detach().flatten()[:READ].tolist()
    elif isinstance(value, (int, float)):
        yield float("inf") if isinstance(value, int) and abs(value) > LARGEST else value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, dict):
        yield from _numbers(list(value.values()))
