"""One Report of a check, and how it is shown: in a notebook, in a terminal, as data."""

import html
import os
import re
import traceback
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any

MARKS = {"passed": "✓", "failed": "✗", "error": "!", "skipped": "·"}
COLOURS = {"passed": "#0a8f6a", "failed": "#d1495b", "error": "#d1495b", "skipped": "#7d8590"}
AGREES = "agrees_with_the_reference"
PIECE = re.compile(r"<(.+):\d+>")  # what the code of a submission is called while it runs
PRE = "margin:.2em 0 0 1em;background:transparent;color:inherit;white-space:pre-wrap;word-break:normal"


@dataclass
class TestResult:
    """One test: its name is a sentence, its message says what was expected and what came."""

    name: str
    outcome: str  # passed, failed, error (the check itself broke), skipped (it waits for another part)
    message: str = ""
    part: str = ""  # the part it is about, where the exercise has several

    @property
    def sentence(self) -> str:
        words = self.name.removeprefix("test_").replace("_", " ")
        return words.replace("[", " (").replace("]", ")")  # a parametrized test says its case

    @property
    def is_named(self) -> bool:
        """True for a test that states a fact, not just agreement with the reference."""
        return not self.name.removeprefix("test_").startswith(AGREES)


@dataclass(repr=False)
class Report:
    """What a check found about one implementation of one exercise."""

    exercise: str
    status: str  # passed, failed, error, missing, not-started
    points: int
    tests: list[TestResult] = field(default_factory=list)
    misconception: str | None = None
    diagnosis: str = ""  # the misconception's docstring, told back
    certain: bool = True  # the outputs are the misconception's; else only the failed checks are
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    failing: Any = field(default=None, repr=False, compare=False)  # the call behind the first failure; never stored

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def failures(self) -> list[TestResult]:
        return [t for t in self.tests if t.outcome in ("failed", "error")]

    @property
    def alike(self) -> list[TestResult]:
        """The failures that all stop at the same exception or complaint, if there are several."""
        starts = {re.sub(r"\d+", "#", t.message.partition("\n")[0]) for t in self.failures}
        form = self.failures and not self.failures[0].message.startswith(("Called", "Compared"))
        return self.failures if form and len(starts) == 1 and len(self.failures) > 1 else []

    @property
    def shown(self) -> list[TestResult]:
        """The tests worth listing, part by part: not those that all stop at the same."""
        listed = [t for t in self.tests if t not in self.alike]
        order = list(dict.fromkeys(t.part for t in listed))
        return sorted(listed, key=lambda t: order.index(t.part))

    @property
    def rows(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The list that is shown: part by part, (outcome, text) a line."""
        return [(part, _rows(list(tests))) for part, tests in groupby(self.shown, key=lambda t: t.part)]

    @property
    def first(self) -> tuple[str, str]:
        """What fails first, in a sentence, and the message; empty if nothing does."""
        if not self.failures:
            return "", ""
        test, count = self.failures[0], len(self.alike)
        stops = f"{'Every check stops' if count == len(self.tests) else f'{count} checks stop'} at this:"
        return (stops if count else test.sentence), test.message

    @property
    def args(self) -> tuple:
        """Copies of what the failing call was given; arguments given by name come last."""
        args, kwargs = self._failing_call().inputs()
        return (*args, *kwargs.values())

    def call(self):
        """Make the failing call once more, so that it can be looked into: `report = check(f)`, `report.call()`."""
        return self._failing_call().again()

    def _failing_call(self):
        if self.failing is None:
            raise LookupError("This report has no failing call of a function that could be made again.")
        return self.failing

    @property
    def lead(self) -> str:
        """The words before the diagnosis."""
        return "What happened:" if self.certain else "A common mistake that fails just these checks:"

    @property
    def headline(self) -> str:
        done = sum(t.outcome == "passed" for t in self.tests)
        words = {
            "passed": f"all {len(self.tests)} checks pass. {self.points} point{'s' * (self.points != 1)}.",
            "failed": f"{done} of {len(self.tests)} checks pass.",
            "not-started": "not written yet.",
            "missing": "not found.",
            "error": "could not be checked.",
        }
        return f"{self.exercise}: {words[self.status]}"

    @property
    def brief(self) -> str:
        """The headline with its mark, and the notes."""
        return "\n  ".join([f"{'✓' if self.passed else '·'} {self.headline}", *self.notes])

    def to_dict(self) -> dict:
        data = asdict(replace(self, failing=None))
        del data["failing"]
        return data

    def __str__(self) -> str:
        lines = [f"{'✓' if self.passed else '·' if self.status == 'not-started' else '✗'} {self.headline}"]
        for part, rows in [] if self.passed else self.rows:
            lines += [f"  {part}:"] if part else []
            lines += [f"  {'  ' * bool(part)}{MARKS[outcome]} {text}" for outcome, text in rows]
        what, message = self.first
        if what:
            lines += ["", f"  {what}", *(f"    {line}" for line in message.splitlines())]
        if self.diagnosis:
            lines += ["", f"  {self.lead} {self.diagnosis}"]
        lines += [f"  {line}" for note in self.notes for line in note.split("\n")]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str | None:
        """Colours that hold on light and dark pages; nothing of the student's goes in unescaped.

        None, so that text is shown, where SAELAB_PLAIN is set (builds and tests).
        """
        if os.environ.get("SAELAB_PLAIN"):
            return None
        colour = COLOURS["passed" if self.passed else "skipped" if not self.failures else "failed"]
        rows = ""
        for part, lines in self.rows:
            rows += f"<div style='margin-top:.3em'><code>{html.escape(part)}</code></div>" if part else ""
            rows += "".join(_html_row(*line) for line in lines)
        summary = f"<summary style='cursor:pointer'><b>{_prose(self.headline)}</b></summary>"
        body = f"<details{'' if self.passed else ' open'}>{summary}{rows}</details>"
        what, message = self.first
        if what:
            body += f"<div style='margin-top:.6em'><b>{_prose(what)}</b></div>"
            body += f"<pre style='{PRE}'>{html.escape(message)}</pre>"
        if self.diagnosis:
            body += f"<div style='margin-top:.6em'><b>{self.lead}</b> {_prose(self.diagnosis)}</div>"
        body += "".join(
            f"<div style='margin-top:.4em;opacity:.85;white-space:pre-line'>{_prose(n)}</div>" for n in self.notes
        )
        return f"<div style='border-left:4px solid {colour};padding:.4em .8em;margin:.3em 0'>{body}</div>"


def _rows(tests: list[TestResult]) -> list[tuple[str, str]]:
    """(outcome, text) a line: the tests of a part, or one line where all of them wait for the same."""
    waits = {t.message for t in tests}
    if len(tests) > 1 and len(waits) == 1 and tests[0].outcome == "skipped":
        return [("skipped", f"{len(tests)} checks wait: {_lowered(tests[0].message)}")]
    return [(t.outcome, t.sentence + (f" ({_lowered(t.message)})" if t.outcome == "skipped" else "")) for t in tests]


def _lowered(sentence: str) -> str:
    """A sentence as it stands in brackets."""
    return sentence[:1].lower() + sentence[1:].removesuffix(".")


def _html_row(outcome: str, text: str) -> str:
    faint = {"passed": 0.75, "skipped": 0.6}.get(outcome, 1)
    mark = f"<b style='color:{COLOURS[outcome]}'>{MARKS[outcome]}</b>"
    return f"<div style='opacity:{faint}'>{mark} {_prose(text)}</div>"


def coded(escaped: str) -> str:
    """HTML in which what stands in backticks is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escaped)


def _prose(text: str) -> str:
    """A sentence as HTML."""
    return coded(html.escape(text))


def is_piece(filename: str) -> bool:
    """Is this how a piece of a submission is called, `<place:number>`? Python's own names, as `<string>`, are none."""
    return PIECE.fullmatch(filename) is not None


def in_line(frame: traceback.FrameSummary) -> str:
    """A line of a student's code in words; of a piece with its place, which is a cell, or a script."""
    piece = PIECE.fullmatch(frame.filename)
    name = "" if frame.name == "<module>" else frame.name
    where = " ".join(filter(None, [piece[1], f"({name})" if name else ""])) if piece else frame.name
    return f"in line {frame.lineno} of {where}: {frame.line}"
