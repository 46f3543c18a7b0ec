"""Partial credit: points for what a wrong answer gets right, beyond what can be guessed."""

from saelab import content
from saelab.content import Exercise
from saelab.report import Report, TestResult

from . import guesser, runner

LEAST = 0.5  # of the checks that can't be guessed, for any credit
AUDIT = ("audit 1", "audit 2")  # seeds at which the audit tries the guesser


def credit(exercise: Exercise, report: Report) -> float:
    """Points for a failed report: the exercise's, times the share of what holds, in halves, rounded down.

    What counts are the named tests (those that only compare with the reference left out) that nobody passes without
    computing (see `guesser`), and no more than the share of all named tests that hold. Nothing for less than half, and
    never all of the points.
    """
    named = {name for name, _, _ in runner.tests_of(exercise) if TestResult(name, "").is_named}
    earning = named - guesser.guessable(exercise)
    passed = {t.name for t in report.tests if t.outcome == "passed"}
    if not earning:
        return 0.0
    share = min(len(passed & earning) / len(earning), len(passed & named) / len(named))
    return min(int(2 * share * exercise.points) / 2, exercise.points - 0.5) if share >= LEAST else 0.0


def guessers_points(exercise: Exercise) -> float:
    """Points of a program that knows the check file, the order of its tests and all shapes, and computes nothing.

    An exercise whose answer is known or not (`counts_with`) has its points only beside another one's.
    """
    if partner := content.counts_with(exercise):
        return float(exercise.points) if guessers_points(partner) else 0.0
    everything = [name for name, _, _ in runner.tests_of(exercise)]
    passed = guesser.passed_by_guessing(exercise, AUDIT)
    if passed >= set(everything):
        return float(exercise.points)
    tests = [TestResult(name, "passed" if name in passed else "failed") for name in everything]
    return credit(exercise, Report(exercise.id, "failed", exercise.points, tests))
