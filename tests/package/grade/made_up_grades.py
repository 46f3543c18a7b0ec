"""Records of students who never were, with the names, messages and figures that break exports."""

from saelab import content
from saelab.grade.record import Change, Grade, Record, Test

NASTY = [
    '=HYPERLINK("http://x","grade")',
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\t=1+1",
    "＝1+1",
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "../../x",
    "..",
    "/etc/passwd",
    "C:\\x",
    "con",
    "\u202egnp.exe",
    "a\x00b\x1b[31mc\x7f",
    "\ud800 half a pair",
    "👩\u200d🔬 Zoë Müller",
    "王小明",
    "שלום \u2067x",
    "z\u0301" * 40,
    "x" * 300,
    'two\nlines, "quoted"; and more',
    "]]>",
    "&amp; & &#0;",
    "",
    " ",
    "Anna",
    "anna",
]


def grades(status: str = "passed", chapter: str | None = None, **more) -> list[Grade]:
    """A grade for every exercise of a chapter, or of the course."""
    made = []
    for exercise in content.exercises(chapter):
        tests = [Test("test_one_thing_holds", "passed"), Test("test_agrees_with_the_reference[big-1]", "passed")]
        if status == "failed":
            tests[1].outcome = "failed"
        tests = tests if status in ("passed", "failed") else []
        points = exercise.points * {"passed": 1, "failed": 0.5}.get(status, 0)
        made.append(Grade(exercise.id, status, points, exercise.points, tests, **more))
    return made


def nasty_record(text: str) -> Record:
    """A student whose every word is `text`."""
    found = grades("failed", message=text, diagnosis=text, notes=[text], misconception="keeps_the_mean")
    found[0].tests.append(Test(f"test_{text}", "failed"))
    for grade, status in zip(found[1:], ("passed", "error", "timeout", "missing", "not-run")):
        grade.status = status
    return Record(text, text, found, {text: "0" * 64}, text, {}, [Change(-1, text), Change(0.5, text, text)], [text])


def cohort() -> list[Record]:
    """Five ordinary students: all right, half right, nothing, late, and one of whom only one chapter was graded."""
    first = content.chapters()[0]
    return [
        Record("ada", "Ada Berg", grades(), {"ada.ipynb": "a" * 64}, "2026-11-20T17:42:00+01:00"),
        Record("bo", "Bo Cruz", grades("failed", misconception="keeps_the_mean", diagnosis="The mean is still in it.")),
        Record("cy", "Cy Diaz", grades("missing")),
        Record("di", "Di Ek", grades(), changes=[Change(-10.25, "two days late"), Change(1, "well told")]),
        Record("4711", "Ed Fox", grades("passed", first), system="canvas"),
    ]
