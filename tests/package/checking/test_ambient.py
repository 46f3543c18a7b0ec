"""Whatever a notebook has set before, a right answer is right; and what an answer sets stays with it."""

import random

import numpy as np
import pytest
import torch

from saelab import checking, content
from saelab.checking import ambient

OTHERWISE = {
    "no gradients": lambda: torch.set_grad_enabled(False),
    "float64": lambda: torch.set_default_dtype(torch.float64),
    "another device": lambda: torch.set_default_device("meta"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
}


@pytest.fixture(autouse=True)
def as_it_was():
    before = ambient.now()
    yield
    ambient.settle(before)


@pytest.mark.parametrize("switch", OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("exercise", ["gram", "dimensionality", "generate_batch", "encode", "sae_loss", "gated_loss"])
def test_a_right_answer_passes_under_any_setting_and_leaves_it_alone(exercise, switch):
    found = content.find(exercise)
    parts = content.reference_parts(found)
    switch()
    set_so = ambient.now()
    report = checking.run(found, parts)
    assert report.passed and not report.notes, str(report)
    assert ambient.now() == set_so != ambient.AT_FIRST


def test_inference_mode_around_a_check_is_left_for_its_time():
    found = content.find("dimensionality")
    with torch.inference_mode():
        assert checking.run(found, content.reference_parts(found)).passed
        assert torch.is_inference_mode_enabled()


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_an_answer_sets_is_told_and_does_not_reach_the_next(small_course, name):
    found = content.find("double")

    def double(x):
        OTHERWISE[name]()
        return 2 * x

    report = checking.run(found, {"double": double})
    assert ambient.now() == ambient.AT_FIRST
    assert [note for note in report.notes if "for everything that runs after it" in note], str(report)
    assert report.passed == (name != "no gradients"), str(report)  # there the result itself has lost its history


def test_gradients_that_the_check_itself_forbids_stay_forbidden(small_course):
    watched = checking.watch({"double": lambda x: 2 * x}, content.reference_parts(content.find("double")))
    with torch.no_grad():
        watched.parts["double"](torch.ones(1, 1))
        assert not torch.is_grad_enabled()
    assert not watched.log.switched


def test_no_random_state_is_touched_by_a_check():
    found = content.find("generate_batch")
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)

    def careless(n_inst, batch, p):
        random.seed(0), np.random.seed(0)
        return content.reference_parts(found)["generate_batch"](n_inst, batch, p)

    checking.run(found, {"generate_batch": careless})
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected
