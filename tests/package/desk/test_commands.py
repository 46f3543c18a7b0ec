"""Do the student's commands do what they say, and is no work ever lost?"""

import json
import subprocess
import sys

import pytest

from saelab import cli, content
from saelab.answers import progress


@pytest.fixture
def folder(small_course, tmp_path, monkeypatch):
    """A student's folder, just started, from notebooks built for the small course."""
    import nbformat

    notebook = nbformat.v4.new_notebook()
    for exercise in content.exercises():
        meta = {"exercise": exercise.name}
        notebook.cells += [
            nbformat.v4.new_code_cell(exercise.starter, metadata=meta, id=exercise.name),
            nbformat.v4.new_code_cell(f"check({exercise.name})", id=f"check-{exercise.name}"),
        ]
    nbformat.write(notebook, small_course / "chapters/small/01_small.ipynb")
    home = tmp_path / "mine"
    assert cli.main(["start", str(home)]) == 0
    monkeypatch.chdir(home)
    return home


def write(folder, name: str, code: str) -> None:
    """Put an answer into the student's notebook."""
    path = folder / "small/01_small.ipynb"
    notebook = json.loads(path.read_text())
    next(c for c in notebook["cells"] if c["metadata"].get("exercise") == name)["source"] = code
    path.write_text(json.dumps(notebook))


def run(capsys, *arguments: str) -> tuple[int, str]:
    status = cli.main(list(arguments))
    output = capsys.readouterr()
    return status, output.out + output.err


RIGHT = "def double(x):\n    return x + x"


def test_a_students_way_from_start_to_pass(folder, capsys):
    assert "Next: 1.1 Doubling, `double` in small/01_small.ipynb" in run(capsys)[1]
    status, text = run(capsys, "check", "double")
    assert status == 1 and "not written yet" in text
    write(folder, "double", "def double(x):\n    return x * x")
    status, text = run(capsys, "check", "double")
    assert status == 1 and "What happened: You squared" in text
    assert "Hint 1 of 2" in run(capsys, "hint", "double")[1]
    assert "Hint 2 of 2" in run(capsys, "hint", "double")[1]
    status, text = run(capsys, "solution", "double")
    assert status == 2 and "have not passed small/double yet" in text and "--give-up" in text
    write(folder, "double", RIGHT)
    assert run(capsys, "check", "double")[0] == 0
    assert "must stay secret" in run(capsys, "solution", "small/double")[1]
    assert "✓ 1.1   small/double" in run(capsys, "status")[1] and "hints 2/2" in run(capsys, "status")[1]
    assert "1/3 exercises, 2/6 points" in run(capsys)[1]


def test_giving_up_shows_the_solution(folder, capsys):
    assert run(capsys, "solution", "double", "--give-up")[0] == 0


def test_check_without_a_name_looks_at_everything(folder, capsys):
    write(folder, "double", RIGHT)
    status, text = run(capsys, "check")
    assert status == 1 and "✓ small/double" in text and "quadruple: not written yet" in text
    reports = json.loads(run(capsys, "check", "--json")[1])
    assert [r["status"] for r in reports] == ["passed", "not-started", "not-started"]


def test_a_second_start_leaves_the_students_notebook_alone(folder, capsys):
    write(folder, "double", RIGHT)
    before = (folder / "small/01_small.ipynb").read_text()
    run(capsys, "start", str(folder))
    assert (folder / "small/01_small.ipynb").read_text() == before


def test_reset_gives_the_starter_back_and_keeps_the_work(folder, capsys):
    write(folder, "double", RIGHT)
    run(capsys, "check", "double")
    status, text = run(capsys, "reset", "double")
    assert status == 0 and "saelab-backups/01_small.1.ipynb" in text
    assert "x + x" in (folder / "saelab-backups/01_small.1.ipynb").read_text()
    assert "not written yet" in run(capsys, "check", "double")[1]
    run(capsys, "reset", "double")
    assert (folder / "saelab-backups/01_small.2.ipynb").exists()


def test_reset_brings_a_deleted_cell_back_to_its_place(folder, capsys):
    path = folder / "small/01_small.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"] = [c for c in notebook["cells"] if c["metadata"].get("exercise") != "quadruple"]
    path.write_text(json.dumps(notebook))
    assert "has no cell for `quadruple`" in run(capsys, "check", "quadruple")[1]
    run(capsys, "reset", "quadruple")
    ids = [c["id"] for c in json.loads(path.read_text())["cells"]]
    assert ids.index("quadruple") == ids.index("check-double") + 1


def test_a_lost_progress_file_is_made_again_by_check(folder, capsys):
    write(folder, "double", RIGHT)
    run(capsys, "check")
    (folder / progress.FILE).unlink()
    assert run(capsys, "start", str(folder))[0] == 0
    run(capsys, "check")
    assert progress.load(folder)[0]["small/double"].status == "passed"


def test_a_corrupt_progress_file_is_kept_aside_and_its_good_lines_survive(folder, capsys):
    write(folder, "double", RIGHT)
    run(capsys, "check", "double")
    path = folder / progress.FILE
    path.write_bytes(path.read_bytes() + b"\xff\xfe garbage\nsmall/quadruple  passed  hints=zzz\n")
    text = run(capsys)[1]
    assert "could not be read; the old file is kept as" in text and "1/3 exercises" in text
    assert b"garbage" in (folder / "saelab-progress.broken.txt").read_bytes()
    assert "could not be read" not in run(capsys)[1]


def test_progress_of_exercises_that_an_update_removed_is_kept(folder, capsys):
    entries, _ = progress.load(folder)
    progress.save(folder, entries | {"old/gone": progress.Entry("passed", 1, "2026-01-01")})
    write(folder, "double", RIGHT)
    run(capsys, "check", "double")
    assert progress.load(folder)[0]["old/gone"].status == "passed"


MISTAKES = {
    ("check", "doubel"): "Did you mean small/double?",
    ("hint", "nothing-like-it"): "There are: small/double, small/quadruple, small/Scale.",
    ("check", "double", "--submission", "none.ipynb"): "There is no file none.ipynb.",
    ("build",): "needs a checkout",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_at_the_command_line_is_one_sentence(command, folder, capsys):
    status, text = run(capsys, *command)
    assert status == 2 and MISTAKES[command] in text and "Traceback" not in text and text.count("\n") == 1


def test_outside_a_course_folder_the_next_step_is_told(small_course, tmp_path, capsys):
    status, text = run(capsys, "status")
    assert status == 2 and "Make one with `saelab start`" in text
    assert "own solutions are checked" in run(capsys, "check", "double")[1]
    (tmp_path / "file").write_text("")
    assert "is a file. Give another name" in run(capsys, "start", str(tmp_path / "file"))[1]


def test_doctor_tells_what_is_wrong_with_a_notebook(folder, capsys):
    assert run(capsys, "doctor")[0] == 0
    (folder / "small/01_small.ipynb").write_text("{")
    status, text = run(capsys, "doctor")
    assert status == 1 and "is not a notebook" in text


@pytest.mark.parametrize("arguments", [["--help"], ["status"], []])
def test_torch_is_not_imported_for_looking_around(arguments, folder):
    code = f"import sys; from saelab import cli\ntry: cli.main({arguments!r})\nexcept SystemExit: pass\n"
    code += "heavy = {'torch', 'jupytext', 'nbformat', 'plotly', 'numpy'} & set(sys.modules); assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, capture_output=True)
