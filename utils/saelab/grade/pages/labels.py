"""What exports and pages call exercises, statuses and points, and text of a student's made fit to be shown."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from saelab import content, report

from ..record import Grade, Record

WORDS = {
    "passed": "passed",
    "failed": "not passed",
    "error": "could not be run",
    "timeout": "stopped at its time limit",
    "missing": "not answered",
    "not-run": "not graded yet",
}
MARKS = report.MARKS | {"timeout": "…", "missing": "–", "not-run": "?"}
KEPT = (
    "\n\t\u00a0\u3000\u200c\u200d"  # not printable to Python, but at home in text; the last two join emoji and letters
)
LONGEST = 6000  # characters of a message that are shown


@dataclass(frozen=True)
class Label:
    """One exercise as readers know it; `number` is empty where the course has it no more."""

    id: str
    number: str
    title: str
    out_of: int
    hints: int = 0  # tiers that there are

    @property
    def chapter(self) -> str:
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.id.rpartition("/")[2]

    @property
    def short(self) -> str:
        """`1.6 dimensionality`."""
        return f"{self.number} {self.name}".strip()


def labels(records: Iterable[Record]) -> list[Label]:
    """The exercises that any of the records has, in the course's order; those not in the course come last."""
    worth: dict[str, int] = {}
    for record in records:
        for grade in record.grades:
            worth[grade.exercise] = max(grade.out_of, worth.get(grade.exercise, 0))
    known = [
        Label(e.id, content.number(e), e.title, worth.pop(e.id), len(e.hints))
        for e in content.exercises()
        if e.id in worth
    ]
    return known + [Label(name, "", name, out_of) for name, out_of in sorted(worth.items())]


def chapter_title(chapter: str) -> str:
    """`1 · Superposition`."""
    number, title = content.chapter_heading(chapter)
    return title if title == chapter else f"{number} · {title}"


def points(value: float) -> str:
    """`2`, `1.5`, `0.25`: as short as two decimals allow."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def signed(value: float) -> str:
    """`+1` or `−0.5`, with a real minus sign."""
    return f"−{points(-value)}" if value < 0 else f"+{points(value)}"


def visible(text: str) -> str:
    r"""Text with every control, format and unpaired character written out (`\x1b`, `\u202e`).

    What is left can't reverse the direction of a line, end a file or break an encoding.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in KEPT else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """The same without line breaks and tabs."""
    return re.sub(r"[ \n\t]+", " ", visible(text)).strip(" ")


def lead(grade: Grade) -> str:
    """The words before a diagnosis, as in a report."""
    return report.Report(grade.exercise, grade.status, grade.out_of, certain=grade.certain).lead


def tests_of(grade: Grade) -> list[report.TestResult]:
    """The tests with their names as sentences."""
    return [report.TestResult(test.name, test.outcome) for test in grade.tests]


def clipped(text: str) -> str:
    """A message, cut where it is longer than anybody reads."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… ({len(text) - LONGEST} more characters)"


def escaped(text: str) -> str:
    """For HTML, in text and in attributes."""
    return html.escape(visible(text))


def prose(text: str) -> str:
    """For HTML: escaped, with `names` in backticks as code and *words* between stars stressed."""
    return re.sub(r"(?<![\w*])\*(\w[^*<>\n]*\w)\*(?![\w*])", r"<em>\1</em>", report.coded(escaped(text)))


def moment(iso: str) -> str:
    """`20 November 2026, 17:42 (UTC+01:00)`; what is no ISO time stays as it is."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return one_line(iso)
    zone = f" ({time.tzname()})" if time.tzinfo else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"
