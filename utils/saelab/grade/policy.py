"""Late policy and adjustments by hand, in one small file (TOML), as changes that a student can read.

    due = 2026-12-01T23:59:00+01:00
    [late]
    per_day = 10         # percent of the points earned, for each day begun
    grace_minutes = 15   # may be left out
    at_most = 50         # percent; may be left out
    [extensions]         # student = own due date
    ada = 2026-12-05T23:59:00+01:00
    [submitted]          # student = when it was handed in, where the download doesn't tell or is wrong
    bob = 2026-12-02T08:00:00+01:00
    [[adjust]]
    student = "ada"
    exercise = "superposition/gram"  # may be left out
    points = 1
    why = "right idea, a typo in the file"

Students are named as the records name them (`student`).
"""

import datetime
import math
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from saelab import content

from .record import Change, Record

KEYS = ("due", "late", "extensions", "submitted", "adjust")
LATE_KEYS = ("per_day", "grace_minutes", "at_most")
ADJUST_KEYS = ("student", "exercise", "points", "why")
EXAMPLE = "2026-12-01T23:59:00+01:00"
SHOWN = 10  # sentences of a kind
DAY = datetime.timedelta(days=1)
UNKNOWN_TIME = "It is not known when this was handed in, so nothing is taken off for being late."


class PolicyError(Exception):
    """A policy file that can't be used: one sentence with what to do."""


@dataclass(frozen=True)
class Late:
    """Percent of the points earned for each day begun, minutes for free, and the most percent."""

    per_day: float
    grace_minutes: float = 0.0
    at_most: float = 100.0


@dataclass(frozen=True)
class Adjustment:
    """Points for one student; `exercise` is its id, or "" for the submission as a whole."""

    student: str
    points: float
    why: str
    exercise: str = ""


@dataclass(frozen=True)
class Policy:
    """What the file says; an empty one changes nothing."""

    path: Path = Path("policy.toml")
    due: datetime.datetime | None = None
    late: Late | None = None
    extensions: dict[str, datetime.datetime] = field(default_factory=dict)
    submitted: dict[str, datetime.datetime] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()

    def unused(self, records: Iterable[Record]) -> list[str]:
        """A sentence for each student in the file who is in no record."""
        known = {_key(r.student): r for r in records}
        named = [*self.extensions, *self.submitted, *(a.student for a in self.adjustments)]
        names = {key: f"{r.student} ({r.name})" if r.name != r.student else r.student for key, r in known.items()}
        by_name = {_key(r.name): names[key] for key, r in known.items()}
        found = []
        for student in dict.fromkeys(named):
            if student not in known:
                meant = f" Did you mean {by_name[student]}?" if student in by_name else ""
                meant = meant or (content.nearest(student, list(known)) if known else "")
                found.append(f"{self.path.name} names {student}, who has handed in nothing here.{meant}")
        for a in self.adjustments:
            record = known.get(a.student)
            if record and a.exercise and a.exercise not in {grade.exercise for grade in record.grades}:
                found.append(f"{self.path.name} adjusts {a.exercise} of {record.student}, which was not graded here.")
        return found

    def above(self, records: Iterable[Record]) -> list[str]:
        """A sentence for each student who has more points than there are, for an exercise or in all."""
        found = []
        for record in records:
            for grade in record.grades:
                earned = grade.points + sum(c.points for c in record.changes if c.exercise == grade.exercise)
                if earned > grade.out_of:
                    found.append(f"{record.student} has {earned:g} of {grade.out_of} points for {grade.exercise}")
            if record.total > record.out_of:
                found.append(f"{record.student} has {record.total:g} of {record.out_of} points in all")
        more = [f"So it is with {len(found) - SHOWN} more."] * (len(found) > SHOWN)
        end = f" with {self.path.name}. Unless that is meant as a bonus, lower `points` in the adjustment."
        return [f"{start}{end}" for start in found[:SHOWN]] + more


def load(path: Path) -> Policy:
    """Read a policy file; raises PolicyError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise PolicyError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} can't be read ({type(error).__name__}). Save it as plain text in UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError(f"{path} is not TOML: {error}.") from None
    _known_keys(path, "", raw, KEYS)
    late = _late(path, raw["late"]) if "late" in raw else None
    due = _time(path, "due", raw["due"]) if "due" in raw else None
    if late and due is None:
        raise PolicyError(f"{path} has a table [late] but no due date. Add a line: due = {EXAMPLE}")
    extensions = _times(path, "extensions", raw.get("extensions", {}))
    if extensions and late is None:
        raise PolicyError(
            f"{path} has extensions but no table [late], so they do nothing. Add [late] with per_day = 10."
        )
    rows = raw.get("adjust", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise PolicyError(f"{path}: write each adjustment below a line of its own, [[adjust]] in two brackets.")
    adjustments = tuple(_adjustment(path, number, row) for number, row in enumerate(rows, 1))
    return Policy(path, due, late, extensions, _times(path, "submitted", raw.get("submitted", {})), adjustments)


def _known_keys(path: Path, where: str, table: object, known: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise PolicyError(f"{path}: {where} has to be a table, [{where}] with lines below it.")
    for key in table:
        if key not in known:
            place = f" in {where}" if where else ""
            raise PolicyError(f"{path} has an unknown key {key!r}{place}.{content.nearest(key, list(known))}")


def _late(path: Path, table: object) -> Late:
    _known_keys(path, "late", table, LATE_KEYS)
    assert isinstance(table, dict)
    if "per_day" not in table:
        raise PolicyError(f"{path}: [late] says nothing of per_day. Add a line: per_day = 10")
    limits = {"per_day": 100.0, "at_most": 100.0, "grace_minutes": math.inf}
    return Late(**{key: _number(path, f"{key} in late", value, 0.0, limits[key]) for key, value in table.items()})


def _number(path: Path, where: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PolicyError(f"{path}: {where} has to be a number, not {value!r}.")
    if not low <= value <= high:
        limits = f"between {low:g} and {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise PolicyError(f"{path}: {where} has to be {limits}, not {value}.")
    return float(value)


def _time(path: Path, where: str, value: object) -> datetime.datetime:
    if not isinstance(value, datetime.datetime):
        raise PolicyError(f"{path}: {where} has to be a date with a time, without quotes: {EXAMPLE}")
    if value.tzinfo is None:
        raise PolicyError(f"{path}: {where} says no time zone. Write it like this: {EXAMPLE}")
    return value


def _times(path: Path, where: str, table: object) -> dict[str, datetime.datetime]:
    if not isinstance(table, dict):
        raise PolicyError(f"{path}: {where} has to be a table, [{where}] with a line for each student.")
    return {_key(student): _time(path, f"{student} in {where}", value) for student, value in table.items()}


def _adjustment(path: Path, number: int, row: dict) -> Adjustment:
    where = f"adjustment {number}"
    _known_keys(path, where, row, ADJUST_KEYS)
    for key in ("student", "why"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise PolicyError(f'{path}: {where} needs a line {key} = "…".')
    if "points" not in row:
        raise PolicyError(f"{path}: {where} needs a line points = …; less than 0 takes points away.")
    points = _number(path, f"points in {where}", row["points"], -1e6, 1e6)
    exercise = row.get("exercise", "")
    if not isinstance(exercise, str):
        raise PolicyError(f'{path}: exercise in {where} has to be a name, exercise = "chapter/name".')
    try:
        adjusted = content.find(exercise) if exercise else None
    except content.UnknownExercise as error:
        raise PolicyError(f"{path}: {where}: {error}") from None
    if adjusted and abs(points) > adjusted.points:
        raise PolicyError(
            f"{path}: {where} gives {points:g} points for {adjusted.id}, which is worth {adjusted.points}. Write at "
            "most that, or leave out the line exercise = … to change the total."
        )
    exercise = adjusted.id if adjusted else ""
    return Adjustment(_key(row["student"]), points, row["why"].strip(), exercise)


def apply(policy: Policy, record: Record) -> Record:
    """The record with the changes that the policy makes, in place of any earlier ones; the one given stays."""
    student = _key(record.student)
    changes, notes = [], [note for note in record.notes if note != UNKNOWN_TIME]
    submitted = policy.submitted.get(student) or _submitted(record)
    if policy.late and policy.due:
        if submitted is None:
            notes.append(UNKNOWN_TIME)
        else:
            changes += _for_lateness(policy.late, policy.extensions.get(student, policy.due), submitted, record.earned)
    changes += [Change(a.points, a.why, a.exercise) for a in policy.adjustments if a.student == student]
    return replace(record, changes=changes, notes=notes)


def _for_lateness(late: Late, due: datetime.datetime, submitted: datetime.datetime, earned: float) -> list[Change]:
    over = submitted - due
    if over <= datetime.timedelta(minutes=late.grace_minutes):
        return []
    days = -(-over // DAY)
    percent = min(days * late.per_day, late.at_most)
    most = ", which is the most" if days * late.per_day > late.at_most else ""
    why = f"{days} day{'s' * (days != 1)} late (due {due:%Y-%m-%d %H:%M}): −{percent:g} %{most}"
    return [Change(-round(earned * percent / 100, 2) or 0.0, why)]


def _submitted(record: Record) -> datetime.datetime | None:
    try:
        found = datetime.datetime.fromisoformat(record.submitted)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _key(student: str) -> str:
    return unicodedata.normalize("NFC", student).strip()
