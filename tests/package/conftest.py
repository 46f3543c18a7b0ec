"""A small course in a temporary folder, so that the tool's tests don't depend on the chapters."""

import textwrap
import time
from contextlib import contextmanager

import pytest

from saelab.answers import progress

SOURCE = '''\
# %% [markdown]
# # A small section

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint

# %% [markdown]
# ## Doubling

# %% exercise="double" points=2 minutes=5 difficulty=1 importance=2
def double(x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:
    """Twice x.

    >>> double(torch.ones(1, 2))
    tensor([[2., 2.]])
    """
    # BEGIN SOLUTION
    return x + x  # a line that must stay secret
    # END SOLUTION


# %%
check(double)

# %% [markdown] hint=1
# What is two times one?

# %% [markdown] hint=2
# Add it to itself.


# %% misconception="double"
def squares(x):
    "You squared: two and two give four either way, three does not."
    return x * x


# %% misconception="double"
def loses_the_gradient(x):
    "The result has lost its history."
    return (x + x).detach()


# %% alternative="double"
def by_hand(x):
    return torch.stack([torch.stack([v + v for v in row]) for row in x])


# %% [markdown]
# ## Four times

# %% exercise="quadruple" points=1 minutes=5
def quadruple(x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:
    """Four times x, by doubling twice."""
    # BEGIN SOLUTION
    return double(double(x))
    # END SOLUTION


# %%
check(quadruple)

# %% [markdown] hint=1
# Use double.


# %% misconception="quadruple"
def only_once(x):
    "You doubled once."
    return double(x)


# %% [markdown]
# ## A counter with a weight

# %% exercise="Scale" points=3 minutes=5
class Scale(torch.nn.Module):
    """Multiplies by a learned weight and counts."""

    def __init__(self, weight: Float[Tensor, "feats"]):
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone())
        self.calls = 0

    def forward(self, x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:
        # BEGIN SOLUTION
        self.calls += 1
        return x * self.weight
        # END SOLUTION

    def noise(self, size: int) -> Float[Tensor, "size"]:
        """Fresh random numbers."""
        # BEGIN SOLUTION
        return torch.rand(size)
        # END SOLUTION


# %%
check(Scale)

# %% [markdown] hint=1
# Multiply.


# %% misconception="Scale"
class Adds(Scale):
    "You added the weight."

    def forward(self, x):
        self.calls += 1
        return x + self.weight


# %% misconception="Scale"
class SignedNoise(Scale):
    "The noise should not be negative."

    def noise(self, size):
        return torch.rand(size) - 0.5
'''

CHECKS = {
    "double": '''
        """What is twice a thing?"""
        import torch
        from saelab.testing import gradients
        from torch.testing import assert_close

        def test_three_becomes_six(double, rng):
            """Add, don't multiply."""
            assert_close(double(torch.full((1, 1), 3.0)), torch.full((1, 1), 6.0))

        def test_gradients_are_two(double):
            """Keep the history."""
            assert_close(gradients(double, torch.ones(2, 3))[0], torch.full((2, 3), 2.0))

        def test_agrees_with_the_reference(double, reference, rng):
            """Look at one entry."""
            x = rng.normal(3, 4)
            assert_close(double(x), reference(x))
            assert_close(double(x.double()), reference(x.double()))
        ''',
    "quadruple": '''
        """Twice twice?"""
        from torch.testing import assert_close

        def test_twice_twice_is_four_times(quadruple, rng):
            """Double the double."""
            x = rng.normal(2, 3)
            assert_close(quadruple(x), 4 * x)
        ''',
    "Scale": '''
        """A weight that learns?"""
        import torch
        from torch.testing import assert_close

        def test_it_multiplies(Scale, rng):
            """Multiply."""
            w, x = rng.normal(3), rng.normal(2, 3)
            assert_close(Scale(w)(x), w * x)

        def test_the_weight_gathers_a_gradient(Scale, rng):
            """Don't detach."""
            x = rng.normal(2, 3)
            model = Scale(rng.normal(3))
            model(x).sum().backward()
            assert_close(model.weight.grad, x.sum(0))

        def test_it_counts_its_calls(Scale, rng):
            """Count in forward."""
            model = Scale(rng.normal(3))
            model(rng.normal(1, 3)), model(rng.normal(1, 3))
            assert model.calls == 2, f"expected 2 calls counted, got {model.calls}"

        def test_noise_is_never_negative(Scale, rng):
            """Uniform between 0 and 1."""
            low = Scale(rng.normal(3)).noise(200).min()
            assert low >= 0, f"expected nothing below 0, got {low:.2f}"
        ''',
}


def write_course(root):
    """The small course as files below `root`."""
    for folder in ("chapters/small", "tests/small", "solutions/small"):
        (root / folder).mkdir(parents=True)
    (root / "chapters/small/design.md").write_text("# 1 · Small\n")
    (root / "chapters/small/01_small.py").write_text(SOURCE)
    for name, text in CHECKS.items():
        (root / f"tests/small/test_{name}.py").write_text(textwrap.dedent(text).lstrip())
    return root


@pytest.fixture(scope="session")
def course_folder(tmp_path_factory):
    """The small course for tests that start processes of their own; nobody changes it."""
    return write_course(tmp_path_factory.mktemp("grading") / "course")


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    """The folder of the small course, which is *the* course while a test runs."""
    root = write_course(tmp_path / "course")
    monkeypatch.setenv("SAELAB_COURSE", str(root))
    return root


@pytest.fixture(autouse=True)
def no_memory_of_the_student(tmp_path, monkeypatch):
    """Run in an empty folder, so that no progress file of the checkout is touched; no hints are remembered from before."""
    monkeypatch.setattr(progress, "_unkept", {})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@contextmanager
def _at_most(rounds: float):
    before, began = _unit(), time.process_time()
    yield
    spent = time.process_time() - began
    assert spent < rounds * max(before, _unit()), f"{spent:.1f} s of CPU"


def _unit() -> float:
    """CPU seconds of a fixed piece of Python, here and now: about .01 on an idle machine."""
    began = time.process_time()
    sum(i * i for i in range(200_000))
    return time.process_time() - began


@pytest.fixture
def at_most():
    """`with at_most(200):` no more work inside than 200 rounds of a loop of 200,000 steps, timed just before and after.

    For what hostile input may cost: a busy machine is as slow at the loop as at what is inside.
    """
    return _at_most
