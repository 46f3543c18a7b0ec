"""`saelab watch`: checks again what was saved, says how far you are, gives hints at a key; never moves on by itself."""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from saelab import answers, content
from saelab.answers import Submission, progress
from saelab.content import Exercise
from saelab.report import Report

from . import commands, contents, dispute, resetting

Keys = queue.SimpleQueue[str]
HINT, STOP = "h", "q"


def events(folder: Path, keys: Keys | None = None, pause: float = 1.0) -> Iterator[list[Path] | str]:
    """For ever: the notebooks that were saved since the last look, or a line that was typed; the first look is now."""
    return _events(folder, _stamps(folder), queue.SimpleQueue() if keys is None else keys, pause)


def _events(folder: Path, seen: dict[Path, int], keys: Keys, pause: float) -> Iterator[list[Path] | str]:
    while True:
        with contextlib.suppress(queue.Empty):
            yield keys.get(timeout=pause)
        now = _stamps(folder)
        changed = [path for path, stamp in now.items() if seen.get(path) != stamp]
        seen = now
        if changed:
            yield changed


def _stamps(folder: Path) -> dict[Path, int]:
    """When each notebook was last saved. Some may vanish while we look."""
    found = {}
    for path in sorted(folder.rglob("*.ipynb")):
        names = path.relative_to(folder).parts
        ours = names[0] in (resetting.BACKUPS, contents.FILE) or any(name.startswith(".") for name in names)
        if not ours:
            with contextlib.suppress(OSError):
                found[path] = path.stat().st_mtime_ns
    return found


def typed() -> Keys:
    """What is typed into a terminal, line by line; nothing where standard input is none."""
    keys: Keys = queue.SimpleQueue()
    if sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_read_lines, args=[sys.stdin.fileno(), keys], daemon=True).start()
    return keys


def _read_lines(number: int, keys: Keys) -> None:
    """Past Python's own buffer, whose lock a thread may not hold when everything ends."""
    with contextlib.suppress(OSError):
        while data := os.read(number, 1000):
            for line in data.decode("utf-8", "replace").splitlines():
                keys.put(line.strip().lower())


class Watcher:
    """Goes on from event to event; remembers what it has checked, so that only a changed answer is checked again."""

    def __init__(self, folder: Path, go_on: Callable[[], None], keys: bool = True):
        self.folder, self.go_on, self.keys = folder, go_on, keys
        self.checked: dict[tuple[Path, str], tuple[list[str], Report]] = {}
        self.at: Exercise | None = None  # which one a hint would be about

    def follow(self, happened: Iterable[list[Path] | str]) -> None:
        """Print what comes of each event, until `q` is typed."""
        for event in happened:
            if event == STOP:
                return
            if event == HINT:
                print(self.hint(), flush=True)
            elif not isinstance(event, str):
                for path in event:
                    self.saved(path)

    def hint(self) -> str:
        """The next hint of the exercise that was last seen not to pass."""
        if self.at is None:
            return "Save a notebook first: a hint is about what does not pass in it."
        tier = progress.next_hint(self.at, self.folder)
        return f"Hint {tier} of {len(self.at.hints)} · {self.at.id}\n\n{self.at.hints[tier - 1]}\n"

    def saved(self, path: Path) -> None:
        """Check what has changed in one notebook, saying what is running, and print where the student is now."""
        name = path.relative_to(self.folder)
        try:
            work = answers.read(path)
        except answers.SubmissionError as error:
            print(error, flush=True)
            return
        exercises = exercises_in(work)
        if not exercises:
            print(f"\n{name}: no exercises in it", flush=True)
            return
        work = answers.merge([work, *commands.modules_in(self.folder, exercises[0].chapter)])
        changed = [e for e in exercises if self._code(path, e, work) != self.checked.get((path, e.id), ([], None))[0]]
        if not changed:
            print(f"\n{name} is saved; its answers are as they were.", flush=True)
            return
        print(f"\n{name}", flush=True)
        for exercise in exercises:
            self._check(path, exercise, work, exercise in changed)
        contents.refresh(self.folder)
        reports = [self.checked[path, e.id][1] for e in exercises]
        open_ones = [e for e, report in zip(exercises, reports) if not report.passed]
        tried = [e for e in open_ones if self.checked[path, e.id][1].status != "not-started"]
        self.at = next((e for e in tried if e in changed), next(iter([*tried, *open_ones]), None))
        print("\n".join(self._where(exercises)), flush=True)

    def _code(self, path: Path, exercise: Exercise, work: Submission) -> list[str]:
        """What decides how a check of this answer ends."""
        answer = work.answer(exercise)
        return [answer.problem, *(piece.code for piece in answer.pieces)]

    def _check(self, path: Path, exercise: Exercise, work: Submission, changed: bool) -> None:
        if not changed:
            print(f"{'✓' if self.checked[path, exercise.id][1].passed else '·'} {exercise.id}: as before", flush=True)
            return
        live = sys.stdout.isatty()
        print(f"… {exercise.id}\r" if live else "", end="", flush=True)
        report = commands.check(exercise, work)
        self.go_on()
        self.checked[path, exercise.id] = self._code(path, exercise, work), report
        report.notes += progress.record(report.exercise, report.status, self.folder)
        report.notes += dispute.offer(report, f"saelab dispute {exercise.name}")
        print("\033[K" if live else "", end="")
        print(report if report.status in ("failed", "error") else report.brief, flush=True)

    def _where(self, exercises: list[Exercise]) -> list[str]:
        """How much of the section is passed, what is next in the course, and the keys."""
        entries = progress.load(self.folder)[0]
        section = content.read(exercises[0].path)
        lines = ["", f"{section.title}  {commands.bar(entries, section.exercises)}"]
        if progress.first_open(entries) != self.at:
            lines.append(commands.whats_next(entries)[0])
        if not self.keys:
            return [*lines, f"Stuck: saelab hint {self.at.name}"] if self.at else lines
        hint = f"{HINT}, Enter: a hint for {self.at.name} · " if self.at else ""
        return [*lines, f"{hint}{STOP}, Enter: stop watching"]


def exercises_in(work: Submission) -> list[Exercise]:
    """The exercises of the section that a notebook is, whatever it is called now, or else those that it answers."""
    known = content.exercises()
    marks = {cell.exercise for cell in work.cells}
    marked = [e for e in known if e.name in marks or e.id in marks]
    named = [e for e in known if e.path.stem == work.path.stem and e.chapter == work.path.parent.name]
    return marked or named or [e for e in known if any(e.name in cell.digest.defines for cell in work.cells)]
