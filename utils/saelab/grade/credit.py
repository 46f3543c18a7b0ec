"""Partial credit: points for what a wrong answer gets right, beyond what knowing the mere form of the result gets."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from saelab import checking, content
from saelab.content import Exercise
from saelab.report import Report, TestResult

LEAST = 0.5  # of the way from an empty answer to a right one, for any credit


def credit(exercise: Exercise, report: Report) -> float:
    """Points for a failed report: the exercise's, times how far it is from empty to right, in halves, rounded down.

    Measured by the share of the named tests that pass (those that only compare with the reference left out). An empty
    answer returns zeros, ones, noise or an argument, in the right form; the best of them is the start of the way.
    Nothing for less than half of it, and never all of the points.
    """
    named, start = _named(exercise), _best_empty(exercise.id)
    passed = sum(t.outcome == "passed" for t in report.tests if t.name in named)
    share = (passed - start) / max(1, len(named) - start)
    return min(int(2 * share * exercise.points) / 2, exercise.points - 0.5) if share >= LEAST else 0.0


def _named(exercise: Exercise) -> set[str]:
    return {name for name, _, _ in checking.tests_of(exercise) if TestResult(name, "").is_named}


@functools.lru_cache(maxsize=256)
def _best_empty(exercise_id: str) -> int:
    """How many of an exercise's named tests the best empty answer passes."""
    exercise = content.find(exercise_id)
    named = _named(exercise)
    plain = replace(exercise, misconceptions=[])  # nobody asks what an empty answer misunderstood
    counts = []
    for empty in (_zeros, _ones, _noise, _echo):
        parts = {name: emptied(part, empty) for name, part in content.reference_parts(exercise).items()}
        tests = checking.run(plain, parts, "empty").tests
        counts.append(sum(t.outcome == "passed" for t in tests if t.name in named))
    return max(counts)


def _zeros(value: Tensor, _arguments: tuple) -> Tensor:
    return 0 * value


def _ones(value: Tensor, _arguments: tuple) -> Tensor:
    return 0 * value + 1


def _noise(value: Tensor, _arguments: tuple) -> Tensor:
    return torch.randn(value.shape, generator=torch.Generator().manual_seed(0)) + 0 * value


def _echo(value: Tensor, arguments: tuple) -> Tensor:
    alike = [a for a in arguments if isinstance(a, Tensor) and a.shape == value.shape]
    return alike[0] + 0 * value if alike else 0 * value


def emptied(part: Callable, empty: Callable) -> Callable:
    """The same part, its results replaced by empty ones of the same form; of a class, those of its methods."""
    if inspect.isclass(part):
        methods = {name: fn for name, fn in vars(part).items() if inspect.isfunction(fn) and not name.startswith("__")}
        return type(part.__name__, (part,), {name: emptied(fn, empty) for name, fn in methods.items()})

    @functools.wraps(part)
    def hollow(*args, **kwargs):
        return _like(part(*args, **kwargs), args, empty)

    return hollow


def _like(value, arguments: tuple, empty: Callable):
    if isinstance(value, Tensor):
        number = value if value.is_floating_point() else value.float().nan_to_num()
        return empty(number.nan_to_num(), arguments).to(value.dtype)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_like(item, arguments, empty) for item in value)
    if isinstance(value, dict):
        return {key: _like(item, arguments, empty) for key, item in value.items()}
    if isinstance(value, (bool, int, float)):
        number = empty(torch.zeros(()), ()).item()
        return number > 0.5 if isinstance(value, bool) else type(value)(number)
    return value
