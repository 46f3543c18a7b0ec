"""Do gradebooks read what is exported, whatever a student calls themselves?"""

import csv
import importlib
import io
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from saelab import content
from saelab.grade.exports import gradebooks, nbgrader
from saelab.grade.filenames import safe_name
from saelab.grade.pages.labels import labels, visible
from saelab.grade.record import STATUSES, Change, Grade, Record

sys.path.insert(0, str(Path(__file__).parent))
made_up = importlib.import_module("made_up_grades")
NASTY = made_up.NASTY
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


@pytest.fixture(scope="module")
def nasty(tmp_path_factory) -> Path:
    """The exports of a class of which every name is an attack, beside the exports of nobody else."""
    out = tmp_path_factory.mktemp("nasty") / "out"
    gradebooks.write_all([made_up.nasty_record(text) for text in NASTY], out)
    return out


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    gradebooks.write_all(made_up.cohort(), out)
    return out


def rows(path: Path, encoding: str = "utf-8") -> list[dict]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding), newline="")))


def test_two_students_never_share_a_file():
    names = {safe_name(text).casefold() for text in NASTY}
    taken = safe_name("Anna")  # a student who calls himself what another one's file is called
    assert len(names) == len(set(NASTY)) and safe_name(taken) != taken


def test_a_file_name_is_safe_on_every_system():
    for text in [*NASTY, "a.", "-rf", "nul.txt", "COM1", "a" * 61]:
        name = safe_name(text)
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*[a-z0-9]|[a-z0-9]", name) and len(name) <= 73
        assert not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)


def test_an_ordinary_login_is_its_own_file_name():
    assert [safe_name(s) for s in ("jane.doe", "s123456", "x_y-z", "a")] == ["jane.doe", "s123456", "x_y-z", "a"]


def test_nothing_is_written_outside_the_folder(nasty):
    assert {path.name for path in nasty.parent.iterdir()} == {"out"}
    assert {path.name for path in nasty.iterdir()} == {"grades.csv", "canvas.csv", "junit.xml", "gradescope"}
    assert len(list((nasty / "gradescope").iterdir())) == len(set(NASTY))


def test_the_table_has_a_row_a_student_and_a_column_an_exercise(plain):
    table = rows(plain / "grades.csv", "utf-8-sig")
    ids = [exercise.id for exercise in content.exercises()]
    totals = ["earned", "changes", "total", "out_of"]
    assert list(table[0]) == ["student", "name", "submitted", *ids, *totals, *STATUSES, "look_at"]
    ada, bo, cy, di, ed = table
    everything = sum(exercise.points for exercise in content.exercises())
    assert [float(ada[i]) for i in ids] == [exercise.points for exercise in content.exercises()]
    assert float(ada["total"]) == everything == float(ada["out_of"]) and int(ada["passed"]) == len(ids)
    assert float(bo["total"]) == everything / 2 and int(bo["failed"]) == len(ids)
    assert float(cy["total"]) == 0 and int(cy["missing"]) == len(ids)
    assert float(di["changes"]) == -9.25 and float(di["total"]) == everything - 9.25
    assert ed[ids[-1]] == "" and float(ed["out_of"]) < everything
    assert {row["look_at"] for row in table} == {""}


def test_what_could_not_be_read_has_no_points_in_any_gradebook_and_says_why(tmp_path):
    why = "eve.docx is a Word document, which can't be run. Hand in the notebook itself (.ipynb)."
    record = Record("eve", "eve", made_up.grades("not-run", message="It may be in eve.docx."), problems=[why])
    busy = Record(
        "max", "max", [*made_up.grades()[:-1], Grade(content.exercises()[-1].id, "not-run", 0, 2, message="!")]
    )
    gradebooks.write_all([record, busy], tmp_path)
    eve, half = rows(tmp_path / "grades.csv", "utf-8-sig")
    assert {eve[key] for key in ("earned", "total", *(e.id for e in content.exercises()))} == {""}
    assert eve["look_at"] == why and int(eve["not-run"]) == len(content.exercises())
    last = content.exercises()[-1]
    assert half[last.id] == "" != half["total"] and half["look_at"] == f"Not graded: {last.name}. !"
    assert [row["saelab"] == "" for row in rows(tmp_path / "canvas.csv")] == [False, True, False]


@pytest.mark.parametrize("name, encoding", [("grades.csv", "utf-8-sig"), ("canvas.csv", "utf-8")])
def test_no_cell_is_a_formula(nasty, name, encoding):
    cells = [cell for row in csv.reader(io.StringIO((nasty / name).read_text(encoding), newline="")) for cell in row]
    numbers = re.compile(r"-?\d+(\.\d+)?")
    assert [c for c in cells if c[:1] and c.lstrip()[:1] in tuple("=+-@＝") and not numbers.fullmatch(c)] == []
    assert len(rows(nasty / name, encoding)) == len(NASTY) + (name == "canvas.csv")


def test_canvas_finds_its_students_and_its_points(plain):
    head, possible, *students = csv.reader(io.StringIO((plain / "canvas.csv").read_text("utf-8"), newline=""))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "saelab"]
    assert possible[0].strip() == "Points Possible"
    assert float(possible[-1]) == sum(exercise.points for exercise in content.exercises())
    assert [row[:5] for row in students[:1] + students[4:]] == [
        ["Ada Berg", "", "ada", "ada", ""],
        ["Ed Fox", "4711", "", "", ""],  # his number is Canvas's own
    ]
    assert float(students[0][-1]) == float(possible[-1])


def test_a_number_that_is_not_canvas_s_own_is_no_canvas_id(tmp_path):
    gradebooks.write_all([Record("4711", "4711", []), Record("4711", "4711", [], system="moodle")], tmp_path)
    assert [row["ID"] for row in rows(tmp_path / "canvas.csv")] == ["", "", ""]


VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
TEXTS = {"name": str, "output": str, "number": str, "tags": list}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}


def assert_gradescope_reads(results: dict) -> None:
    """The documented fields, types and values of results.json."""
    top = {"score", "execution_time", "output", "visibility", "stdout_visibility", "extra_data", "tests", "leaderboard"}
    top |= {"output_format", "test_output_format", "test_name_format"}
    assert set(results) <= top and isinstance(results["score"], (int, float)) and isinstance(results["output"], str)
    assert {results["visibility"], results["stdout_visibility"]} <= VISIBILITY
    assert {results[key] for key in top & set(results) if key.endswith("format")} <= FORMATS
    for test in results["tests"]:
        assert set(test) <= {"score", "max_score", "status", "visibility", "extra_data", "name_format", *TEXTS}
        assert all(isinstance(test[key], kind) for key, kind in TEXTS.items() if key in test)
        assert 0 <= test["score"] <= test["max_score"] and test["status"] in ("passed", "failed")
        assert test["visibility"] in VISIBILITY and all(isinstance(tag, str) for tag in test["tags"])


def test_gradescope_reads_every_result(nasty, plain):
    for path in [*nasty.glob("gradescope/*/results.json"), *plain.glob("gradescope/*/results.json")]:
        assert_gradescope_reads(json.loads(path.read_text("utf-8")))


def test_gradescope_gets_the_total_and_the_reasons(plain):
    results = json.loads((plain / "gradescope" / "di" / "results.json").read_text("utf-8"))
    assert results["score"] == sum(test["score"] for test in results["tests"]) - 9.25
    assert "−10.25 two days late" in results["output"] and "+1 well told" in results["output"]
    assert [test["number"] for test in results["tests"]] == [content.number(e) for e in content.exercises()]


def test_gradescope_is_told_what_failed_and_why(plain):
    results = json.loads((plain / "gradescope" / "bo" / "results.json").read_text("utf-8"))
    output = results["tests"][0]["output"]
    assert "✓ one thing holds" in output and "✗ agrees with the reference (big-1)" in output
    assert "What happened: The mean is still in it." in output


CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped"},
}
REQUIRED = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}
OPTIONAL = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"skipped"},
    "testcase": {"classname"},
    **dict.fromkeys(("failure", "error", "skipped"), {"type", "message"}),
}


def assert_junit(root: ET.Element) -> None:
    """What Jenkins's schema (junit-10.xsd) allows of the elements used here."""
    for element in root.iter():
        required, optional = REQUIRED.get(element.tag, set()), OPTIONAL.get(element.tag, set())
        assert required <= set(element.attrib) <= required | optional, element.tag
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set()), element.tag
    for suite in root.iter("testsuite"):
        for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped"), (".", "tests")):
            assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{kind}"))


def test_junit_readers_read_every_name(nasty):
    text = (nasty / "junit.xml").read_text("utf-8")
    root = ET.fromstring(text)
    assert not ILLEGAL.search(text) and "&#" not in re.sub("&#(10|9|13);", "", text)
    assert_junit(root)
    assert len(root) == len(NASTY) and len(list(root.iter("testcase"))) == len(NASTY) * len(content.exercises())


def test_junit_counts_what_went_how(plain):
    root = ET.fromstring((plain / "junit.xml").read_text("utf-8"))
    assert_junit(root)
    n = str(len(content.exercises()))
    assert [(s.get("name"), s.get("failures"), s.get("errors"), s.get("skipped")) for s in root[:3]] == [
        ("ada", "0", "0", "0"),
        ("bo", n, "0", "0"),
        ("cy", "0", "0", n),
    ]
    assert len({(c.get("classname"), c.get("name")) for c in root.iter("testcase")}) == int(root.get("tests"))


@pytest.mark.parametrize("status, kind", [("error", "error"), ("timeout", "error"), ("not-run", "error")])
def test_junit_takes_what_could_not_be_judged_for_an_error(status, kind, tmp_path):
    gradebooks.write_all([Record("ada", "Ada", made_up.grades(status))], tmp_path)
    case = next(ET.parse(tmp_path / "junit.xml").iter("testcase"))
    assert case[0].tag == kind and case[0].get("type") == status


def test_an_empty_cohort_gives_empty_files(tmp_path):
    gradebooks.write_all([], tmp_path)
    assert rows(tmp_path / "grades.csv", "utf-8-sig") == [] and len(rows(tmp_path / "canvas.csv")) == 1
    assert len(ET.parse(tmp_path / "junit.xml").getroot()) == 0


def test_an_exercise_that_the_course_has_no_more_is_still_exported(tmp_path):
    records = [Record("ada", "Ada", [Grade("old/gone", "passed", 2, 2)]), *made_up.cohort()]
    gradebooks.write_all(records, tmp_path)
    assert labels(records)[-1].id == "old/gone"
    assert rows(tmp_path / "grades.csv", "utf-8-sig")[0]["old/gone"] == "2"
    assert_gradescope_reads(json.loads((tmp_path / "gradescope" / "ada" / "results.json").read_text()))


def test_a_second_writing_changes_no_byte(tmp_path):
    records = [*made_up.cohort(), *map(made_up.nasty_record, NASTY)]
    written = []
    for _ in range(2):
        gradebooks.write_all(records, tmp_path)
        written.append({path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()})
    assert written[0] == written[1]


def test_changes_never_take_a_total_below_zero(tmp_path):
    gradebooks.write_all([Record("ada", "Ada", made_up.grades("missing"), changes=[Change(-5, "late")])], tmp_path)
    assert rows(tmp_path / "grades.csv", "utf-8-sig")[0]["total"] == "0"
    assert json.loads((tmp_path / "gradescope" / "ada" / "results.json").read_text())["score"] == 0


def test_hidden_characters_are_written_out_and_others_kept():
    assert visible("a\u202eb\x1b\ud800\r\nc") == "a\\u202eb\\x1b\\ud800\nc"
    assert visible("👩\u200d🔬 Zoë\u00a0王\tשלום") == "👩\u200d🔬 Zoë\u00a0王\tשלום"


def nbgrader_accepts(notebook: dict) -> int:
    """The constraints of nbgrader's schema 3 and of its validator; returns how many cells people grade."""
    keys = {"schema_version": int, "grade": bool, "locked": bool, "solution": bool, "task": bool, "points": int}
    keys |= {"grade_id": str, "cell_type": str}
    seen = []
    for cell in notebook["cells"]:
        meta = cell["metadata"].get("nbgrader")
        if meta is None:
            continue
        assert set(meta) == set(keys) and all(type(meta[key]) is kind for key, kind in keys.items())
        assert meta["schema_version"] == 3 and meta["cell_type"] == cell["cell_type"] == "code"
        assert (meta["grade"], meta["solution"], meta["locked"], meta["task"]) == (True, True, False, False)
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", meta["grade_id"]) and meta["points"] >= 0
        seen.append(meta["grade_id"])
    assert len(seen) == len(set(seen))
    return len(seen)


def test_nbgrader_gets_every_exercise_of_the_chapters_as_a_manually_graded_answer(tmp_path):
    chapter = content.chapters()[-1]
    nbgrader.write([chapter], tmp_path)
    paths = sorted((tmp_path / "nbgrader" / "source").glob("*/*.ipynb"))
    assert [(path.parent.name, path.stem) for path in paths] == [(chapter, s.stem) for s in content.sources(chapter)]
    graded = [nbgrader_accepts(json.loads(path.read_text("utf-8"))) for path in paths]
    assert sum(graded) == len(content.exercises(chapter))


def test_nbgrader_is_told_to_run_nothing(tmp_path):
    nbgrader.write([], tmp_path)
    config = defaultdict(SimpleNamespace)
    config_file = (tmp_path / "nbgrader" / "nbgrader_config.py").read_text()
    exec(config_file, {"get_config": lambda: Attributes(config)})
    assert config["Execute"].enabled is False and config["ClearSolutions"].enabled is False


class Attributes:
    """`c.Execute.enabled = …`, as traitlets has it."""

    def __init__(self, sections: dict):
        self.sections = sections

    def __getattr__(self, name: str):
        return self.sections[name]


def test_marking_a_notebook_adds_metadata_and_nothing_else():
    source = content.sources(content.chapters()[0])[1]
    notebook = json.loads(source.path.with_suffix(".ipynb").read_text("utf-8"))
    before, marked = json.dumps(notebook), nbgrader.marked(notebook)
    assert nbgrader_accepts(marked) == len(source.exercises) and json.dumps(notebook) == before
    for cell in marked["cells"]:
        cell["metadata"].pop("nbgrader", None)
    assert json.dumps(marked) == before
