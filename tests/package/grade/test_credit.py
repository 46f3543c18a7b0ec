"""Does part of the points go to those who hold part of the facts, and nothing to those who hold none?"""

from dataclasses import replace

import pytest
import torch

from saelab import checking, content
from saelab.grade import credit
from saelab.report import Report, TestResult

SLOW = ("train", "train_sae")  # several seconds each; the others stand for them


def report_of(exercise, passed: int) -> Report:
    """A failed report in which the first so many named tests hold."""
    named = [name for name, _, _ in checking.tests_of(exercise) if TestResult(name, "").is_named]
    tests = [TestResult(name, "passed" if i < passed else "failed") for i, name in enumerate(named)]
    return Report(exercise.id, "failed", exercise.points, tests)


@pytest.mark.parametrize("exercise", [e for e in content.exercises() if e.name not in SLOW], ids=lambda e: e.name)
def test_an_answer_that_knows_only_the_form_earns_nothing(exercise):
    "Halves everywhere, and noise: neither is one of the empty answers that credit is counted from."
    generator = torch.Generator().manual_seed(7)

    def halves(value, _arguments):
        return 0 * value + 0.5

    def other_noise(value, _arguments):
        return 0 * value - torch.rand(value.shape, generator=generator)

    for empty in (halves, other_noise):
        parts = {name: checking.alter(part, empty) for name, part in content.reference_parts(exercise).items()}
        found = checking.run(replace(exercise, misconceptions=[]), parts, "hollow")
        assert found.status == "failed"
        assert credit.credit(exercise, found) == 0, str(found)


def test_credit_grows_with_the_facts_and_never_reaches_all_points():
    exercise = content.find("superposition/dimensionality")
    named = sum(TestResult(name, "").is_named for name, _, _ in checking.tests_of(exercise))
    earned = [credit.credit(exercise, report_of(exercise, passed)) for passed in range(named + 1)]
    assert earned == sorted(earned) and earned[0] == 0
    assert earned[-1] == exercise.points - 0.5, "all named facts hold, yet it does not agree with the reference"
    assert len(set(earned)) >= 3


def test_a_plausible_mistake_earns_more_than_an_empty_answer():
    exercise = content.find("superposition/memorisation")
    variant = exercise.misconceptions[0]
    found = checking.run(replace(exercise, misconceptions=[]), content.variant_parts(exercise, variant), 0)
    assert 0 < credit.credit(exercise, found) < exercise.points
