"""What a student has done, in a plain-text file beside their notebooks.

One line an exercise, `superposition/dimensionality  passed  hints=1  2026-11-21`. Lines that can't
be read are kept in a copy and told about; a lost file is made again by `saelab check`. Whoever changes
the file holds its lock meanwhile, so that a notebook and a terminal lose nothing of each other's.
"""

import contextlib
import datetime
import itertools
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saelab import content
from saelab.content import Exercise
from saelab.files import trouble, write_atomically

FILE = "saelab-progress.txt"
HEADER = (
    "# Your progress in saelab: one line an exercise. Plain text, yours to read and to keep.\n"
    "# If it is lost, `saelab check` looks at your notebooks and writes it again.\n"
)
LOCK = ".saelab-progress.lock"
PATIENCE = 10  # seconds to wait for whoever has the lock
LINE = re.compile(r"(\w+/\w+)\s+(passed|started|open)\s+hints=(\d+)\s+(\d{4}-\d\d-\d\d)")


@dataclass
class Entry:
    """One exercise's line: `status` is passed, started or open; `hints` counts the tiers seen."""

    status: str = "open"
    hints: int = 0
    date: str = ""


def folder(start: Path | None = None) -> Path | None:
    """The student's folder: the nearest one upward that has a progress file, or the course's notebooks."""
    here = (start or Path.cwd()).resolve()
    return next((f for f in (here, *here.parents) if os.path.isfile(f / FILE) or _has_notebooks(f)), None)


def _has_notebooks(home: Path) -> bool:
    """Are the course's notebooks here? Those of the course itself don't count."""
    with contextlib.suppress(content.NoCourse, OSError):
        if home == content.root() / "chapters":
            return False
        places = (Path(s.chapter, f"{s.stem}.ipynb") for c in content.chapters() for s in content.sources(c))
        return any(os.path.isfile(home / place) for place in places)
    return False


def status(entries: dict[str, Entry], exercise: Exercise) -> str:
    """passed, started or open: what the folder knows of an exercise."""
    return entries[exercise.id].status if exercise.id in entries else "open"


def passed(entries: dict[str, Entry], exercises: list[Exercise]) -> list[Exercise]:
    """Those of the exercises that are passed."""
    return [e for e in exercises if status(entries, e) == "passed"]


def first_open(entries: dict[str, Entry]) -> Exercise | None:
    """Where to go on: the first exercise of the course that isn't passed; None if all are."""
    return next((e for e in content.exercises() if status(entries, e) != "passed"), None)


def load(home: Path) -> tuple[dict[str, Entry], list[str]]:
    """(entries by exercise id, notes to tell the student). A broken file is copied aside, never lost."""
    path = home / FILE
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return {}, [f"{FILE} is missing. `saelab check` finds out again what passes."]
    entries, broken = {}, []
    for line in text.splitlines():
        match = LINE.fullmatch(line.strip())
        if match:
            entries[match[1]] = Entry(match[2], int(match[3]), match[4])
        elif line.strip() and not line.startswith("#"):
            broken.append(line)
    if not broken:
        return entries, []
    lines = f"{len(broken)} line{'s' * (len(broken) != 1)} of {FILE} could not be read"
    with contextlib.suppress(OSError), locked(home):
        names = itertools.chain([".broken.txt"], (f".broken.{number}.txt" for number in itertools.count(2)))
        copy = next(path.with_suffix(name) for name in names if not path.with_suffix(name).exists())
        copy.write_bytes(path.read_bytes())
        save(home, entries)
        return entries, [f"{lines}; the old file is kept as {copy.name}. Run `saelab check`."]
    return entries, [f"{lines}. Run `saelab check`."]


def save(home: Path, entries: dict[str, Entry]) -> None:
    """Write the file as a whole, or leave the old one. Raises OSError."""
    rows = [f"{name:<44} {e.status:<8} hints={e.hints}  {e.date}" for name, e in sorted(entries.items())]
    write_atomically(home / FILE, HEADER + "\n".join(rows) + ("\n" if rows else ""))


@contextlib.contextmanager
def changing(home: Path) -> Iterator[tuple[dict[str, Entry], list[str]]]:
    """What `load` gives, to be changed in place and written back; nobody else writes meanwhile. Raises OSError."""
    with locked(home):
        entries, notes = load(home) if (home / FILE).exists() else ({}, [])
        yield entries, notes
        save(home, entries)


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder's lock; where there can be none, or somebody keeps it, go on without."""
    from filelock import FileLock

    lock = FileLock(home / LOCK, timeout=PATIENCE, is_singleton=True)  # which its own holder may take again
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):
            stack.enter_context(lock)
        yield


def restore(home: Path) -> bool:
    """Was the file lost? Then there is an empty one now, if it can be written."""
    if (home / FILE).exists():
        return False
    with contextlib.suppress(OSError), changing(home):
        pass
    return True


def record(exercise: str, status: str, home: Path | None = None) -> list[str]:
    """Remember how a check ended (a report's status); returns notes to show. Trouble with the file costs nothing.

    Nothing is remembered where SAELAB_PLAIN is set (builds and tests), nor by a script outside a course folder.
    """
    if os.environ.get("SAELAB_PLAIN"):
        return []
    try:
        home = home or here()
        if home is None:
            return []
        lost = _has_notebooks(home) and restore(home)
        with changing(home) as (entries, notes):
            entry = entries.setdefault(exercise, Entry())
            if status == "passed" or entry.status != "passed":
                entry.status = {"passed": "passed", "failed": "started"}.get(status, entry.status)
                entry.date = datetime.date.today().isoformat()
        return [*notes, *[f"{FILE} was missing. `saelab check` in a terminal finds out what else passes."] * lost]
    except OSError as error:
        return [f"Your progress could not be kept: {trouble(error)}"]


def next_hint(exercise: Exercise, home: Path | None = None) -> int:
    """How many tiers of hints to show now: one more than the last time."""
    try:
        home = home or here()
        if home is None:
            raise FileNotFoundError
        with changing(home) as (entries, _):
            entry = entries.setdefault(exercise.id, Entry())
            seen = entry.hints = min(max(entry.hints, _unkept.get(exercise.id, 0)) + 1, len(exercise.hints))
            entry.date = entry.date or datetime.date.today().isoformat()
        return seen
    except OSError:
        _unkept[exercise.id] = min(_unkept.get(exercise.id, 0) + 1, len(exercise.hints))
        return _unkept[exercise.id]


_unkept: dict[str, int] = {}  # hints shown by this process that no file remembers


def here() -> Path | None:
    """Where to remember: the course folder, or wherever a notebook runs. A script has no such place."""
    return folder() or (Path.cwd() if "IPython" in sys.modules else None)
