"""A cohort graded: grader processes side by side, each with a warm process; what is done stays done.

The grader processes are forked from this one before it imports anything large. Each writes the record of a submission
as a whole when it is finished, so a run that was killed goes on where it was, and a submission that kills its grader
is tried again and in the end put aside for a person to look at.
"""

import contextlib
import json
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from saelab import content
from saelab.files import trouble

from . import limits
from .filenames import safe_name
from .folder import SETTINGS
from .intake.reading import Entry
from .jail import system
from .record import Grade, Record, RecordError
from .record import load as load_record
from .settings import Settings

RECORDS = "records"
DEATHS = 8  # of grader processes at one submission, until it is put aside
tqdm.monitor_interval = 0  # no thread of its own: this process forks
GRACE = 120.0  # seconds beyond a submission's deadline, until its grader process is taken for stuck


class CohortError(Exception):
    """The cohort can't be graded: one sentence with what to do."""


def record_path(out: Path, student: str) -> Path:
    return out / RECORDS / f"{safe_name(student)}.json"


def is_current(out: Path, entry: Entry, settings: Settings) -> bool:
    """Is there a record of just this submission, by these checks and settings?"""
    try:
        record = load_record(record_path(out, entry.student))
    except RecordError:
        return False
    return record.grader == {**settings.fingerprint, "submission": entry.sha256} and record.student == entry.student


def grade(
    entries: list[Entry], out: Path, settings: Settings, jobs: int, given: list[Path], again: bool = False
) -> dict[str, bool]:
    """Grade what has no current record; returns the layers of the jail. Raises CohortError, KeyboardInterrupt.

    `again` says to grade the others too; a record stays until there is a new one. `given` are the files and folders
    that all submissions are in; no submission may see them.
    """
    (out / RECORDS).mkdir(parents=True, exist_ok=True)
    for half_written in (out / RECORDS).glob(".*.json.*"):  # by a grader that was killed
        half_written.unlink()
    todo = [i for i, entry in enumerate(entries) if again or not is_current(out, entry, settings)]
    if not todo:
        return {}
    jobs = max(1, min(jobs, len(todo)))
    print(estimate(len(todo), jobs, settings), file=sys.stderr, flush=True)
    office = _Office(entries, out, settings, todo, [path.resolve() for path in given])
    try:
        return office.run(jobs)
    finally:
        office.close()


def estimate(count: int, jobs: int, settings: Settings) -> str:
    """How long so many submissions take at most, if not one of them ever ends."""
    rounds = -(-count // jobs)
    each, whole = _spoken(settings.longest), _spoken(rounds * settings.longest)
    return (
        f"{count} submission{'s' * (count != 1)} to grade, {jobs} at a time. Each may take {each} (--seconds, "
        f"--deadline), so this ends after {whole} at the latest; most take seconds."
    )


def _spoken(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 15 min`."""
    minutes = math.ceil(seconds / 60)
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@dataclass
class _Desk:
    """A grader process and what it is at."""

    pid: int
    connection: socket.socket
    ready: bool = False
    at: int | None = None
    since: float = 0.0


class _Office:
    """Hands submissions to the desks and sees to those that die."""

    def __init__(self, entries: list[Entry], out: Path, settings: Settings, todo: list[int], given: list[Path]):
        self.entries, self.out, self.settings, self.given = entries, out, settings, given
        self.queue, self.deaths = deque(todo), dict.fromkeys(todo, 0)
        self.desks: list[_Desk] = []
        self.selector = selectors.DefaultSelector()
        self.layers: dict[str, bool] = {}
        self.failed_starts = 0

    def run(self, jobs: int) -> dict[str, bool]:
        done_before = len(self.entries) - len(self.queue)
        with tqdm(total=len(self.entries), initial=done_before, unit="submission", desc="Grading") as bar:
            for _ in range(jobs):
                self.open_desk()
            while self.desks and (self.queue or any(desk.at is not None for desk in self.desks)):
                for key, _ in self.selector.select(timeout=5):
                    bar.update(self.hear(key.data))
                self.end_stuck()
        return self.layers

    def open_desk(self) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for desk in self.desks:
                desk.connection.close()
            _sit(theirs, self.entries, self.out, self.settings, self.given)
        theirs.close()
        desk = _Desk(pid, ours)
        self.desks.append(desk)
        self.selector.register(ours, selectors.EVENT_READ, desk)

    def hear(self, desk: _Desk) -> int:
        """What a desk says; returns how many submissions are done by it."""
        try:
            data = desk.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            return self.bury(desk)
        message = json.loads(data)
        if "refused" in message:
            raise CohortError(message["refused"])
        if "unsaved" in message:
            raise CohortError(
                f"{message['unsaved']} What is graded already is kept: the same command goes on from there."
            )
        done = desk.ready
        if not desk.ready:
            self.layers, desk.ready, self.failed_starts = message["layers"], True, 0
        elif "failed" in message:
            assert desk.at is not None
            self.put_aside(desk.at, _reason(message["failed"]))
        desk.at = None
        self.give_work(desk)
        return int(done)

    def give_work(self, desk: _Desk) -> None:
        if self.queue:
            desk.at, desk.since = self.queue.popleft(), time.monotonic()
            with contextlib.suppress(OSError):  # a desk that just died is heard of next
                desk.connection.sendall(f"{desk.at}\n".encode())

    def bury(self, desk: _Desk) -> int:
        """A desk has died: open another one, and try its submission again, a few times.

        Not where its processor time was up: that would take as long again.
        """
        status = self.dismiss(desk)
        done = 0
        if desk.at is None and not desk.ready:
            self.failed_starts += 1
            if self.failed_starts > DEATHS:
                raise CohortError("The grader's processes end before they are ready. Is there enough memory?")
        elif desk.at is not None:
            self.deaths[desk.at] += 1
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
                self.put_aside(desk.at, f"It took more than {limits.CPU} s of the grader's own time.")
                done = 1
            elif self.deaths[desk.at] < DEATHS:
                self.queue.appendleft(desk.at)
            else:
                self.put_aside(desk.at, "The grader ended at this submission again and again.")
                done = 1
        if self.queue:
            self.open_desk()
        return done

    def put_aside(self, at: int, why: str) -> None:
        """A record that says that nobody graded this."""
        entry = self.entries[at]
        exercises = [content.find(name) for name in self.settings.exercises]
        grades = [Grade(e.id, "not-run", 0, e.points, message=f"{why} A person has to look.") for e in exercises]
        record = Record(entry.student, entry.name, grades, dict(entry.hashes), entry.submitted)
        record.notes, record.problems, record.system = list(entry.notes), list(entry.problems), entry.system
        record.grader = {**self.settings.fingerprint, "submission": entry.sha256}
        record.save(record_path(self.out, entry.student))

    def end_stuck(self) -> None:
        late = time.monotonic() - self.settings.deadline - GRACE
        for desk in self.desks:
            if desk.at is not None and desk.since < late:
                os.kill(desk.pid, signal.SIGKILL)

    def dismiss(self, desk: _Desk) -> int:
        """Close it and wait for its end; returns the status with which it ended."""
        self.selector.unregister(desk.connection)
        self.desks.remove(desk)
        desk.connection.close()
        return os.waitpid(desk.pid, 0)[1]

    def close(self) -> None:
        for desk in list(self.desks):
            with contextlib.suppress(OSError):
                os.kill(desk.pid, signal.SIGKILL)
            self.dismiss(desk)
        self.selector.close()


def _sit(connection: socket.socket, entries: list[Entry], out: Path, settings: Settings, given: list[Path]) -> None:
    """The life of a grader process: say which layers hold, then grade what is asked for. Never returns."""
    with contextlib.suppress(OSError):
        system.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the office ends it
    limits.lift()

    def say(**message) -> None:
        connection.sendall(json.dumps(message).encode())

    try:
        from .grader import Grader
        from .jail.keeper import JailError

        with Grader(settings, [out.resolve(), *given]) as grader:
            try:
                say(layers=grader.probe(_secrets(out, given, settings)))
            except JailError as error:
                say(refused=str(error))
                return
            limits.limit_memory(limits.MEMORY)
            for number in _lines(connection):
                limits.limit_cpu(limits.CPU)
                try:
                    record = grader.grade(entries[int(number)])
                except Exception as error:
                    say(failed=f"{type(error).__name__}: {str(error)[:300]}")
                    continue
                try:
                    record.save(record_path(out, record.student))
                except OSError as error:  # a full disk is nobody's answer
                    say(unsaved=trouble(error))
                    return
                say(done=True)
    except OSError:
        pass  # the office is gone
    finally:
        os._exit(0)


def _reason(failed: str) -> str:
    """Why a submission was put aside, from what the grader process has met there."""
    if failed.startswith("MemoryError"):
        return f"It took more than {limits.MEMORY >> 30} GB of the grader's own memory."
    return f"The grader itself failed here ({failed})."


def _secrets(out: Path, given: list[Path], settings: Settings) -> list[Path]:
    """Files that no student's code may read: the seed, a check, a solution, submissions."""
    exercise = content.find(settings.exercises[0])
    first = [next((p for p in path.rglob("*") if p.is_file()), None) if path.is_dir() else path for path in given]
    return [out.resolve() / SETTINGS, content.test_file(exercise), exercise.path, *filter(None, first)]


def _lines(connection: socket.socket) -> Iterator[str]:
    with connection.makefile() as lines:
        yield from lines
