"""Small courses of three questions, and made-up submissions to them, for the benches beside this file.

`write(folder, QUESTIONS)` makes a folder that SAELAB_COURSE can name.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path

CHAPTER = "small"


@dataclass(frozen=True)
class Question:
    """One exercise: a right and a wrong definition, and its check file."""

    name: str
    right: str
    wrong: str
    check: str


HEAD = """\
# %% [markdown]
# # Three questions

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint

"""
CELL = """\
# %% exercise="{name}" points=1 minutes=5
{code}


# %%
check({name})

# %% [markdown] hint=1
# Read the question again.

"""

ADD = Question(
    "add",
    'def add(a: Float[Tensor, "n"], b: Float[Tensor, "n"]) -> Float[Tensor, "n"]:\n'
    '    """The sum."""\n    # BEGIN SOLUTION\n    return a + b\n    # END SOLUTION',
    "def add(a, b):\n    return a - b",
    """\
import torch
from torch.testing import assert_close

from saelab.testing import gradients


def test_one_and_one_are_two(add):
    assert_close(add(torch.ones(3), torch.ones(3)), torch.full((3,), 2.0))


def test_both_terms_get_a_gradient(add, rng):
    for found in gradients(add, rng.normal(4), rng.normal(4)):
        assert_close(found, torch.ones(4))


def test_agrees_with_the_reference(add, reference, rng):
    a, b = rng.normal(5), rng.normal(5)
    assert_close(add(a, b), reference(a, b))
""",
)
LENGTHS = Question(
    "lengths",
    'def lengths(x: Float[Tensor, "rows n"]) -> Float[Tensor, "rows"]:\n'
    '    """The length of each row."""\n    # BEGIN SOLUTION\n    return x.pow(2).sum(-1).sqrt()\n    # END SOLUTION',
    "def lengths(x):\n    return x.pow(2).sum(-1)",
    """\
import torch
from torch.testing import assert_close


def test_three_four_five(lengths):
    assert_close(lengths(torch.tensor([[3.0, 4.0]])), torch.tensor([5.0]))


def test_agrees_with_the_reference(lengths, reference, rng):
    x = rng.normal(200, 30)
    assert_close(lengths(x), reference(x))
""",
)
SCALE = Question(
    "Scale",
    "class Scale(torch.nn.Module):\n"
    '    """A weight for each entry."""\n\n'
    '    def __init__(self, weight: Float[Tensor, "n"]):\n        super().__init__()\n'
    "        # BEGIN SOLUTION\n        self.weight = torch.nn.Parameter(weight.clone())\n        # END SOLUTION\n\n"
    '    def forward(self, x: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:\n'
    "        # BEGIN SOLUTION\n        return x * self.weight\n        # END SOLUTION",
    "class Scale(torch.nn.Module):\n    def __init__(self, weight):\n        super().__init__()\n"
    "        self.weight = weight\n\n    def forward(self, x):\n        return x + self.weight",
    """\
from torch.testing import assert_close


def test_each_entry_has_its_weight(Scale, rng):
    weight, x = rng.normal(4), rng.normal(3, 4)
    assert_close(Scale(weight)(x).detach(), x * weight)


def test_the_weight_learns(Scale, rng):
    model, x = Scale(rng.normal(4)), rng.normal(3, 4)
    model(x).sum().backward()
    assert_close(model.weight.grad, x.sum(0))
""",
)
TENSORS = (ADD, LENGTHS, SCALE)


SPOILED = {
    "raises": 'raise ValueError("no idea")',
    "exits": "import os; os._exit(1)",
    "aborts": "import os; os.abort()",
    "crashes": "import ctypes; ctypes.string_at(0)",
}
HONEST, WRONG = ("right", "slow"), ("wrong", "raises", "unreadable", "missing", "unwritten")
CRASHING = ("exits", "aborts", "crashes")


def write(folder: Path, questions: tuple[Question, ...]) -> None:
    """The course's folders: chapters/ and tests/."""
    chapter, tests = folder / "chapters" / CHAPTER, folder / "tests" / CHAPTER
    chapter.mkdir(parents=True)
    tests.mkdir(parents=True)
    (chapter / "design.md").write_text("# 1 · Three questions\n")
    cells = [CELL.format(name=q.name, code=q.right) for q in questions]
    (chapter / "01_questions.py").write_text("\n".join([HEAD, *cells]))
    for question in questions:
        (tests / f"test_{question.name}.py").write_text(question.check)


def notebook(cells: list[str]) -> str:
    """A notebook with these code cells."""
    made = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        for i, text in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def answer(question: Question, kind: str, seconds: float = 0.0) -> str:
    """A student's cell for a question: one of HONEST, WRONG, CRASHING; "" where it is missing."""
    wait = f"import time; time.sleep({seconds:.2f})"
    right = question.right.replace("# BEGIN SOLUTION", wait if kind == "slow" else "")
    made = {
        "right": right,
        "slow": right,
        "wrong": question.wrong,
        "unreadable": f"def {question.name}(:",
        "missing": "",
        "unwritten": f'def {question.name}(*args):\n    raise NotImplementedError("{question.name}")',
    }
    text = made[kind] if kind in made else f"def {question.name}(*args):\n    {SPOILED[kind]}"
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip() not in ("", "# END SOLUTION"))


def write_class(
    folder: Path,
    count: int,
    questions: tuple[Question, ...],
    slow: tuple[float, float] = (0.0, 0.0),
    kinds: tuple[tuple[str, ...], ...] = (HONEST, HONEST, WRONG, CRASHING),
) -> None:
    """Notebooks of `count` students, the same every time; `slow` answers take (from, to) seconds a call."""
    folder.mkdir(parents=True)
    for number in range(count):
        draw = random.Random(number)
        cells = [f"# I am student {number}"]
        for question in questions:
            kind = draw.choice(draw.choice(kinds))
            cells.append(answer(question, kind, draw.uniform(*slow)) + f"\n# {number}")
        (folder / f"student{number:04}.ipynb").write_text(notebook(cells))
