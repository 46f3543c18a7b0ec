"""Does part of the points go to those who hold part of the facts, and nothing to those who hold none?"""

from dataclasses import replace

import pytest
import torch

from saelab import checking, content
from saelab.checking.guesser import guessable
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
        assert checking.credit(exercise, found) == 0, str(found)


def test_credit_grows_with_the_facts_and_never_reaches_all_points():
    exercise = content.find("superposition/dimensionality")
    named = sum(TestResult(name, "").is_named for name, _, _ in checking.tests_of(exercise))
    earned = [checking.credit(exercise, report_of(exercise, passed)) for passed in range(named + 1)]
    assert earned == sorted(earned) and earned[0] == 0
    assert earned[-1] == exercise.points - 0.5, "all named facts hold, yet it does not agree with the reference"
    assert len(set(earned)) >= 3


def test_a_plausible_mistake_earns_more_than_an_empty_answer():
    exercise = content.find("superposition/memorisation")
    variant = exercise.misconceptions[0]
    found = checking.run(replace(exercise, misconceptions=[]), content.variant_parts(exercise, variant), 0)
    assert 0 < checking.credit(exercise, found) < exercise.points


def test_a_program_that_knows_the_check_file_but_computes_nothing_gets_no_point_for_truth_values_or_a_known_answer():
    "The audit asks that of every exercise; these two used to give all their points."
    for name in ("superposition/irreducible", "training/tally", "superposition/gram"):
        assert checking.guessers_points(content.find(name)) == 0


def test_what_never_changes_can_be_guessed_and_what_is_drawn_cannot(small_course):
    exercise = content.find("double")
    guessed = guessable(exercise)
    assert guessed == {"test_three_becomes_six", "test_gradients_are_two"}


ALWAYS_TRUE = """
def test_yes(double, rng):
    assert double(rng.normal(1, 1)) is not None


def test_the_same_as_before(double, rng):
    x = rng.normal(2, 2)
    assert (double(x) == double(x)).all()


def test_drawn(double, rng):
    x = rng.normal(2, 2)
    assert (double(x) == x + x).all(), "not twice x"
"""


def test_a_check_without_a_drawn_answer_is_told_by_the_audit(small_course):
    (small_course / "tests/small/test_double.py").write_text(ALWAYS_TRUE.partition("def test_drawn")[0])
    assert checking.guessers_points(content.find("double")) == 2
    (small_course / "tests/small/test_double.py").write_text(ALWAYS_TRUE)
    assert checking.guessers_points(content.find("double")) == 0


def test_the_order_of_tests_is_secret_and_the_report_has_that_of_the_file(small_course):
    exercise, orders = content.find("Scale"), set()
    for seed in range(12):
        begun = []

        class Parts(dict):
            def reseed(self, number, begun=begun):
                begun.append(number)

        report = checking.run(exercise, Parts(content.reference_parts(exercise)), "s", secret_order=False)
        plain, begun[:] = list(begun), []
        shuffled = checking.run(exercise, Parts(content.reference_parts(exercise)), f"s{seed}", secret_order=True)
        assert [t.name for t in shuffled.tests] == [t.name for t in report.tests] and len(begun) == len(plain)
        names = [name for name, _, _ in checking.tests_of(exercise)]
        number = {checking.seed_of_student(f"s{seed}/{name}"): name for name in names}
        orders.add(tuple(number[one] for one in begun))
    assert len(orders) > 3, "each seed has an order of its own"
