"""Records as files that other programs read: CSV, Canvas, Gradescope, JUnit."""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

from saelab.files import write_atomically

from ..filenames import safe_name
from ..pages.labels import MARKS, WORDS, Label, clipped, labels, lead, one_line, points, signed, tests_of, visible
from ..record import STATUSES, Grade, Record

FORMULAS = "=+-@＝＋－＠"  # what a spreadsheet takes for the start of a formula


def write_all(records: list[Record], out: Path) -> None:
    """Write grades.csv, canvas.csv, junit.xml and gradescope/STUDENT/results.json into `out`."""
    known = labels(records)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "grades.csv", grades_csv(records, known))
    write_atomically(out / "canvas.csv", canvas_csv(records, known))
    write_atomically(out / "junit.xml", junit_xml(records, known))
    for record in records:
        folder = out / "gradescope" / safe_name(record.student)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(gradescope(record, known), indent=1, ensure_ascii=False)
        write_atomically(folder / "results.json", text + "\n")


def grades_csv(records: list[Record], known: list[Label]) -> str:
    """One row a student; an exercise's column has its points before changes, and is empty where it was not graded.

    So are `earned` and `total` of a student of whom nothing could be. `look_at` says what a person has to look at.
    Starts with a byte order mark, without which Excel misreads names; read it as `utf-8-sig`.
    """
    head = ["student", "name", "submitted", *(label.id for label in known), "earned", "changes", "total", "out_of"]
    rows = [[*head, *STATUSES, "look_at"]]
    for record in records:
        grades = {grade.exercise: points(grade.points) for grade in record.grades if grade.status != "not-run"}
        counts = Counter(grade.status for grade in record.grades)
        changes = points(sum(change.points for change in record.changes))
        rows.append(
            [harmless(text) for text in (record.student, record.name, record.submitted)]
            + [grades.get(label.id, "") for label in known]
            + (["", changes, ""] if record.is_ungraded else [points(record.earned), changes, points(record.total)])
            + [points(record.out_of), *(str(counts[status]) for status in STATUSES)]
            + [harmless(" ".join(record.to_look_at))]
        )
    return "\ufeff" + _csv(rows)


def canvas_csv(records: list[Record], known: list[Label], assignment: str = "saelab") -> str:
    """A file for Canvas: Grades → Import.

    Canvas finds a student by `ID` (its own number), else `SIS User ID`, else `SIS Login ID`, else by name. `ID` is
    filled where the submissions were downloaded from Canvas, whose file names have it (doejane_4711_90210_….ipynb);
    otherwise the identity stands in both SIS columns, since it may be the one or the other. `Section` must be there
    and may be empty. The last column becomes a new assignment of the points in the row `Points Possible`; to fill an
    assignment that exists, give its name and number as Canvas's own export has them: `Homework 1 (90210)`. A student of
    whom nothing could be graded has no number there, which leaves the gradebook as it is.
    """
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", one_line(assignment)]
    possible = ["    Points Possible", "", "", "", "", points(sum(label.out_of for label in known))]
    rows = [head, possible]
    for record in records:
        number = record.student if record.system == "canvas" else ""
        sis = "" if number else harmless(record.student)
        total = "" if record.is_ungraded else points(record.total)
        rows.append([harmless(record.name), number, sis, sis, "", total])
    return _csv(rows)


def harmless(text: str) -> str:
    """Text of a student's for a spreadsheet's cell: one line, and no formula."""
    line = one_line(text)
    return f"'{line}" if line[:1] and line[0] in FORMULAS else line


def _csv(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def gradescope(record: Record, known: list[Label]) -> dict:
    """What Gradescope reads from /autograder/results/results.json: one entry an exercise.

    `score` is the total after changes and overrides the sum of the entries. Students see the entries once the
    grades are published: what failed names an input, which those who still work on it should not see.
    """
    changes = [
        f"{signed(change.points)} {one_line(f'{change.exercise}: {change.why}' if change.exercise else change.why)}"
        for change in record.changes
    ]
    by_id = {label.id: label for label in known}
    return {
        "score": record.total,
        "output": "\n".join([*changes, *map(visible, record.notes)]),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "after_published",
        "stdout_visibility": "hidden",
        "extra_data": {"saelab_record": record.version, "earned": record.earned, "out_of": record.out_of},
        "tests": [_gradescope_test(grade, by_id[grade.exercise]) for grade in in_order(record, known)],
    }


def _gradescope_test(grade: Grade, label: Label) -> dict:
    test = {
        "score": grade.points,
        "max_score": grade.out_of,
        "status": "passed" if grade.status == "passed" else "failed",
        "name": f"{label.title} ({label.name})" if label.number else label.name,
        "output": explanation(grade),
        "tags": [label.chapter, grade.status],
        "visibility": "after_published",
    }
    return test | ({"number": label.number} if label.number else {})


def explanation(grade: Grade) -> str:
    """A grade in lines of text: status, what was checked, the first failure, its diagnosis, notes."""
    lines = [f"{WORDS[grade.status].capitalize()}: {points(grade.points)} of {grade.out_of}."]
    lines += [f"{MARKS[test.outcome]} {one_line(test.sentence)}" for test in tests_of(grade)]
    lines += ["", clipped(visible(grade.message))] if grade.message else []
    lines += ["", f"{lead(grade)} {visible(grade.diagnosis)}"] if grade.diagnosis else []
    return "\n".join(lines + [visible(note) for note in grade.notes])


def in_order(record: Record, known: list[Label]) -> list[Grade]:
    """A record's grades in the course's order."""
    by_id = {grade.exercise: grade for grade in record.grades}
    return [by_id[label.id] for label in known if label.id in by_id]


def junit_xml(records: list[Record], known: list[Label]) -> str:
    """A test suite a student, a test case an exercise.

    An exercise that is not answered is skipped; one that could not be run, was stopped or is not graded yet is an
    error. The class name is STUDENT.CHAPTER, by which Jenkins groups.
    """
    root = ET.Element("testsuites", name="saelab")
    by_id = {label.id: label for label in known}
    for record in records:
        grades = in_order(record, known)
        suite = ET.SubElement(root, "testsuite", {"name": one_line(record.student), **_counts(grades)})
        properties = ET.SubElement(suite, "properties")
        for name, value in (("points", record.total), ("out_of", record.out_of)):
            ET.SubElement(properties, "property", name=name, value=points(value))
        package = safe_name(record.student).replace(".", "_")
        for grade in grades:
            label = by_id[grade.exercise]
            case = ET.SubElement(suite, "testcase", name=label.short, classname=f"{package}.{label.chapter}")
            _outcome(case, grade)
    root.attrib |= _counts([grade for record in records for grade in in_order(record, known)])
    del root.attrib["skipped"]  # which the schema has for a suite only
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(grades: list[Grade]) -> dict[str, str]:
    kinds = Counter(_kind(grade) for grade in grades)
    return {
        "tests": str(kinds.total()),
        "failures": str(kinds["failure"]),
        "errors": str(kinds["error"]),
        "skipped": str(kinds["skipped"]),
    }


def _kind(grade: Grade) -> str:
    return {"passed": "passed", "failed": "failure", "missing": "skipped"}.get(grade.status, "error")


def _outcome(case: ET.Element, grade: Grade) -> None:
    kind = _kind(grade)
    if kind == "passed":
        return
    first = one_line(grade.message)[:200] or WORDS[grade.status]
    found = ET.SubElement(case, kind, type=one_line(grade.misconception or grade.status), message=first)
    found.text = explanation(grade)
