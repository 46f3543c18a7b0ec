"""The canonical record of one graded submission: versioned JSON from which every export is made.

A record holds nothing that differs between two runs with the same seed (no times, no paths), so graded again it
is the same, byte by byte.
"""

import json
import math
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from saelab.files import write_atomically

VERSION = 2
STATUSES = ("passed", "failed", "error", "timeout", "missing", "not-run")


class RecordError(Exception):
    """A record that can't be read: one sentence with what to do."""


@dataclass
class Test:
    """One test of one exercise: `outcome` is passed, failed, error or skipped; `name` as in the check file."""

    name: str
    outcome: str


@dataclass
class Grade:
    """One exercise of one submission.

    passed: full points. failed: ran, and some test did not hold; may have partial credit. error: the cell could not
    be run. timeout: stopped at its time limit. missing: no cell for it, or nothing written in it. not-run: the
    grader never got to it; a person has to look.
    """

    exercise: str  # chapter/name
    status: str
    points: float  # earned, before late policy and adjustments
    out_of: int
    tests: list[Test] = field(default_factory=list)
    message: str = ""  # the first failure: which test, what was called, expected, got, where to look
    misconception: str | None = None
    diagnosis: str = ""  # the misconception in words for the student
    certain: bool = True  # the outcomes are the misconception's; else only the failed tests are
    notes: list[str] = field(default_factory=list)


@dataclass
class Change:
    """Points added or taken away afterwards; `exercise` is empty where it concerns the whole submission."""

    points: float
    why: str
    exercise: str = ""


@dataclass
class Record:
    """One student's graded submission."""

    student: str  # the identity: what the gradebook knows them by
    name: str  # as people read it; the identity where nothing better is known
    grades: list[Grade]
    files: dict[str, str] = field(default_factory=dict)  # name as handed in → sha256
    submitted: str = ""  # ISO time, where known
    hints: dict[str, int] = field(default_factory=dict)  # exercise → tiers seen, where the progress file was sent
    changes: list[Change] = field(default_factory=list)  # late policy, adjustments by hand
    notes: list[str] = field(default_factory=list)  # about the submission as a whole
    problems: list[str] = field(default_factory=list)  # those of the notes that a person has to look at
    grader: dict = field(default_factory=dict)  # saelab's version, hashes of submission and checks, trials
    jail: dict[str, bool] = field(default_factory=dict)  # layer → did it hold; empty where nothing had to be run
    system: str = ""  # canvas, moodle or gradescope, where the identity is a number of theirs
    version: int = VERSION

    @property
    def earned(self) -> float:
        """Points of all exercises, before changes."""
        return sum(grade.points for grade in self.grades)

    @property
    def out_of(self) -> int:
        return sum(grade.out_of for grade in self.grades)

    @property
    def total(self) -> float:
        """Points with late policy and adjustments, never below 0."""
        return max(0.0, round(self.earned + sum(change.points for change in self.changes), 2))

    @property
    def is_ungraded(self) -> bool:
        """Could nothing of it be graded? Then its points say nothing."""
        return bool(self.grades) and all(grade.status == "not-run" for grade in self.grades)

    @property
    def to_look_at(self) -> list[str]:
        """Sentences about what a person has to look at, if anything."""
        found, left = list(self.problems), [grade for grade in self.grades if grade.status == "not-run"]
        if left and not found:
            named = ", ".join(grade.exercise.rpartition("/")[2] for grade in left[:4])
            found.append(f"Not graded: {named}{' …' * (len(left) > 4)}. {left[0].message}")
        return found

    def to_json(self) -> str:
        """The record as text; keys in the order of the fields."""
        return json.dumps(asdict(self) | {"total": self.total, "out_of": self.out_of}, indent=1, ensure_ascii=False)

    def save(self, path: Path) -> None:
        write_atomically(path, self.to_json() + "\n")


def load(path: Path) -> Record:
    """Read a record; raises RecordError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise RecordError(
                f"{path} was written by another version of saelab ({found['version']}; this one writes {VERSION}). "
                "Delete it, or grade into another folder."
            )
        found.pop("total"), found.pop("out_of")
        found["grades"] = [Grade(**{**g, "tests": [Test(**t) for t in g["tests"]]}) for g in found["grades"]]
        found["changes"] = [Change(**change) for change in found["changes"]]
        record = Record(**found)
        if not _fits(record, Record) or any(grade.status not in STATUSES for grade in record.grades):
            raise ValueError
        return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RecordError(f"{path} is damaged or no record of a grade. Delete it and grade again.") from None


@lru_cache
def _kinds(dataclass: type) -> dict[str, Any]:
    return get_type_hints(dataclass)


def _fits(value: Any, kind: Any) -> bool:
    """Is the value, read from a file, of the kind that a dataclass says its field has?"""
    inner = get_args(kind)
    if is_dataclass(kind):
        return type(value) is kind and all(_fits(getattr(value, n), k) for n, k in _kinds(kind).items())  # type: ignore
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(item, inner[0]) for item in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(_fits(item, inner[1]) for item in value.values())
    if inner:
        return any(_fits(value, one) for one in inner)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind
