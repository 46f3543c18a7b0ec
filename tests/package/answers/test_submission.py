"""Is a student's file read as it was meant, and each trouble in it told without harm to the rest?"""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from saelab import answers, content
from saelab.answers.scripts import parts_of
from saelab.desk import commands

RIGHT = "def double(x):\n    return x + x"
IMPORTS = "import torch\nfrom torch import Tensor"


def notebook(path: Path, *cells, **meta) -> Path:
    """A notebook of code cells; a pair is (text, exercise in the metadata)."""
    made = []
    for cell in cells:
        text, exercise = cell if isinstance(cell, tuple) else (cell, None)
        metadata = {"exercise": exercise} if exercise else {}
        made.append({"cell_type": "code", "source": text.splitlines(keepends=True), "metadata": metadata})
    path.write_text(json.dumps({"cells": made, "metadata": meta, "nbformat": 4, "nbformat_minor": 5}))
    return path


def check(name: str, path: Path):
    return commands.check(content.find(name), answers.read(path))


PASSING = {
    "plain": [IMPORTS, (RIGHT, "double")],
    "without metadata": [IMPORTS, RIGHT],
    "magics and shell lines": ["%matplotlib inline\n!pip install x\nimport math", ("%time 1\n" + RIGHT, "double")],
    "a helper in another cell, and a constant it needs": [
        "TWO = 2\ndef times(x):\n    return x * TWO",
        ("def double(x):\n    return times(x)", "double"),
    ],
    "an own import": ["from math import prod as p", ("def double(x):\n    return x * p([1, 2])", "double")],
    "cells elsewhere that use the answer's local names": [
        "x = nothing_like_it()",
        ("def double(x):\n    y = x\n    return x + y", "double"),
        "y = x = 1 / 0",
    ],
    "a broken cell elsewhere": ["def broken(:\n", (RIGHT, "double")],
    "a cell elsewhere that never ends": ["while True:\n    pass", (RIGHT, "double")],
    "an error behind the definition": [(RIGHT + "\nprint(double(undefined))", "double")],
    "a check inside the cell": [(RIGHT + "\ncheck(double)", "double")],
    "a copied cell, still the starter, below": [
        (RIGHT, "double"),
        ('def double(x):\n    raise NotImplementedError("double")', "double"),
    ],
    "an older try above": [("def double(x):\n    return x", "double"), (RIGHT, "double")],
    "another language": ["%%bash\nrm -rf /nowhere", (RIGHT, "double")],
    "shell lines of several lines, results of commands, questions": [
        "!pip install \\\n    --quiet it's\nfiles = !ls\nfiles?\n?files\n%%time\nTWO = 2",
        ("%%time\nif True:\n    !ls\nsize = %who_ls\ndef double(x):\n    return TWO * x", "double"),
    ],
    "lines that look like magics and are none": [
        ('def double(x):\n    """\n%time\n!ls\nx?\n    """\n    return (x * 7\n    % 7 * 0\n    + x\n+ x)', "double")
    ],
    "a timed definition of a helper": ["%time TWO = 1 + 1", ("def double(x):\n    return TWO * x", "double")],
    "by lambda": ["double = lambda x: x + x"],
    "by partial": ["from functools import partial\ndouble = partial(lambda two, x: two * x, 2)"],
    "a star import": ["from operator import *\nfrom math import *", ("def double(x):\n    return add(x, x)", "double")],
    "a decorator": [
        "import functools\ndef loud(f):\n    @functools.wraps(f)\n    def g(*a):\n        return f(*a)\n    return g",
        ("@loud\ndef double(x):\n    return x + x", "double"),
    ],
    "state of a helper, kept with global": [
        "CALLS = 0",
        "def count():\n    global CALLS\n    CALLS += 1",
        ("def double(x):\n    count()\n    return x + x", "double"),
    ],
    "a table filled in several cells": [
        "TABLE = {}",
        "TABLE['two'] = 1\nTABLE['two'] += 1\nTABLE['other'] = undefined",
        ("def double(x):\n    return TABLE['two'] * x", "double"),
    ],
    "a helper class, with a method set later": [
        "class Base:\n    two = 2\nclass Times(Base):\n    pass",
        "def times(self, x):\n    return self.two * x\nTimes.times = times",
        ("def double(x):\n    return Times().times(x)", "double"),
    ],
    "a helper written again for something else below": [
        "def helper(x):\n    return 2 * x",
        ("def double(x):\n    return helper(x)", "double"),
        "def helper(x):\n    return 5 * x",
    ],
    "a helper mended in a later cell above": [
        "def helper(x):\n    return 5 * x",
        "def helper(x):\n    return 2 * x",
        ("def double(x):\n    return helper(x)", "double"),
    ],
    "helpers only below": [
        ("def double(x):\n    return helper(x)", "double"),
        "def helper(x):\n    return TWO * x\nTWO = 2",
        "del helper",
    ],
    "an own function by a builtin's name, and stray ones": [
        "sum = 0\nfor i in range(3):\n    sum += i\nabs = 7",
        "def pow(x, y):\n    return x * y",
        ("def double(x):\n    return pow(x, 2) + sum([]) * abs(0)", "double"),
    ],
    "two exercises in one cell": [
        (RIGHT + "\ndef quadruple(x):\n    return double(double(x))", "quadruple"),
        ('def double(x):\n    raise NotImplementedError("double")', "double"),
    ],
    "the marked cell emptied, the answer in a new one above": [RIGHT, ("# see above", "double")],
    "a broken second try below": [RIGHT, "def double(x:\n    return"],
    "metadata that is no name": [IMPORTS, (RIGHT, ["double"])],
    "the whole id in the metadata": [(RIGHT, "small/double"), ("def double(x):\n    return 0", "quadruple")],
    "a program's end": [(RIGHT + '\nif __name__ == "__main__":\n    while True:\n        pass', "double")],
    "a line separator and a form feed in strings": [
        "TEXT = 'a\u2028b\x0cc'\nTWO = 2; THREE = 3; FOUR = undefined",
        ("def double(x):\n    return TWO * x", "double"),
    ],
    "half a character": ["# \ud800\nTWO = 2", ("def double(x):\n    '\udfff'\n    return TWO * x", "double")],
    "Windows line ends and tabs": [
        "%matplotlib inline\r\nTWO = \\\r\n  2\r\n",
        ("def double(x):\r\n\treturn TWO * x\r\n", "double"),
    ],
    "type comments": ["TWO = 2  # type: int", ("def double(x):  # type: ignore\n    return TWO * x", "double")],
    "a cell of 600,000 characters elsewhere": ["X = '" + "x" * 600_000 + "'", (RIGHT, "double")],
    "a long table in a cell": ["X = [" + "1, " * 50_000 + "2]", ("def double(x):\n    return X[-1] * x", "double")],
    "await behind the definition": [("import asyncio\n" + RIGHT + "\nawait asyncio.sleep(0)", "double")],
    "what a helper awaits": [
        "async def two():\n    return 2\nTWO = await two()",
        ("def double(x):\n    return TWO * x", "double"),
    ],
    "annotations that are never looked at, thanks to a cell above": [
        "from __future__ import annotations\nimport math",
        ("def double(x: NotThere) -> NorThat:\n    return x + x", "double"),
    ],
    "the same, which a helper needs": [
        "from __future__ import annotations",
        "def times(x: NotThere):\n    return 2 * x",
        ("def double(x):\n    return times(x)", "double"),
    ],
    "the same within the answer's cell": [
        ("from __future__ import annotations\ndef double(x: NotThere):\n    return x + x", "double")
    ],
    "magics without their %": ["ls\npip install -q x", ("pip install einops\n" + RIGHT, "double")],
    "names like those magics": [
        "cd = 1\nls = [2]\nls\nenv = cd",
        ("def double(x):\n    return ls[0] * cd * x", "double"),
    ],
    "a notebook's display above the definition": [("display(3)\n" + RIGHT, "double")],
    "variables by the exercise's name below": [
        (RIGHT, "double"),
        "double = 3\ndouble, other = 1, 2\nfor double in [4]:\n    pass\nwith open('x') as double:\n    pass",
    ],
    "a starter's raise left behind the return": [
        ("def double(x):\n    return 0 * x", None),
        (RIGHT + '\n    raise NotImplementedError("double")', "double"),
    ],
    "a starter's raise commented out": [
        "def double(x):\n    return 0 * x",
        (RIGHT + '\n    # raise NotImplementedError("double")', "double"),
    ],
    "a warning and much output": [("import warnings\nprint('x' * 10**6)\nwarnings.warn('w')\n" + RIGHT, "double")],
}


@pytest.mark.parametrize("name", PASSING)
def test_honest_work_passes_however_the_notebook_looks(name, small_course, tmp_path):
    report = check("double", notebook(tmp_path / "n.ipynb", *PASSING[name]))
    assert report.passed, str(report)


FAILING = {
    "Cell 1 (double) can't be read by Python: '(' was never closed": [("def double(x:\n    return", "double")],
    "n.ipynb has no cell for `double`. Bring it back with `saelab reset small/double`": ["def triple(x): ..."],
    "Cell 1 (double) defines no function `double`": [("def dubble(x):\n    return 2 * x", "double")],
    "Cell 1 (double) raised NameError: name 'y' is not defined": [("y\n" + RIGHT, "double")],
    "Cell 1 (double) starts with `%%writefile`, so Python never runs it. Take that line out": [
        ("%%writefile a.py\n" + RIGHT, "double")
    ],
    "Cell 1 (double) can't be read by Python: it is nested too deeply": [
        ("x = " + "-" * 9000 + "1\n" + RIGHT, "double")
    ],
    "Cell 1 (double) can't be read by Python: it is longer than 500,000 characters": [
        ("#" * 600_000 + RIGHT, "double")
    ],
    "Cell 1 (double) can't be read by Python: source code string cannot contain null bytes": [(RIGHT + "\0", "double")],
    "name 'x' is parameter and global": [("def double(x):\n    global x", "double")],
    "`double` is there 2 times (cells 1, 2); cell 2 counts": [("def double(x):\n    return 2", "double")] * 2,
}


@pytest.mark.parametrize("sentence", FAILING)
def test_trouble_is_one_sentence_and_other_exercises_are_untouched(sentence, small_course, tmp_path):
    path = notebook(tmp_path / "n.ipynb", *FAILING[sentence], ("def quadruple(x):\n    return 4 * x", "quadruple"))
    assert sentence in str(check("double", path))
    assert check("quadruple", path).passed


OTHERS = {
    "the course's own reference": "double = reference('small').double",
    "the course's own reference, with others": "double, quadruple = reference('small').double, 4",
    "a value": "double = lambda_or_not = 3",
    "unpacking": "double, other = (lambda x: x + x), 2",
    "a loop": "for double in [1]:\n    pass",
    "a loop's tuple": "for n, (double, m) in []:\n    pass",
    "an import": "from math import sqrt as double",
    "a context": "with nothing() as double:\n    pass",
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_starter_is_not_written_yet_whatever_else_has_its_name(other, small_course, tmp_path):
    starters = [content.find("double").starter, 'def double(x):\n    raise NotImplementedError("double")  # later']
    for starter in starters:
        for cells in [[(starter, "double"), OTHERS[other]], [OTHERS[other], (starter, "double")]]:
            report = check("double", notebook(tmp_path / "n.ipynb", *cells))
            assert report.status == "not-started", str(report)


def test_what_came_with_the_notebook_is_no_answer(small_course, tmp_path):
    own = "def double(x):\n    return 2 * x"
    path = small_course / "chapters/small/01_small.py"
    path.write_text(path.read_text() + f"\n\n# %%\n{own}\n")
    starter = (content.find("double").starter, "double")
    assert check("double", notebook(tmp_path / "n.ipynb", starter, own)).status == "not-started"
    assert "has no cell for `double`" in str(check("double", notebook(tmp_path / "n.ipynb", own)))
    assert check("double", notebook(tmp_path / "n.ipynb", starter, RIGHT)).passed, "what a student wrote is one"


def test_a_definition_in_another_section_is_that_sections_own_and_a_note_says_so(small_course, tmp_path):
    (small_course / "chapters/small/02_more.py").write_text("# %% [markdown]\n# # More\n")
    home = answers.read(notebook(tmp_path / "01_small.ipynb", (content.find("double").starter, "double")))
    more = answers.read(notebook(tmp_path / "02_more.ipynb", "x = 1", RIGHT))
    report = commands.check(content.find("double"), answers.merge([home, more]))
    assert report.status == "not-started"
    assert "`double` is defined in cell 2 of 02_more.ipynb too" in str(report)


def test_of_two_unfinished_cells_the_one_with_work_in_it_counts(small_course, tmp_path):
    half = RIGHT + '\ndef other(x):\n    raise NotImplementedError("double")'
    path = notebook(tmp_path / "n.ipynb", (half, "double"), (content.find("double").starter, "double"))
    assert check("double", path).passed


@pytest.mark.parametrize("kind, called", [("markdown", "a Markdown cell"), ("raw", "a raw cell")])
@pytest.mark.parametrize("mark", ["double", None])
def test_an_answer_in_a_cell_that_is_no_code_is_told_where_it_is(kind, called, mark, small_course, tmp_path):
    path = notebook(tmp_path / "n.ipynb", "x = 1", (RIGHT, mark), (content.find("double").starter, "double"))
    saved = json.loads(path.read_text())
    saved["cells"][1]["cell_type"] = kind
    path.write_text(json.dumps(saved))
    sentence = f"Cell 2 (double) is {called}, so Python never runs it. Make it a code cell again."
    assert sentence in str(check("double", path))
    del saved["cells"][2]
    path.write_text(json.dumps(saved))
    assert sentence in str(check("double", path))
    path.with_suffix(".py").write_text(f'# %%\nx = 1\n# %% [{kind}] exercise="double"\n{RIGHT}\n')
    assert sentence in str(check("double", path.with_suffix(".py")))


def test_a_text_that_shows_a_definition_is_no_answer(small_course, tmp_path):
    path = notebook(tmp_path / "n.ipynb", f"Write this:\n```python\n{RIGHT}\n```")
    saved = json.loads(path.read_text())
    saved["cells"][0]["cell_type"] = "markdown"
    path.write_text(json.dumps(saved))
    assert "has no cell for `double`" in str(check("double", path))


def test_both_processes_take_the_same_submission(small_course, tmp_path):
    work = answers.read(notebook(tmp_path / "n.ipynb", *PASSING["plain"]))
    assert commands.check(content.find("double"), work, separate=True).passed
    broken = answers.read(notebook(tmp_path / "m.ipynb", ("y\n" + RIGHT, "double")))
    assert "NameError: name 'y'" in str(commands.check(content.find("double"), broken, separate=True))


@pytest.mark.parametrize("text", ["not json at all", '{"nbformat": 4}', "[1, 2]", '{"cells": 3}', "", " \n" * 600])
def test_a_file_that_is_no_notebook_is_one_sentence(text, tmp_path):
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(answers.SubmissionError, match="is not a notebook: .*Download or save it again"):
        answers.read(tmp_path / "n.ipynb")
    with pytest.raises(answers.SubmissionError, match="There is no file"):
        answers.read(tmp_path / "none.ipynb")


SCRIPTS = {
    "percent cells": f"# %%\nimport torch\n# %%\n{RIGHT}\n# %%\nprint('ran')\n",
    "what nbconvert exports": (
        "#!/usr/bin/env python\n# coding: utf-8\n\n# # Title\n\n# In[1]:\n\n\n"
        "get_ipython().run_line_magic('matplotlib', 'inline')\nfiles = get_ipython().getoutput('ls')\nTWO = 2\n\n"
        "# In[ ]:\n\n\nget_ipython().run_cell_magic('time', '', 'def double(x):\\n    return TWO * x\\n')\n"
    ),
    "percent cells with a mark": f'# %% exercise="double"\n{RIGHT}\n# %% [markdown]\n"""\ndef double(x): no\n"""\n',
    "a long text that looks like code at the margin": f'"""\nfrom here\n@all\ndef double(x):\n"""\n{RIGHT}\n',
    "decorators, branches and brackets at the margin": (
        "import functools\n@functools.cache\n\n# why\ndef two(\n):\n    return 2\n"
        "if two() > 3:\n    pass\nelse:\n    THREE = 3\ntry:\n    ONE = undefined\nexcept NameError:\n    ONE = 1\n"
        "def double(x):\n    return two() * x * ONE + THREE * 0\nprint(double(undefined))\nwhile True:\n    pass\n"
    ),
    "a program": f'{RIGHT}\n\nif __name__ == "__main__":\n    while True:\n        pass\n',
    "Windows line ends": f"import math\n\n{RIGHT}\n".replace("\n", "\r\n"),
    "one long script": f"import torch\n\n{RIGHT}\n\ndef broken(:\n    pass\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_read_too(name, small_course, tmp_path):
    (tmp_path / "s.py").write_text(SCRIPTS[name], newline="")
    assert check("double", tmp_path / "s.py").passed


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_any_encoding_is_read(encoding, suffix, small_course, tmp_path):
    code = RIGHT + "  # größer"
    notebook_text = json.dumps({"cells": [{"cell_type": "code", "source": code}]}, ensure_ascii=False)
    path = tmp_path / f"s{suffix}"
    path.write_bytes((notebook_text if suffix == ".ipynb" else code).encode(encoding))
    assert check("double", path).passed
    assert "größer" in answers.read(path).cells[0].text


def test_parts_of_an_exercise_may_be_moved_to_other_cells(small_course, tmp_path):
    path = notebook(tmp_path / "n.ipynb", "def other(x):\n    return x\nOFF = undefined", (RIGHT, "double"))
    exercise = dataclasses.replace(content.find("double"), parts=("double", "other"))
    pieces = answers.read(path).answer(exercise).pieces
    assert [piece.code for piece in pieces][1:] == ["def other(x):\n    return x", RIGHT], "nothing else of that cell"


def test_a_copy_in_another_notebook_does_not_hide_the_marked_cell(small_course, tmp_path):
    home = notebook(tmp_path / "01_small.ipynb", (RIGHT, "double"))
    other = notebook(tmp_path / "z.ipynb", "def double(x):\n    return 0")
    both = answers.merge([answers.read(home), answers.read(other)])
    assert commands.check(content.find("double"), both).passed
    notebook(home, ('def double(x):\n    raise NotImplementedError("double")', "double"))
    notebook(other, RIGHT)
    both = answers.merge([answers.read(home), answers.read(other)])
    assert commands.check(content.find("double"), both).passed, "the only answer that is written counts"


def test_own_modules_that_are_sent_along_can_be_imported(small_course, tmp_path):
    (tmp_path / "my_tools.py").write_text("from my_numbers import TWO\ndef times(x):\n    return TWO * x\n")
    (tmp_path / "my_numbers.py").write_text("TWO = 2\n")
    (tmp_path / "json.py").write_text("no reason to hide the library\n")
    answer = ("def double(x):\n    return times(x)", "double")
    path = notebook(tmp_path / "n.ipynb", "import json\nfrom my_tools import times", answer)
    work = answers.merge([answers.read(file) for file in [path, *sorted(tmp_path.glob("*.py"))]])
    found = work.answer(content.find("double"))
    assert [piece.label for piece in found.pieces][1:] == ["your own modules", "cell 1", "cell 2 (double)"]
    assert "no reason to hide" not in found.pieces[1].code
    assert commands.check(content.find("double"), work).passed


USES = {
    "by name": (["def quadruple(x):\n    return double(double(x))", RIGHT], ["double"]),
    "through a helper": (
        ["def f(x):\n    return double(x)", "def quadruple(x):\n    return f(f(x))", RIGHT],
        ["double"],
    ),
    "in the same cell": ([RIGHT + "\ndef quadruple(x):\n    return double(double(x))"], ["double"]),
    "though the cell is gone": (["def quadruple(x):\n    return double(double(x))"], ["double"]),
    "not where it is a local name": (["def quadruple(x):\n    double = 2 * x\n    return 2 * double", RIGHT], []),
    "not as an attribute": (["def quadruple(x):\n    return x.double()", RIGHT], []),
    "not what stands elsewhere": (["def quadruple(x):\n    return 4 * x", RIGHT, "double(3)"], []),
}


@pytest.mark.parametrize("name", USES)
def test_the_exercises_that_an_answer_calls_are_known_from_its_text(name, small_course, tmp_path):
    written, expected = USES[name]
    work = answers.read(notebook(tmp_path / "n.ipynb", *written))
    assert [e.name for e in work.answer(content.find("quadruple")).uses] == expected


def test_what_the_setup_runs_anyway_is_not_run_twice(small_course, tmp_path):
    written = [
        IMPORTS + "\nfrom torch import sin as Tensor_sin",
        "def double(x: Tensor):\n    return Tensor_sin(x) * torch.pi",
    ]
    answer = answers.read(notebook(tmp_path / "n.ipynb", *written, "Tensor = 3")).answer(content.find("double"))
    assert [piece.code for piece in answer.pieces][1:] == ["from torch import sin as Tensor_sin", written[1]]


HOSTILE = {
    "brackets": "(" * 400_000,
    "minus signs": "-" * 400_000 + "1",
    "attributes": "a" + ".b" * 20_000,
    "calls": "a" + "()" * 20_000,
    "a sum": "1" + "+1" * 20_000,
    "lambdas": "lambda:" * 900 + "1",
    "a condition": "if " + "a+" * 300 + "a:\n    pass",
    "digits": "x = " + "9" * 400_000,
    "indents": "\n".join(" " * i + "if 1:" for i in range(200)),
    "statements": "a;" * 6_000,
    "null bytes": "\0" * 1_000,
    "open strings": "'''" * 99_999,
    "spaces": " " * 400_000 + "=\n" + "a " * 200_000 + "\n%",
    "newlines": "\n" * 400_000 + "%x",
    "questions": "?" * 400_000,
    "quotes": "x = " + "\"'" * 200_000 + "?",
    "escapes": "'" + "\\" * 400_000 + "\n!x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_only_itself_and_little(name, small_course, tmp_path, at_most):
    path = notebook(tmp_path / "n.ipynb", HOSTILE[name], RIGHT, (HOSTILE[name], "quadruple"))
    with at_most(200):
        work = answers.read(path)
        assert not work.answer(content.find("double")).problem
        work.answer(content.find("quadruple"))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_behind_an_answer_in_a_script_costs_only_itself(name, small_course, tmp_path, at_most):
    (tmp_path / "s.py").write_text(RIGHT + "\nx = 1\n" + HOSTILE[name])
    with at_most(200):
        assert not answers.read(tmp_path / "s.py").answer(content.find("double")).problem


def test_what_is_too_much_is_refused_in_a_sentence(small_course, tmp_path, monkeypatch):
    path = notebook(tmp_path / "n.ipynb", *["x = 1"] * 10)
    limits = {"CELLS": "cells", "CODE": "characters of code", "OBJECTS": "too many outputs"}
    for limit, sentence in limits.items():
        with monkeypatch.context() as patch, pytest.raises(answers.SubmissionError, match=sentence):
            patch.setattr(f"saelab.answers.cells.{limit}", 9)
            answers.read(path)
    for limit, sentence in {"STRUCTURE": "too many outputs", "REST": "besides its outputs"}.items():
        with monkeypatch.context() as patch, pytest.raises(answers.SubmissionError, match=sentence):
            patch.setattr("saelab.answers.cells.LARGE", 9)  # then outputs are taken out first
            patch.setattr(f"saelab.answers.cells.{limit}", 9)
            answers.read(path)
    (tmp_path / "s.py").write_text("x = 1\n" * 10)
    for limit in ("SCRIPT", "LINES", "CELLS"):
        with monkeypatch.context() as patch, pytest.raises(answers.SubmissionError, match="Take data|own notebook"):
            patch.setattr(f"saelab.answers.cells.{limit}", 9)
            answers.read(tmp_path / "s.py")
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(answers.SubmissionError, match="nested too deeply"):
        answers.read(path)
    path.write_text('{"cells": ' + "9" * 9_999 + "}")
    with pytest.raises(answers.SubmissionError, match="is not a notebook"):
        answers.read(path)


def test_files_that_would_hang_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "n.ipynb")
    (tmp_path / "m.ipynb").mkdir()
    for name in ("n.ipynb", "m.ipynb"):
        with pytest.raises(answers.SubmissionError, match="can't be read"):
            answers.read(tmp_path / name)


def test_fifty_megabytes_of_outputs_are_read_quickly(small_course, tmp_path, at_most):
    picture = {"output_type": "display_data", "data": {"image/png": "iVBOR" * 200_000}, "metadata": {}}
    made = [{"cell_type": "code", "source": RIGHT, "metadata": {"exercise": "double"}, "outputs": [picture] * 50}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": made}))
    with at_most(200):
        work = answers.read(tmp_path / "n.ipynb")
    assert work.cells[0].text == RIGHT


def test_a_large_notebook_is_read_as_if_it_had_no_outputs(small_course, tmp_path, monkeypatch):
    """In any encoding, with brackets and quotes in its text and its outputs, and figures as lists of numbers."""
    figure = {"output_type": "display_data", "data": {"x": [[n, -n] for n in range(2_000)], "y": '"]} \\'}}
    odd = 'x = [1, {\'outputs\': [2]}]  # "outputs": [ \\" é'
    made = [{"cell_type": "code", "source": odd, "outputs": [figure] * 3, "metadata": {"outputs": [1]}}]
    made += [{"cell_type": "markdown", "source": ["a", "b"]}, {"cell_type": "code", "source": RIGHT, "outputs": []}]
    text = json.dumps({"cells": made}, ensure_ascii=False)
    found = []
    for large, encoding in ((10**9, "utf-8"), (9, "utf-8"), (9, "utf-8-sig"), (9, "utf-16"), (9, "utf-32-le")):
        monkeypatch.setattr("saelab.answers.cells.LARGE", large)
        (tmp_path / "n.ipynb").write_bytes(text.encode(encoding))
        found.append([(cell.number, cell.text, cell.aside) for cell in answers.read(tmp_path / "n.ipynb").cells])
    assert found[0] == [(1, odd, ""), (2, "", "Markdown"), (3, RIGHT, "")] and found == [found[0]] * 5


def test_of_a_script_of_half_a_million_lines_no_more_is_cut_than_may_be(small_course, tmp_path):
    for text in ("1\n" * 500_000, "# %%\n" * 500_000):
        assert len(parts_of(text, 50)) == 51
        (tmp_path / "s.py").write_text(text)
        with pytest.raises(answers.SubmissionError, match="more than 30,000 cells"):
            answers.read(tmp_path / "s.py")


def test_a_script_of_thirty_three_thousand_lines_is_an_answer(small_course, tmp_path):
    flat = "".join(f"value_{n} = [\n  {n},\n]\nprint(value_{n})\n" for n in range(4_000))
    grouped = "".join(f"def helper_{n}(x):\n    y = x + {n}\n    return y * y\n\n\n" for n in range(3_400))
    (tmp_path / "s.py").write_text(flat + grouped + RIGHT)
    assert not answers.read(tmp_path / "s.py").answer(content.find("double")).problem


def test_a_file_run_again_and_again_is_not_copied_without_end(small_course, tmp_path, monkeypatch):
    monkeypatch.setattr("saelab.answers.order.CELLS", 1_000)
    (tmp_path / "helpers.py").write_text("".join(f"x = {n}\n" for n in range(200)))
    notebook(tmp_path / "n.ipynb", *["%run helpers.py\n" * 100] * 20, RIGHT)
    work = answers.merge([answers.read(tmp_path / name) for name in ("n.ipynb", "helpers.py")])
    assert not work.answer(content.find("double")).problem
    assert len(work.order.all) < 2_000, "not 400,000"


def test_a_hundred_thousand_imports_of_nothing_are_not_looked_for(small_course, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("saelab.answers.modules.is_installed", lambda name: asked.append(name))
    cells = [f"import {', '.join(f'a{n}' for n in range(50_000))}\n{RIGHT}"]
    work = answers.read(notebook(tmp_path / "n.ipynb", *cells))
    assert not work.answer(content.find("double")).problem and not asked


# Where an error is: the line as the student sees it, in the cell of a notebook or in the script.

WRONG = "def double(x):\n    y = x\n    return y.nonsense"


def where_it_failed(path, name="double") -> str:
    """What is said of the line that an answer failed in, when it is defined or when it is called."""
    answer = answers.read(path).answer(content.find(name))
    if answer.problem:
        return answer.problem
    try:
        answers.define(answer.pieces, answer.exercise.parts)["double"](1)
    except answers.AnswerError as error:
        return str(error).partition("\n")[2]
    except Exception as error:
        return answers.student_line(error)
    raise AssertionError("nothing failed")


PLACES = {
    "its own cell": ([("# A text\n", ""), (WRONG, "double")], "in line 3 of cell 2 (double): return y.nonsense"),
    "a helper in another cell": (
        [
            "import math\n\n\ndef helper(x):\n    return x.nonsense\n\nlater = 1",
            ("def double(x):\n    return helper(x)", "double"),
        ],
        "in line 5 of cell 1 (helper): return x.nonsense",
    ),
    "a method attached below": (
        [
            "class Box: pass\n",
            "def go(self):\n    return self.gone",
            "Box.go = go",
            "def double(x):\n    return Box().go()",
        ],
        "in line 2 of cell 2 (go): return self.gone",
    ),
    "behind magics and blank lines": (
        [("%%time\n\n!pip install x\ndef double(x):\n\n    return x.nonsense\n", "double")],
        "in line 6 of cell 1 (double): return x.nonsense",
    ),
    "behind a written file": (
        [
            "%%writefile lib.py\ndef helper(x):\n    return x.nonsense",
            "import lib\n\n" + "def double(x):\n    return lib.helper(x)",
        ],
        "in line 2 of lib.py (helper): return x.nonsense",
    ),
    "while the cell runs": ([("TWO = 2\n\nnope()\n" + WRONG, "double")], "in line 3 of cell 1: nope()"),
    "in a helper while the cell runs": (
        ["\ndef helper():\n    return 1 / 0\n", ("A = helper()\n" + WRONG, "double")],
        "in line 3 of cell 1 (helper): return 1 / 0",
    ),
    "what only the compiler finds": ([("x = 1\nreturn x\n" + WRONG, "double")], "in line 2 of cell 1: return x"),
    "the course's own helper": (
        [("import statistics\ndef double(x):\n    return statistics.mean(x)", "double")],
        "in line 3 of cell 1 (double): return statistics.mean(x)",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_an_error_is_told_with_its_cell_and_line_as_they_are_in_the_notebook(case, small_course, tmp_path):
    cells, said = PLACES[case]
    assert where_it_failed(notebook(tmp_path / "n.ipynb", *cells)) == said


SCRIPT_PLACES = {
    "with cells": (f"# %%\n\n\nimport math\n\n# %%\n\n{WRONG}\n", "in line 10 of lab.py (double): return y.nonsense"),
    "without": (f"import math\n\n\n\n{WRONG}\n\n\nlater = 2\n", "in line 7 of lab.py (double): return y.nonsense"),
    "a helper": (
        "\n\ndef helper(x):\n    return x.nonsense\n\n\ndef double(x):\n    return helper(x)\n",
        "in line 4 of lab.py (helper): return x.nonsense",
    ),
    "unreadable": (
        "import math\n\n\ndef double(x):\n    return (\n",
        "Line 4 (double) can't be read by Python: '(' was never closed, in line 5 of lab.py: return (",
    ),
    "unreadable in a cell": (
        "# %%\nimport math\n# %%\n\ndef double(x):\n    return (\n",
        "Cell 2 (double) can't be read by Python: '(' was never closed, in line 6 of lab.py: return (",
    ),
    "before any marker": (f"\n{WRONG}\n# %%\nx = 2\n", "in line 4 of lab.py (double): return y.nonsense"),
    "Windows line ends": (
        f"import math\r\n\r\n{WRONG}\r\n".replace("\n    ", "\r\n    "),
        "in line 5 of lab.py (double): return y.nonsense",
    ),
}


@pytest.mark.parametrize("case", SCRIPT_PLACES)
def test_an_error_in_a_script_is_told_with_the_line_of_the_file(case, small_course, tmp_path):
    script, said = SCRIPT_PLACES[case]
    (tmp_path / "lab.py").write_text(script, newline="")
    assert where_it_failed(tmp_path / "lab.py") == said


def test_an_error_in_a_module_beside_the_notebook_is_told_with_its_line(small_course, tmp_path):
    (tmp_path / "tools.py").write_text("import math\n\n\nTWO = 2\n\n\ndef helper(x):\n    return x.nonsense\n")
    path = notebook(tmp_path / "n.ipynb", ("import tools\ndef double(x):\n    return tools.helper(x)", "double"))
    both = answers.merge([answers.read(path), answers.read(tmp_path / "tools.py")])
    answer = both.answer(content.find("double"))
    with pytest.raises(AttributeError) as raised:
        answers.define(answer.pieces, answer.exercise.parts)["double"](1)
    assert answers.student_line(raised.value) == "in line 8 of tools.py (helper): return x.nonsense"


def test_an_error_inside_the_course_s_own_code_is_told_with_the_student_s_line(small_course, tmp_path):
    source = small_course / "chapters/small/01_small.py"
    source.write_text(
        source.read_text().replace("import torch\n", "import torch\ndef ours(x):\n    return x.gone\n", 1)
    )
    path = notebook(tmp_path / "n.ipynb", ("def double(x):\n    return ours(x)", "double"))
    assert where_it_failed(path) == "in line 2 of cell 1 (double): return ours(x)"


def test_saelab_check_and_a_process_apart_tell_the_same_line(small_course, tmp_path):
    helper = "import math\n\ndef helper(x):\n    return x.nonsense"
    path = notebook(tmp_path / "n.ipynb", helper, ("def double(x):\n    return helper(x)", "double"))
    for separate in (False, True):
        told = str(commands.check(content.find("double"), answers.read(path), separate=separate))
        assert "in line 4 of cell 1 (helper): return x.nonsense" in told


def test_what_happened_while_a_cell_ran_stands_in_lines_of_its_own(small_course, tmp_path):
    told = check("double", notebook(tmp_path / "n.ipynb", ("nope()\n" + RIGHT, "double")))
    assert "\n  Cell 1 (double) raised NameError: name 'nope' is not defined\n  in line 1 of cell 1: nope()" in str(
        told
    )
    assert "white-space:pre-line'>Cell 1 (double) raised NameError" in told._repr_html_()
