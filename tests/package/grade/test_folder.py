"""Is whatever may be wrong with the folder of results one sentence, and nothing in it lost?"""

import contextlib
import errno
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from saelab import cli
from saelab.grade import cohort, command, folder
from saelab.grade.record import Change, Grade, Record, RecordError, load
from saelab.grade.record import Test as OneTest

RIGHT = "def double(x):\n    return x + x\n"


@pytest.fixture
def grade(small_course, tmp_path, monkeypatch, capsys):
    """`saelab grade` on a class of two, with a grader that gives everybody 1 of 2 points at once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class").mkdir()
    for name in ("ada", "bob"):
        (tmp_path / "class" / f"{name}.py").write_text(RIGHT)
    graded = []

    def give_one(entries, out, settings, jobs, given, again=False):
        (out / cohort.RECORDS).mkdir(exist_ok=True)
        for entry in entries:
            if again or not cohort.is_current(out, entry, settings):
                grades = [Grade(name, "failed", 1.0, 2, [OneTest("test_it", "failed")]) for name in settings.exercises]
                record = Record(entry.student, entry.name, grades)
                record.grader = {**settings.fingerprint, "submission": entry.sha256}
                record.save(cohort.record_path(out, entry.student))
                graded.append(entry.student)
        return {}

    monkeypatch.setattr(cohort, "grade", give_one)

    def run(*arguments, expect=0):
        graded.clear()
        code = cli.main(["grade", *map(str, arguments or ("class", "--out", "out"))])
        said = capsys.readouterr()
        assert code == expect and "Traceback" not in said.err, said.err
        return SimpleNamespace(graded=list(graded), said=said.err.strip(), out=tmp_path / "out", shown=said.out)

    return run


def test_the_same_command_again_grades_nothing_again(grade):
    assert grade().graded == ["ada", "bob"]
    again = grade()
    assert again.graded == [] and again.said == ""


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"seed": 3}', '{"seed": ""}', "[" * 100_000, '{"seed": "s", "policy": []}']
)
def test_a_damaged_file_of_settings_is_told_and_nothing_is_graded(grade, text):
    out = grade().out
    (out / folder.SETTINGS).write_text(text)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    told = grade(expect=2)
    assert told.said.startswith("out/grading.json is damaged, and it holds the secret seed of these grades. Put back a")
    assert len(told.said.splitlines()) == 1 and told.graded == []
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_lost_file_of_settings_is_told_and_everything_graded_with_a_new_seed(grade):
    out = grade().out
    (out / folder.SETTINGS).unlink()
    told = grade()
    assert told.graded == ["ada", "bob"] and "grading.json is gone, so everything is graded again" in told.said


POLICY = "[[adjust]]\nstudent = 'ada'\npoints = 0.5\nwhy = 'well told'\n"


def test_a_rerun_without_the_policy_is_one_sentence_and_changes_nothing(grade, tmp_path):
    (tmp_path / "late.toml").write_text(POLICY)
    out = grade("class", "--out", "out", "--policy", "late.toml").out
    ada = cohort.record_path(out, "ada")
    assert load(ada).changes == [Change(0.5, "well told")]
    told = grade(expect=2)
    assert told.said == (
        "out was graded with --policy late.toml. Give that again, or --no-policy to take back its changes."
    )
    assert load(ada).changes == [Change(0.5, "well told")]
    assert "not both" in grade("class", "--out", "out", "--policy", "late.toml", "--no-policy", expect=2).said
    assert grade("class", "--out", "out", "--no-policy").graded == [] and load(ada).changes == []
    assert grade().said == "", "once taken back, it is not asked for any more"


def test_points_above_the_maximum_are_told(grade, tmp_path):
    (tmp_path / "late.toml").write_text(POLICY.replace("0.5", "50"))
    assert (
        "ada has 53 of 6 points in all with late.toml. Unless that is meant as a bonus"
        in grade("class", "--out", "out", "--policy", "late.toml").said
    )


def test_grades_of_other_exercises_are_not_replaced_unless_that_is_asked_for(grade):
    out = grade().out
    told = grade("class", "--out", "out", "--exercise", "double", expect=2)
    assert told.said.startswith(
        "out has grades of 2 other exercises (small/quadruple, small/Scale), which would be lost."
    )
    assert len(load(cohort.record_path(out, "ada")).grades) == 3
    assert grade("class", "--out", "out", "--exercise", "double", "--regrade").graded == ["ada", "bob"]
    assert grade().graded == ["ada", "bob"], "more exercises lose nothing"


DAMAGES = {
    "no text": b"\xff\xfe",
    "empty": b"",
    "half": b'{"version": 2, "student": "ada"',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "other fields": b'{"version": 2, "total": 1, "out_of": 2, "grades": [], "changes": [], "more": 1}',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_graded_again_or_told(grade, damage, tmp_path):
    out = grade().out
    ada = cohort.record_path(out, "ada")
    good = ada.read_bytes()
    ada.write_bytes(DAMAGES[damage])
    assert grade().graded == ["ada"] and ada.read_bytes() == good
    (tmp_path / "class/ada.py").unlink()
    ada.write_bytes(DAMAGES[damage])
    assert grade(expect=1).said == "out/records/ada.json is damaged or no record of a grade. Delete it and grade again."


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"notes": "text"},
        {"hints": {"small/double": "many"}},
        {"grades": [{"exercise": "small/double", "status": "great", "points": 1, "out_of": 2, "tests": []}]},
        {"grades": [{"exercise": "small/double", "status": "passed", "points": "2", "out_of": 2, "tests": []}]},
        {
            "grades": [
                {"exercise": "small/double", "status": "passed", "points": float("nan"), "out_of": 2, "tests": []}
            ]
        },
        {"changes": [{"points": 1, "why": 3}]},
        {"jail": []},
    ],
    ids=str,
)
def test_a_record_with_the_wrong_kind_of_value_is_refused_before_it_is_used(change, tmp_path):
    record = Record("ada", "Ada", [Grade("small/double", "passed", 2, 2)])
    record.save(tmp_path / "ada.json")
    assert load(tmp_path / "ada.json") == record
    (tmp_path / "ada.json").write_text(json.dumps(json.loads(record.to_json()) | change))
    with pytest.raises(RecordError, match="is damaged or no record of a grade"):
        load(tmp_path / "ada.json")


def test_a_record_of_another_version_is_graded_again_or_told(grade, tmp_path):
    ada = cohort.record_path(grade().out, "ada")
    old = ada.read_text().replace('"version": 2', '"version": 1')
    ada.write_text(old)
    assert grade().graded == ["ada"]
    (tmp_path / "class/ada.py").unlink()
    ada.write_text(old)
    told = grade(expect=1).said
    assert told.startswith(
        "out/records/ada.json was written by another version of saelab (1; this one writes 2). Delete"
    )


def test_a_record_under_another_name_is_told_and_counts_once(grade):
    out = grade().out
    (out / "records/copy.json").write_bytes((out / "records/ada.json").read_bytes())
    told = grade(expect=1)
    assert told.said == "out/records/copy.json is a record of ada under another name. Delete or rename it."
    assert (out / "grades.csv").read_text().count("ada") == 2, "as identity and name, once"


def test_a_student_of_an_earlier_run_who_is_not_there_now_is_told(grade, tmp_path):
    grade()
    (tmp_path / "class/bob.py").unlink()
    assert grade().said.startswith("bob: graded earlier, but not in what was given now; still in the gradebook.")
    (tmp_path / "class/bob.py").write_text(RIGHT)
    assert grade("class", "--out", "out", "--only", "ada").said == ""


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_can_t_be_written_is_one_sentence_with_what_to_do(grade, error, monkeypatch):
    from saelab.grade import record

    def refuse(path, text):
        raise OSError(error, "no", str(path))

    monkeypatch.setattr(record, "write_atomically", refuse)
    told = grade(expect=2)
    assert len(told.said.splitlines()) == 1 and "out/records/ada.json" in told.said and told.said.count(". ") >= 1


def test_a_disk_that_fills_up_stops_the_graders_and_what_is_graded_stays(course_folder, tmp_path):
    """With the real graders: the first record is saved, the second is not, and the same command goes on from there."""
    for name in ("ada", "bob"):
        (tmp_path / f"{name}.py").write_text(RIGHT)
    fill = (
        "import errno, sys\nfrom saelab import cli\nfrom saelab.grade import record\nwrite = record.write_atomically\n"
        "def full(path, text):\n    if path.name == 'bob.json':\n"
        "        raise OSError(errno.ENOSPC, 'No space left', str(path))\n    write(path, text)\n"
    )
    start = "sys.exit(cli.main(['grade', 'ada.py', 'bob.py', '--out', 'out', '--jobs', '1', '--exercise', 'double']))"
    runs = []
    for change in ("record.write_atomically = full\n", ""):
        command = [sys.executable, "-c", fill + change + start]
        environment = {**__import__("os").environ, "SAELAB_COURSE": str(course_folder)}
        runs.append(subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True))
        assert "Traceback" not in runs[-1].stderr
        saved = sorted(path.name for path in (tmp_path / "out/records").glob("*.json"))
        assert saved == ["ada.json", "bob.json"][: len(runs)]
    full, again = runs
    assert full.returncode == 2 and "bob.json could not be written: the disk is full. Free some space" in full.stderr
    assert "What is graded already is kept: the same command goes on from there." in full.stderr
    assert again.returncode == 0 and "2 submissions graded." in again.stdout
    assert [g.status for g in load(tmp_path / "out/records/bob.json").grades] == ["passed"]


def test_a_second_grading_into_the_same_folder_waits_for_nobody_and_says_so(grade, tmp_path):
    (tmp_path / "out").mkdir()
    hold = (
        "import sys\nfrom pathlib import Path\nfrom saelab.grade import folder\n"
        "with folder.alone(Path('out')):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": tmp_path}
    with contextlib.closing(Process([sys.executable, "-c", hold], **pipes)) as other:
        assert other.stdout.readline() == b"held\n"
        told = grade(expect=2)
    assert told.said.startswith("Another `saelab grade` is at work in out. Wait until it is done") and told.graded == []
    assert grade().graded == ["ada", "bob"]


class Process(subprocess.Popen):
    """One that ends when it is closed."""

    def close(self) -> None:
        self.communicate(b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "--out", "out"), "There is nothing called nowhere."),
        (("empty", "--out", "out"), "There is no submission to grade: empty is empty. Give notebooks, scripts,"),
        (
            ("class", "--out", "class"),
            "class has the submissions in it. Give another folder for the results: --out DIR.",
        ),
        (
            ("class/essay.docx", "--out", "out"),
            "essay.docx is a Word document, which can't be run. Hand in the notebook",
        ),
        (("class.tar.gz", "--out", "out"), "class.tar.gz is a tar archive, which is not opened here."),
        (("class", "--out", "out", "--seconds", "-1"), "-1 has to be a number above 0"),
        (("class", "--out", "out", "--memory", "inf"), "inf has to be a number above 0"),
        (("class", "--out", "out", "--deadline", "nan"), "nan has to be a number above 0"),
        (("class", "--out", "out", "--trials", "0"), "0 has to be a whole number from 1 on"),
        (("class", "--out", "out", "--jobs", "two"), "two has to be a whole number from 1 on"),
        (("class", "--out", "class/ada.py/out"), "a part of this path is a file, not a folder"),
    ],
)
def test_what_can_t_be_done_is_one_sentence_and_leaves_nothing_behind(grade, arguments, said, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "class/essay.docx").write_bytes(b"PK")
    (tmp_path / "class.tar.gz").write_bytes(b"\x1f\x8b")
    told = grade(*arguments, expect=2)
    assert said in told.said and len(told.said.splitlines()) == 1
    assert not told.out.exists() and told.graded == []


def test_a_path_that_is_not_there_among_others_is_told_twice_and_ends_in_1(grade):
    told = grade("class", "nowhere", "--out", "out", expect=1)
    assert told.graded == ["ada", "bob"] and told.said.splitlines() == ["There is nothing called nowhere."] * 2
    assert command.SHOWN >= 10
