"""Does an answer stand beside ours, in a terminal of any width and in a notebook, once it passes and not before?"""

import saelab
from saelab.answers import progress
from saelab.desk import compared

HEAD = 'def double(x):\n    """Twice x."""\n'
MINE, OURS = f"{HEAD}    return 2 * x", f"{HEAD}    y = x\n    return x + y"


def test_two_columns_have_the_same_beginning_once_above_them():
    assert compared.beside(MINE, OURS, 60).splitlines() == [
        "def double(x):",
        '    """Twice x."""',
        "",
        "Yours        │ Ours",
        "─────────────┼─────────────",
        "return 2 * x │ y = x",
        "             │ return x + y",
    ]


def test_where_a_line_does_not_fit_they_stand_one_after_the_other_whole():
    long = OURS.replace("y", "y" * 60)
    for ours, width in ((OURS, 20), (long, 60)):
        rest = ours.removeprefix(HEAD)
        text = f"{HEAD}\nYours:\n\n    return 2 * x\n\nOurs:\n\n{rest}"
        assert compared.beside(MINE, ours, width) == text


def test_the_same_answer_is_told_as_that():
    assert compared.beside(OURS, OURS, 80) == f"{OURS}\n\nYours is the same to the letter."


def test_what_only_goes_on_after_ours_is_shown_too():
    for own, ours in ((OURS, HEAD), (HEAD, OURS)):
        for width in (20, 80):
            assert "return x + y" in compared.beside(own, ours, width) and "Yours" in compared.beside(own, ours, width)


def test_the_command_shows_both_after_passing_and_only_ours_before(folder, answer, told, monkeypatch):
    answer("double", "def double(x):\n    return 2 * x  # my own way")
    text = told("solution", "double", "--give-up")[1]
    assert "must stay secret" in text and "my own way" not in text
    told("check", "double")
    for width, mark in (("60", "Yours:"), ("200", "│")):
        monkeypatch.setenv("COLUMNS", width)
        text = told("solution", "double")[1]
        assert "my own way" in text and "must stay secret" in text and mark in text
    (folder / "small/01_small.ipynb").write_text("{")
    assert "must stay secret" in told("solution", "double")[1]


def test_a_notebook_shows_both_in_boxes_that_stand_side_by_side(small_course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress.save(tmp_path, {"small/double": progress.Entry("passed", 0, "2026-01-01")})
    cells = ["", "def double(x):\n    return x", "def double(x):\n    return 2 * x if 1 < 2 else x", "solution(double)"]
    names = {"solution": saelab.solution, "In": cells}
    exec(cells[2], names)
    shown = eval(cells[3], names)
    page = shown._repr_html_()
    assert "<b>Yours</b>" in page and "1 &lt; 2" in page and "<b>Ours</b>" in page and "must stay secret" in page
    assert "Yours:" in shown._repr_markdown_() and "1 < 2" in str(shown)
