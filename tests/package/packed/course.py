"""A course of small exercises whose results are of every type, for trying how answers are packed."""

from pathlib import Path

SETUP = """\
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint
"""
SOLUTIONS = {
    "double": 'def double(x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:\n    return x + x',
    "quadruple": 'def quadruple(x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:\n    return double(double(x))',
    "largest": 'def largest(x: Float[Tensor, "n"]):\n    return int(x.argmax())',
    "phase": "def phase(degrees: float):\n    return 'ice' if degrees < 0 else 'water'",
    "ends": 'def ends(x: Float[Tensor, "n"]):\n    return float(x.min()), float(x.max())',
    "tally": "def tally(words: list):\n    return {w: words.count(w) for w in words}",
    "root": "def root(x: float) -> float:\n    if x < 0:\n        raise ValueError('no')\n    return x**0.5",
    "encode": (
        'def encode(x: Float[Tensor, "n"], key: int) -> Float[Tensor, "n"]:\n    return x + key\n\n\n'
        'def decode(x: Float[Tensor, "n"], key: int) -> Float[Tensor, "n"]:\n    return x - key'
    ),
    "Scale": (
        'class Scale:\n    def __init__(self, weight: Float[Tensor, "n"]):\n        self.weight = weight\n\n'
        '    def forward(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:\n        return x * self.weight'
    ),
}
CHECKS = {
    "double": "x = rng.normal(3)\n    assert_close(double(x), 2 * x)",
    "quadruple": "x = rng.normal(3)\n    assert_close(quadruple(x), 4 * x)",
    "largest": 'x = rng.normal(9)\n    assert largest(x) == int(x.argmax()), "another one"',
    "phase": 'd = rng.integer(-9, 9)\n    assert phase(float(d)) == ("ice" if d < 0 else "water"), "no"',
    "ends": (
        "x = rng.normal(5)\n    low, high = ends(x)\n"
        '    assert low == float(x.min()) and high == float(x.max()), "other ends"'
    ),
    "tally": (
        "words = ['a', 'b', 'a', 'c'][: rng.integer(2, 5)]\n"
        '    assert tally(words) == {w: words.count(w) for w in words}, "other counts"'
    ),
    "root": (
        "n = rng.integer(2, 9)\n    assert_close(root(float(n * n)), float(n))\n"
        "    with pytest.raises(ValueError):\n        root(-1.0)"
    ),
    "encode": (
        "x = rng.normal(4)\n    key = rng.integer(1, 9)\n    assert_close(encode(x, key), x + key)\n"
        "    assert_close(decode(encode(x, key), key), x)"
    ),
    "Scale": "w, x = rng.normal(3), rng.normal(3)\n    assert_close(Scale(w).forward(x), w * x)",
}
CHECK = '''\
"""What is right?"""
import pytest
from torch.testing import assert_close


def test_it_is_right({fixtures}, rng):
    """Look again."""
    {body}
'''


def starter(name: str) -> str:
    """An exercise as the notebook gives it out."""
    lines = [line for line in SOLUTIONS[name].split("\n") if not line.strip() or _is_head(line)]
    return "\n".join(
        f'{line}\n    raise NotImplementedError("{name}")' if line.startswith("def") else line for line in lines
    )


def _is_head(line: str) -> bool:
    return line.lstrip().startswith(("def ", "class "))


def write(root: Path) -> Path:
    """The course as files below `root`."""
    for folder in ("chapters/packing", "tests/packing", "solutions/packing"):
        (root / folder).mkdir(parents=True)
    (root / "chapters/packing/design.md").write_text("# 1 · Packing\n")
    cells = [f"# %% [markdown]\n# # Packing\n\n# %% setup=1\n{SETUP}"]
    for name, text in SOLUTIONS.items():
        cells.append(f'# %% exercise="{name}" points=2 minutes=5\n{_solved(text)}\n\n\n# %%\ncheck({name})\n')
        cells.append("# %% [markdown] hint=1\n# Think.\n")
    (root / "chapters/packing/01_packing.py").write_text("\n".join(cells))
    for name, body in CHECKS.items():
        fixtures = "encode, decode" if name == "encode" else name
        (root / f"tests/packing/test_{name}.py").write_text(CHECK.format(fixtures=fixtures, body=body))
    return root


def _solved(text: str) -> str:
    """With the marks around what a student writes."""
    made, inside = [], False
    for line in text.split("\n"):
        body = bool(line.strip()) and not _is_head(line)
        indent = " " * (len(line) - len(line.lstrip()))
        if body and not inside:
            made.append(f"{indent}# BEGIN SOLUTION")
        if inside and not body:
            made.append(f"{'    ' if made[-1].startswith('    ') else ''}# END SOLUTION")
        made.append(line)
        inside = body
    return "\n".join([*made, "    # END SOLUTION" if inside else ""])
