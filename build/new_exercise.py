"""`saelab new CHAPTER/NAME`: the skeleton of an exercise, in its source and beside it its check.

The skeleton is a whole small exercise that passes the audit, so that every change starts from green.
"""

import re
import sys
from pathlib import Path

from saelab import content
from saelab.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]

FIRST_CELLS = """\
# %% [markdown]
# # {title}

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots
"""

BLOCK = '''
# %% [markdown]
# ## A question that {name} answers?
#
# Let the student guess first. Then the idea, with the equation in the letters of the code, and cases
# that can be done in the head.

# %% exercise="{name}" points=2 minutes=15 difficulty=2 importance=3
def {name}(x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch"]:
    """What it returns, with shapes and the source (paper, section).

    >>> {name}(torch.tensor([[1.0, 2.0]]))
    tensor([3.])
    """
    # BEGIN SOLUTION
    return x.sum(dim=1)
    # END SOLUTION


# %%
check({name})

# %% [markdown] hint=1
# A question that points the right way.

# %% [markdown] hint=2
# More of the way.

# %% [markdown] hint=3
# Nearly the answer.

# %% [markdown]
# What it showed, and what it does *not* show.


# %% misconception="{name}"
def sums_over_the_batch(x):
    "What a student who made this mistake should be told."
    return x.sum(dim=0).expand(x.shape[0], -1).sum(dim=1)


# %% alternative="{name}"
def one_row_at_a_time(x):
    return torch.stack([row.sum() for row in x])
'''

CHECK = '''\
"""A question that {name} answers?"""

import torch
from torch.testing import assert_close


def test_a_row_gives_its_sum({name}, rng):
    """Which axis is the batch?"""
    x = rng.normal(3, 5)
    assert_close({name}(x), torch.stack([row.sum() for row in x]), atol=1e-5, rtol=1e-4)


def test_agrees_with_the_reference_on_random_data({name}, reference, rng):
    """Compare one entry by hand."""
    for batch, feats in [(1, 1), (4, 7)]:
        x = rng.normal(batch, feats)
        assert_close({name}(x), reference(x), atol=1e-5, rtol=1e-4)
        assert_close({name}(x.double()), reference(x.double()))
'''


def main(arguments: list[str]) -> int:
    """Write the skeleton; returns the exit status."""
    name, file = arguments
    match = re.fullmatch(r"([a-z]\w*)/([A-Za-z_]\w*)", name)
    if not match:
        print(f"{name!r} is not CHAPTER/NAME, as in superposition/dimensionality.", file=sys.stderr)
        return 2
    chapter, exercise = match.groups()
    folder, check = ROOT / "chapters" / chapter, ROOT / "tests" / chapter / f"test_{exercise}.py"
    known = content.exercises(chapter) if folder.is_dir() else []
    if check.exists() or any(exercise in e.parts for e in known):
        print(f"{name} is there already. Choose another name.", file=sys.stderr)
        return 2
    present = sorted(folder.glob("[0-9]*.py"))
    source = folder / file if file else (present[-1] if present else folder / f"01_{chapter}.py")
    if not re.fullmatch(r"\d\d_\w+\.py", source.name):
        print(f"--file {file!r} is not like 03_pentagon.py.", file=sys.stderr)
        return 2
    for directory in (folder, check.parent):
        directory.mkdir(parents=True, exist_ok=True)
    if not (folder / "design.md").exists():
        write_atomically(folder / "design.md", f"# {1 + len(content.chapters())} · {chapter.capitalize()}\n")
    before = source.read_text(encoding="utf-8") if source.exists() else FIRST_CELLS.format(title=chapter.capitalize())
    write_atomically(source, before.rstrip("\n") + "\n\n" + BLOCK.format(name=exercise))
    write_atomically(check, CHECK.format(name=exercise))
    print(f"Wrote the exercise at the end of {source.relative_to(ROOT)} and its check {check.relative_to(ROOT)}.")
    print(f"Next: fill them in, then saelab audit --exercise {name}, then saelab build.")
    return 0
