"""Do the student's commands do what they say, and is no work ever lost?"""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest

from saelab import cli, content
from saelab.answers import progress
from saelab.desk import watching


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
    assert "Next: 1.1 Doubling (`double` in small/01_small.ipynb)" in run(capsys)[1]
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
    solution = run(capsys, "solution", "small/double")[1]
    assert "must stay secret" in solution and "SOLUTION" not in solution
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


@pytest.mark.parametrize("command", [["check"], ["check", "double"]])
def test_a_progress_file_that_is_gone_is_made_again_from_the_notebooks(command, folder, capsys):
    write(folder, "double", RIGHT)
    write(folder, "quadruple", "def quadruple(x):\n    return 4 * x")
    (folder / progress.FILE).unlink()
    status, text = run(capsys, "status")
    assert status == 0 and "is missing. `saelab check` finds out again what passes." in text
    assert "was missing" in run(capsys, *command)[1]
    entries = progress.load(folder)[0]
    passed = {name for name, entry in entries.items() if entry.status == "passed"}
    assert passed == {"small/double"} if len(command) > 1 else {"small/double", "small/quadruple"}
    assert "was missing" not in run(capsys, "check", "double")[1]


def test_two_broken_progress_files_are_both_kept(folder, capsys):
    for text in ("first rubbish", "second rubbish"):
        (folder / progress.FILE).write_text(text)
        assert "could not be read; the old file is kept as" in run(capsys)[1]
    kept = {path.read_text() for path in folder.glob("saelab-progress.broken*.txt")}
    assert kept == {"first rubbish", "second rubbish"}


def test_two_processes_that_record_at_once_lose_nothing(folder):
    code = "import sys; from saelab.answers import progress; from pathlib import Path\n"
    code += "sys.stdin.read(1)\n"
    code += "for n in range(40): progress.record(f'{sys.argv[1]}/e{n}', 'passed', Path('.'))"
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen([*command, name], cwd=folder, stdin=subprocess.PIPE) for name in ("one", "two")]
    for process in both:
        process.stdin.write(b"go")
        process.stdin.close()
    assert [process.wait() for process in both] == [0, 0]
    assert len(progress.load(folder)[0]) == 80


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
    ("check", "double", "--submission", "x" * 300): "is too long for a name.",
    ("build",): "needs a checkout",
    ("cehck",): "No command cehck. Did you mean check?",
    ("swim",): "No command swim. `saelab --help` lists them all.",
    ("hint",): "The following arguments are required: EXERCISE. `saelab hint --help` shows how.",
    ("check", "--swim"): "Unrecognized arguments: --swim. `saelab --help` shows how.",
    ("check", "9.9"): "There is no exercise '9.9'. There are: small/double,",
    ("check", "double", "--submission", "."): "can't be read: it is no file.",
    ("start", "../" + "x" * 300): "is too long for a name. Choose a shorter one.",
    ("start", "../file/x"): "a part of this path is a file, not a folder. Choose another one.",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_at_the_command_line_is_one_sentence(command, folder, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    status, text = run(capsys, *command)
    assert status == 2 and MISTAKES[command] in text and "Traceback" not in text and text.count("\n") == 1


def test_outside_a_course_folder_the_next_step_is_told(small_course, tmp_path, capsys):
    status, text = run(capsys, "status")
    assert status == 2 and "Make one with `saelab start`" in text
    for command in (["check"], ["check", "double"], ["check", "double", "--json"], ["watch"], ["hint", "double"]):
        status, text = run(capsys, *command)
        assert status == 2 and "This is no course folder. Make one with `saelab start`" in text and "✓" not in text
    (tmp_path / "file").write_text("")
    assert "is a file. Give another name" in run(capsys, "start", str(tmp_path / "file"))[1]


def test_doctor_tells_what_is_wrong_with_a_notebook(folder, capsys):
    assert run(capsys, "doctor")[0] == 0
    (folder / "small/01_small.ipynb").write_text("{")
    status, text = run(capsys, "doctor")
    assert status == 1 and "is not a notebook" in text


@pytest.mark.parametrize("arguments", [["--help"], ["status"], [], ["submit"]])
def test_torch_is_not_imported_for_looking_around(arguments, folder):
    code = f"import sys; from saelab import cli\ntry: cli.main({arguments!r})\nexcept SystemExit: pass\n"
    code += "heavy = {'torch', 'jupytext', 'nbformat', 'plotly', 'numpy'} & set(sys.modules); assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, capture_output=True)


NAMES = {"1.2": ["quadruple"], "small/quadruple": ["quadruple"]}
NAMES |= dict.fromkeys(["small", "1", "01_small", "small/01_small.ipynb"], ["double", "quadruple", "Scale"])


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_goes_by_its_number_and_a_chapter_or_section_by_its_name(name, folder, capsys):
    reports = json.loads(run(capsys, "check", name, "--json")[1])
    assert [report["exercise"] for report in reports] == [f"small/{each}" for each in NAMES[name]]


def test_what_is_suggested_is_near():
    with pytest.raises(content.UnknownExercise, match="Did you mean superposition/gram\\?"):
        content.find("GRAMM")
    with pytest.raises(content.UnknownExercise, match="Did you mean training/topk_loss or training/batch_topk\\?"):
        content.find("topk")
    with pytest.raises(
        content.UnknownExercise, match="^There is no exercise 'banana'. `saelab status` lists them all.$"
    ):
        content.find("banana")


def test_passing_says_what_is_next(folder, capsys):
    write(folder, "double", RIGHT)
    text = run(capsys, "check", "double")[1]
    assert "Next: 1.2 Four times (`quadruple` in small/01_small.ipynb)" in text
    assert "Next:" not in run(capsys, "check", "quadruple")[1]


TROUBLE = {errno.ENOSPC: "the disk is full", errno.EACCES: "may not be read or written by you", errno.EIO: "error"}


@pytest.mark.parametrize("number", TROUBLE)
@pytest.mark.parametrize(
    "command", [["start", "."], ["reset", "double"], ["solution", "double", "--give-up"], ["check"]]
)
def test_a_file_that_cannot_be_written_is_a_sentence(command, number, folder, capsys, monkeypatch):
    write(folder, "double", RIGHT)
    (folder / "small/01_small.ipynb").rename(folder / "small/kept.ipynb") if command[0] == "start" else None

    def fail(**_):
        raise OSError(number, os.strerror(number), "/somewhere/.x.tmp")

    monkeypatch.setattr(tempfile, "mkstemp", fail)
    status, text = run(capsys, *command)
    assert "Traceback" not in text
    if command[0] == "check":
        assert "✓ small/double" in text and "Next: 1.2" in text, "a check is done all the same"
    if command[0] != "solution":
        assert TROUBLE[number] in text and "/somewhere" not in text and (status == 2 or command[0] == "check")


def test_hints_go_on_where_they_cannot_be_remembered(folder, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_unkept", {})
    monkeypatch.setattr(progress, "save", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "")))
    assert ["Hint 1 of 2" in run(capsys, "hint", "double")[1], "Hint 2 of 2" in run(capsys, "hint", "1.1")[1]] == [
        True
    ] * 2


def test_output_that_is_not_utf8_works(folder):
    write(folder, "double", RIGHT)
    for command in ([], ["status"], ["doctor"], ["check", "small"]):
        done = subprocess.run(
            [sys.executable, "-m", "saelab.cli", *command],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            cwd=folder,
        )
        assert b"Traceback" not in done.stderr and done.stdout.isascii() and done.stdout
    assert b"+ small/double: all 3 checks pass" in done.stdout


def test_start_inside_a_course_folder_asks(folder, capsys, monkeypatch):
    status, text = run(capsys, "start")
    assert status == 2 and f"You have a course folder already: {folder}." in text
    assert not (folder / "saelab-course").exists()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for answer, made in {"": False, "n": False, "y": True}.items():
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert run(capsys, "start")[0] == 0
        assert (folder / "saelab-course").exists() == made


@pytest.mark.parametrize("command", [["check"], ["check", "double"]])
def test_ctrl_c_ends_a_check_whose_code_swallows_it(command, folder, capsys, monkeypatch):
    swallow = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
    write(folder, "double", swallow + RIGHT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status, text = run(capsys, *command)
    assert status == 130 and text.endswith("Stopped.\n") and "✓" not in text
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_watching_begins_with_what_is_saved_from_then_on(folder):
    saved = watching.events(folder, pause=0.0)
    write(folder, "double", RIGHT)  # before anybody asks for the first change
    assert next(saved) == [folder / "small/01_small.ipynb"]


def test_watching_follows_a_renamed_copy_and_says_what_it_checks(folder, capsys, monkeypatch):
    copy, original = folder / "small/My copy.ipynb", folder / "small/01_small.ipynb"
    write(folder, "double", RIGHT)
    text = original.read_text()

    def save_two(*_):
        copy.write_text(text)
        (folder / "small/empty.ipynb").write_text('{"cells": []}')
        (folder / "small/broken.ipynb").write_text("{")
        yield sorted(folder.glob("small/[!0]*.ipynb"))

    monkeypatch.setattr(watching, "events", save_two)
    status, text = run(capsys, "watch")
    assert status == 0 and "small/My copy.ipynb\n✓ small/double" in text
    assert "small/empty.ipynb: no exercises in it" in text and "is not a notebook" in text
    assert progress.load(folder)[0]["small/double"].status == "passed"


def test_the_courses_own_folder_is_no_students(small_course, monkeypatch):
    (small_course / "chapters/small/01_small.ipynb").write_text("{}")
    assert progress.folder(small_course / "chapters/small") is None


def test_reset_of_a_strange_notebook_is_a_sentence_and_its_copy_is_to_the_byte(folder, capsys):
    path = folder / "small/01_small.ipynb"
    path.write_text('{"cells": [3]}')
    assert run(capsys, "reset", "double")[0] == 2
    path.write_text('{"worksheets": [{"cells": []}]}')
    status, text = run(capsys, "reset", "double")
    assert status == 2 and "is not a notebook of today's kind. To start it afresh" in text
    data = b'\xef\xbb\xbf{"cells": [{"cell_type": "code", "source": [], "metadata": null}],  "nbformat": 4}'
    path.write_bytes(data)
    assert run(capsys, "reset", "double")[0] == 0
    assert (folder / "saelab-backups/01_small.1.ipynb").read_bytes() == data
    path.unlink(), path.parent.rmdir()
    assert "it is back, fresh" in run(capsys, "reset", "double")[1]


def test_all_hints_can_be_had_at_once(folder, capsys):
    assert "Add it to itself." in run(capsys, "hint", "double", "--all")[1]
    assert "Hint 1 of 2" in run(capsys, "hint", "double")[1], "which counts for nothing"


def test_a_note_about_progress_does_not_turn_a_pass_into_a_failure(folder, capsys, monkeypatch):
    write(folder, "double", RIGHT)
    monkeypatch.setattr(progress, "save", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "", "x")))
    status, text = run(capsys, "check", "double")
    assert status == 0 and "Your progress could not be kept: x lies where nothing can be written." in text
