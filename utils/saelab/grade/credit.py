"""Partial credit: points for what a wrong answer gets right, beyond what knowing the mere form of the result gets."""

import functools
from dataclasses import replace

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
    for empty in checking.EMPTY:
        parts = {name: checking.alter(part, empty) for name, part in content.reference_parts(exercise).items()}
        tests = checking.run(plain, parts, "empty").tests
        counts.append(sum(t.outcome == "passed" for t in tests if t.name in named))
    return max(counts)
