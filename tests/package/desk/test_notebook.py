"""Do `check`, `hint` and `solution` in a notebook take what a student gives them, and say what comes next?"""

import pytest

import saelab
from saelab.answers import progress

RIGHT = "def double(x):\n    return x + x"


@pytest.fixture
def cells(small_course, tmp_path, monkeypatch):
    """Run cells as a notebook does: one namespace, with the cells so far in `In`; gives the last line's value."""
    monkeypatch.chdir(tmp_path)
    progress.save(tmp_path, {})
    names = {"check": saelab.check, "hint": saelab.hint, "solution": saelab.solution, "In": [""]}

    def run(cell: str):
        names["In"].append(cell)
        *lines, last = cell.split("\n")
        try:
            exec("\n".join(lines) if lines else "", names)
            return eval(last, names)
        except SyntaxError:
            exec(cell, names) if lines else None

    return run


@pytest.mark.parametrize("call", ['check("double")', 'check("1.1")', 'check("small/double")', "check(double)"])
def test_an_exercise_is_checked_by_name_or_number_too(call, cells):
    cells(RIGHT)
    assert cells(call).passed


def test_what_is_not_defined_yet_is_told(cells):
    assert "There is no function called `double`. Run the cell that defines it." in str(cells('check("1.1")'))


UNKNOWN = {
    "check(print)": "There is no exercise 'print'.",
    'check("dubble")': "Did you mean small/double?",
    'hint("9.9")': "There is no exercise '9.9'.",
    'solution("dubble")': "Did you mean small/double?",
    "check(3)": "Give check the function you wrote",
}


@pytest.mark.parametrize("call", UNKNOWN)
def test_a_name_that_is_none_is_one_sentence(call, cells):
    told = cells(call)
    assert UNKNOWN[call] in str(told) and "not found" not in str(told) and not told.passed


def test_hints_go_by_number(cells):
    assert "Hint 1 of 2" in str(cells('hint("1.1")')) and "Hint 2 of 2" in str(cells("hint('double')"))


def test_passing_says_what_is_next_and_opens_the_solution(cells):
    cells(RIGHT)
    closed = str(cells("solution(double)"))
    assert 'You have not passed small/double yet. Hints you have not seen: 2 (hint("double")).' in closed
    assert "must stay secret" in str(cells("solution(double, give_up=True)"))
    passed = str(cells("check(double)"))
    assert "Next: 1.2 Four times (`quadruple`)." in passed and 'solution("double")' in passed
    assert "must stay secret" in cells("solution(double)")._repr_html_()


def test_a_cell_that_python_could_not_read_is_told_of(cells):
    cells(RIGHT)
    assert "older" not in str(cells("check(double)"))
    with pytest.raises(SyntaxError):
        cells("def double(x):\n    return (x +\n1 +")
    report = str(cells("check(double)"))
    assert "Python could not read the last cell with `double`" in report and "this is your older `double`" in report
    cells(RIGHT)
    assert "older" not in str(cells("check(double)"))


def test_a_lost_progress_file_is_told_of_once(cells, small_course, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small/01_small.ipynb").write_text("{}")
    cells(RIGHT)
    (tmp_path / progress.FILE).unlink()
    assert "saelab-progress.txt was missing" in str(cells("check(double)"))
    assert "was missing" not in str(cells("check(double)"))
    assert progress.load(tmp_path)[0]["small/double"].status == "passed"
