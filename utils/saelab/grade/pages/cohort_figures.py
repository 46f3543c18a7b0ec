"""What a cohort's records say together: counts and means, nothing about how they are shown."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from ..record import Grade, Record
from .labels import Label, labels, tests_of

MANY_HINTS = 2  # from so many tiers on, an exercise that is still not passed counts as a place to be stuck
LOOK = ("timeout", "not-run")  # statuses that may be the machine's fault: a person should look


@dataclass
class Held:
    """A misconception and who holds it."""

    label: Label
    name: str
    text: str
    holders: list[Record] = field(default_factory=list)


@dataclass
class ExerciseFigures:
    """One exercise over all students who were graded on it."""

    label: Label
    graded: int = 0  # students of whom it could be
    statuses: Counter = field(default_factory=Counter)
    earned: float = 0.0
    ran: int = 0  # students whose tests were run
    failing: Counter = field(default_factory=Counter)  # test's sentence → students who fail it
    misconceptions: list[Held] = field(default_factory=list)  # most frequent first
    senders: int = 0  # students of these who sent their progress file
    tiers: int = 0  # of hints, seen by them altogether
    stuck: list[Record] = field(default_factory=list)

    @property
    def passed(self) -> float:
        """Share of the students."""
        return self.statuses["passed"] / self.graded if self.graded else 0.0

    @property
    def mean(self) -> float:
        return self.earned / self.graded if self.graded else 0.0

    @property
    def mean_hints(self) -> float | None:
        """Tiers seen by those who sent the progress file; None if nobody did."""
        return self.tiers / self.senders if self.senders else None


@dataclass
class Figures:
    """The whole cohort."""

    records: list[Record]  # most points first, those that could not be graded last
    exercises: list[ExerciseFigures]
    out_of: int
    look: list[tuple[Label, str, list[Record]]]  # exercise, status, students: what a person should look at

    @property
    def graded(self) -> list[Record]:
        """Those of whose work something could be graded: only their points say anything."""
        return [record for record in self.records if not record.is_ungraded]

    @property
    def with_problems(self) -> list[Record]:
        """Submissions that a person has to look at as a whole."""
        return [record for record in self.records if record.problems]

    @property
    def to_look_at(self) -> int:
        """Students of whom a person should look at something."""
        return len({id(r) for r in self.with_problems} | {id(r) for _, _, records in self.look for r in records})

    @property
    def totals(self) -> list[float]:
        return [record.total for record in self.graded]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.totals) if self.totals else 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.totals) if self.totals else 0.0

    @property
    def senders(self) -> int:
        return sum(bool(record.hints) for record in self.records)

    @property
    def misconceptions(self) -> list[Held]:
        """Of all exercises, the most frequent first."""
        found = [held for exercise in self.exercises for held in exercise.misconceptions]
        return sorted(found, key=lambda held: -len(held.holders))

    @property
    def open_layers(self) -> list[str]:
        """Layers of the jail that did not hold for every submission."""
        return sorted({layer for record in self.records for layer, holds in record.jail.items() if not holds})

    def bins(self, n: int = 10) -> list[int]:
        """Students by share of the points, in n equal steps; the last one includes everything."""
        counts = [0] * n
        for total in self.totals:
            counts[min(n - 1, int(n * total / self.out_of)) if self.out_of else 0] += 1
        return counts


def figures(records: list[Record]) -> Figures:
    """Count everything once."""
    known = labels(records)
    ranked = sorted(records, key=lambda r: (r.is_ungraded, -r.total, r.name.casefold(), r.student))
    counted = {label.id: ExerciseFigures(label) for label in known}
    for record in ranked:
        for grade in record.grades:
            _count(counted[grade.exercise], record, grade)
    for exercise in counted.values():
        exercise.misconceptions.sort(key=lambda held: -len(held.holders))
    return Figures(ranked, list(counted.values()), sum(label.out_of for label in known), _to_look_at(ranked, known))


def _to_look_at(records: list[Record], known: list[Label]) -> list[tuple[Label, str, list[Record]]]:
    """Most students first: where it hit many, the limit may be too tight.

    What was not run because the submission could not be read is told of the submission, once.
    """
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        for grade in record.grades:
            if grade.status in LOOK and not (record.problems and grade.status == "not-run"):
                found.setdefault((grade.exercise, grade.status), []).append(record)
    by_id = {label.id: label for label in known}
    rows = [(by_id[exercise], status, students) for (exercise, status), students in found.items()]
    return sorted(rows, key=lambda row: -len(row[2]))


def _count(exercise: ExerciseFigures, record: Record, grade: Grade) -> None:
    exercise.graded += grade.status != "not-run"
    exercise.statuses[grade.status] += 1
    exercise.earned += grade.points
    exercise.ran += bool(grade.tests)
    exercise.failing.update(test.sentence for test in tests_of(grade) if test.outcome in ("failed", "error"))
    if grade.misconception:
        held = next((held for held in exercise.misconceptions if held.name == grade.misconception), None)
        if held is None:
            held = Held(exercise.label, grade.misconception, grade.diagnosis)
            exercise.misconceptions.append(held)
        held.holders.append(record)
    if record.hints:
        tiers = record.hints.get(grade.exercise, 0)
        exercise.senders += 1
        exercise.tiers += tiers
        if tiers >= MANY_HINTS and grade.status != "passed":
            exercise.stuck.append(record)
