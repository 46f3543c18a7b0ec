"""Does a source file read as it is meant, and is a mistake in it told with its place and remedy?"""

import re
from pathlib import Path

import jupytext
import pytest

from saelab import content
from saelab.content import SourceError, read, solution_lines, starter

GOOD = '''\
# %% [markdown]
# # T

# %% exercise="f" points=1 minutes=5
def f(x):
    """Doc."""
    # BEGIN SOLUTION
    y = x
    return y
    # END SOLUTION
'''


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "01_t.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("source", [s for c in content.chapters() for s in content.sources(c)], ids=lambda s: s.stem)
def test_our_reading_of_a_source_is_jupytexts(source):
    theirs = jupytext.reads(source.path.read_text(encoding="utf-8"), fmt="py:percent").cells
    for cell in theirs:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note to itself about blank lines
    assert [(c.kind, c.text, c.meta) for c in source.cells] == [
        (c.cell_type, c.source, dict(c.metadata)) for c in theirs
    ]


def test_the_starter_keeps_signature_and_docstring_and_hides_the_solution(tmp_path):
    exercise = read(write(tmp_path, GOOD)).exercises[0]
    assert exercise.starter == 'def f(x):\n    """Doc."""\n    raise NotImplementedError("f")'
    assert solution_lines(exercise.code) == ["y = x", "return y"]


def test_a_class_may_have_several_solution_blocks():
    code = "class A:\n    def f(self):\n        # BEGIN SOLUTION\n        return 1\n        # END SOLUTION\n"
    code += "    def g(self):\n        # BEGIN SOLUTION\n        return 2\n        # END SOLUTION"
    assert starter(code, "A").count('        raise NotImplementedError("A")') == 2
    assert "return" not in starter(code, "A")


BAD = {
    "text before the first cell": ("x = 1\n" + GOOD, 1, "Start the file"),
    "unknown cell role 'foo'": (GOOD + "\n# %% foo=1\n", 12, "Roles are"),
    "can't read the cell marker": (GOOD + "\n# %% exercise=f points\n", 12, "key=1"),
    "code in a markdown cell": (GOOD + "\n# %% [markdown]\n# fine\nx = 1\n", 12, "Put `# `"),
    "defines no function or class 'g'": (GOOD.replace('"f"', '"g"'), 4, "rename the exercise"),
    "points missing": (GOOD.replace("points=1 ", ""), 4, "Write points="),
    "without its partner": (GOOD.replace("    # END SOLUTION\n", "    # BEGIN SOLUTION\n"), 4, "one BEGIN and one END"),
    "no complete solution block": (GOOD.replace("    # END SOLUTION\n", ""), 4, "Put the solution between"),
    "written a second time (first at line 4)": (GOOD + "\n" + GOOD.split("\n\n", 1)[1], 12, "Rename or remove"),
    "hint=2 where hint=1": (GOOD + "\n# %% [markdown] hint=2\n# h\n", 12, "Number hints"),
    "a hint before any exercise": ("# %% [markdown] hint=1\n# h\n", 1, "below its exercise"),
    "misconception of an unknown exercise 'g'": (
        GOOD + '\n# %% misconception="g"\ndef h(x): ...\n',
        12,
        "below the exercise",
    ),
    "has no docstring": (GOOD + '\n# %% misconception="f"\ndef h(x): ...\n', 12, "should be told"),
    "this cell 2": (GOOD + '\n# %% alternative="f"\ndef h(x): ...\ndef i(x): ...\n', 12, "a cell of its own"),
    "has no part 'z'": (GOOD + '\n# %% alternative="f" part="z"\ndef h(x): ...\n', 12, "Its parts are f"),
    "invalid syntax": (GOOD.replace("y = x", "y = = x"), 8, "Mend the syntax"),
}


@pytest.mark.parametrize("problem", BAD)
def test_a_mistake_is_told_with_file_line_and_remedy(problem, tmp_path):
    text, line, remedy = BAD[problem]
    path = write(tmp_path, text)
    with pytest.raises(SourceError, match=re.escape(problem)) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:{line}: "), str(caught.value)
    assert remedy in str(caught.value)


def test_exercises_are_found_by_id_or_name_and_near_names_are_offered(small_course):
    assert content.find("small/double").id == content.find("double").id == "small/double"
    assert content.number(content.find("quadruple")) == "1.2"
    with pytest.raises(content.UnknownExercise, match="Did you mean small/quadruple"):
        content.find("small/quadrupel")
    with pytest.raises(content.UnknownExercise, match="There is no chapter 'smal'. Did you mean small?"):
        content.sources("smal")


def test_a_chapters_solutions_are_there_by_name(small_course):
    import torch

    small = content.reference("small")
    assert torch.equal(small.quadruple(torch.ones(1, 1)), torch.full((1, 1), 4.0))
    assert dir(small) == ["Scale", "double", "quadruple"]
    with pytest.raises(AttributeError, match="no exercise 'doubel'. Did you mean double"):
        small.doubel  # noqa: B018 – the access is the test
