"""What a student's commands do: start, status, check, hint, solution, reset, watch."""

import contextlib
import itertools
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from saelab import answers, content
from saelab.answers import Submission, guesses, progress
from saelab.content import Exercise
from saelab.extras import MissingExtra
from saelab.files import write_atomically
from saelab.report import Report

from . import predictions

BACKUPS = "saelab-backups"


class StudentError(Exception):
    """Something a student asked for that can't be done: one sentence with what to do next."""


class NotPassed(StudentError):
    """A solution is asked for that is not to be seen yet; `hint` and `anyway` are how a door puts it."""

    def __init__(self, exercise: Exercise, hints_left: int):
        super().__init__(exercise.id)
        self.exercise, self.hints_left = exercise, hints_left

    def sentence(self, hint: str, anyway: str) -> str:
        more = f" Hints you have not seen: {self.hints_left} ({hint})." if self.hints_left else ""
        return f"You have not passed {self.exercise.id} yet.{more} To see it all the same: {anyway}."


class Nested(StudentError):
    """A course folder would be made inside another one."""

    def __init__(self, around: Path):
        self.around = around
        super().__init__(
            f"You have a course folder already: {around}. To bring missing notebooks back, `saelab start {around}`; "
            "for a second folder, go out of this one first."
        )


def home() -> Path:
    """The student's course folder; raises StudentError where there is none."""
    folder = progress.folder()
    if folder is None:
        raise StudentError("This is no course folder. Make one with `saelab start`, or go into the one you have.")
    return folder


def start(folder: Path, inside: bool = False) -> list[str]:
    """Write the exercise notebooks into a folder; notebooks that are there already stay as they are.

    A folder within a course folder is made only where `inside` says so.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise StudentError(f"{folder} is a file. Give another name: saelab start NAME.")
    around = progress.folder(folder)
    if around and around != folder.resolve() and not inside:
        raise Nested(around)
    made, kept = 0, 0
    for chapter in content.chapters():
        (folder / chapter).mkdir(parents=True, exist_ok=True)
        for source in content.sources(chapter):
            target, fresh = folder / chapter / f"{source.stem}.ipynb", source.path.with_suffix(".ipynb")
            if target.exists():
                kept += 1
            elif fresh.is_file():
                write_atomically(target, fresh.read_text(encoding="utf-8"))
                made += 1
    if not (folder / progress.FILE).exists():
        progress.save(folder, {})
    first = next((p for c in content.chapters() for p in sorted((folder / c).glob("*.ipynb"))), folder)
    wrote = f"Wrote {_count(made, 'notebook')} into {folder}/."
    lines = [wrote if made else f"All notebooks are in {folder}/ already."]
    if made and kept:
        lines.append(f"Yours ({kept}) are as you left them.")
    go = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))}, then "
    return [
        *lines,
        f"Next: {go}open {first.relative_to(folder)} (jupyter lab). `saelab` shows where you are.",
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def overview(folder: Path) -> list[str]:
    """Chapters with a bar each, points, and what comes next; without importing torch."""
    entries, lines = progress.load(folder)
    titles = {chapter: " · ".join(map(str, content.chapter_heading(chapter))) for chapter in content.chapters()}
    width = max(map(len, titles.values()), default=0)
    for chapter, title in titles.items():
        exercises = content.exercises(chapter)
        done = [e for e in exercises if _status(entries, e) == "passed"]
        points = sum(e.points for e in done), sum(e.points for e in exercises)
        bar = "■" * len(done) + "□" * (len(exercises) - len(done))
        of = f"{len(done)}/{len(exercises)} exercises, {points[0]}/{points[1]} points"
        lines.append(f"{title:<{width}}  {bar}  {of}")
    return [*lines, "", *whats_next(entries)]


def details(folder: Path) -> list[str]:
    """One line an exercise."""
    entries, lines = progress.load(folder)
    for exercise in content.exercises():
        entry = entries.get(exercise.id, progress.Entry())
        mark = {"passed": "✓", "started": "…"}.get(entry.status, " ")
        hints = f"hints {entry.hints}/{len(exercise.hints)}" if entry.hints else ""
        worth = f"{_count(exercise.points, 'point')}, {exercise.minutes} min"
        lines.append(f"{mark} {content.number(exercise):<5} {exercise.id:<42} {worth:<18} {hints}".rstrip())
    told = predictions.lines(guesses.load(folder))
    return [*lines, *[""] * bool(told), *told, "", *whats_next(entries)]


def _status(entries: dict[str, progress.Entry], exercise: Exercise) -> str:
    return entries[exercise.id].status if exercise.id in entries else "open"


def whats_next(entries: dict[str, progress.Entry]) -> list[str]:
    """The first exercise that isn't passed yet, and the two commands for it."""
    exercise = next((e for e in content.exercises() if _status(entries, e) != "passed"), None)
    if exercise is None:
        return ["You have passed every exercise there is. Congratulations!"]
    notebook = f"{exercise.chapter}/{exercise.path.stem}.ipynb"
    where = f"Next: {content.number(exercise)} {exercise.title} (`{exercise.name}` in {notebook})"
    return [where, f"Then: saelab check {exercise.name}   ·   stuck: saelab hint {exercise.name}"]


def check(exercise: Exercise, work: Submission, seed: str = "0", separate: bool = False) -> Report:
    """Check one exercise of a submission."""
    from saelab import checking

    try:
        return _check(exercise, work, seed, separate)
    except checking.CheckError as error:
        note = f"{error} This is the course's mistake, not yours."
        return Report(exercise.id, "error", exercise.points, notes=[note])
    except MissingExtra as error:
        return Report(exercise.id, "error", exercise.points, notes=[str(error)])


def _check(exercise: Exercise, work: Submission, seed: str, separate: bool) -> Report:
    from saelab import checking
    from saelab.answers import AnswerError, define
    from saelab.checking import Gone

    answer = work.answer(exercise)
    if answer.problem:
        status = "missing" if answer.missing else "error"
        return Report(exercise.id, status, exercise.points, notes=[answer.problem, *answer.notes])
    if answer.unwritten:
        return Report(exercise.id, "not-started", exercise.points, notes=answer.notes)
    try:
        if separate:
            from saelab.apart import RemoteParts, SeparateProcess

            with contextlib.closing(SeparateProcess()) as peer:
                report = checking.run(exercise, RemoteParts(answer, peer), seed)
        else:
            with checking.settled():
                report = checking.check_with_dependencies(exercise, define(answer.pieces, exercise.parts), seed)
    except (AnswerError, Gone) as error:
        return Report(exercise.id, "error", exercise.points, notes=[str(error), *answer.notes])
    report.notes += answer.notes
    return report


def work_in(folder: Path, exercises: Iterable[Exercise]) -> tuple[dict[str, Submission], list[str]]:
    """The notebooks of a folder by chapter, and a sentence for each that can't be read."""
    found, problems = {}, []
    for chapter in dict.fromkeys(e.chapter for e in exercises):
        parts = []
        for path in sorted((folder / chapter).glob("*.ipynb")):
            try:
                parts.append(answers.read(path))
            except answers.SubmissionError as error:
                problems.append(str(error))
        parts += _modules_in(folder, chapter) if parts else []
        found[chapter] = answers.merge(parts) if parts else Submission(folder / chapter, [])
    return found, problems


def _modules_in(folder: Path, chapter: str) -> list[Submission]:
    """The student's own .py files that a notebook may import: beside it, in folders there, and in the course folder."""
    found = []
    paths = itertools.chain(folder.glob("*.py"), (folder / chapter).rglob("*.py"))
    for path in sorted(p for p in paths if not any(part.startswith(".") for part in p.relative_to(folder).parts)):
        with contextlib.suppress(answers.SubmissionError):  # one that is needed and can't be read is missed by its name
            found.append(answers.read(path))
    return found


def solution(exercise: Exercise, folder: Path | None, give_up: bool) -> str:
    """The solution's code, once the exercise is passed or given up."""
    entries = progress.load(folder)[0] if folder else {}
    if _status(entries, exercise) != "passed" and not give_up:
        seen = entries[exercise.id].hints if exercise.id in entries else 0
        raise NotPassed(exercise, len(exercise.hints) - seen)
    return exercise.solution


def reset(exercise: Exercise, folder: Path) -> list[str]:
    """Put the starter back into the student's notebook; the notebook as it was is kept in a backup."""
    path = folder / exercise.chapter / f"{exercise.path.stem}.ipynb"
    fresh_path = exercise.path.with_suffix(".ipynb")
    fresh = json.loads(fresh_path.read_text(encoding="utf-8"))
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, fresh_path.read_text(encoding="utf-8"))
        return [f"{path.relative_to(folder)} was missing; it is back, fresh."]
    try:
        answers.read(path)
        notebook = json.loads(path.read_bytes())
        if not all(isinstance(cell, dict) for cell in notebook["cells"]):
            raise TypeError
    except (answers.SubmissionError, ValueError, KeyError, TypeError) as error:
        what = error if isinstance(error, answers.SubmissionError) else f"{path} is not a notebook of today's kind."
        raise StudentError(f"{what} To start it afresh, move the file away and run `saelab start` again.") from None
    backup = _backup(path, folder)
    cell = next(c for c in fresh["cells"] if _mark(c) == exercise.name)
    found = [i for i, c in enumerate(notebook["cells"]) if _mark(c) == exercise.name]
    if found:
        notebook["cells"][found[-1]] = cell
    else:
        notebook["cells"].insert(_place(notebook, fresh, cell), cell)
    write_atomically(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    with progress.changing(folder) as (entries, notes):
        entries[exercise.id] = progress.Entry("open", getattr(entries.get(exercise.id), "hints", 0), _today())
    kept = backup.relative_to(folder)
    return [
        *notes,
        f"The cell of {exercise.name} is as it was at first. Your notebook as it was: {kept}.",
        "If the notebook is open, reload it from disk.",
    ]


def _mark(cell: dict) -> object:
    """The exercise that a cell of a notebook is marked with, if any."""
    meta = cell.get("metadata")
    return meta.get("exercise") if isinstance(meta, dict) else None


def _place(notebook: dict, fresh: dict, cell: dict) -> int:
    """Behind the nearest cell that stood before this one in the fresh notebook and is still there."""
    before = [c["id"] for c in fresh["cells"][: fresh["cells"].index(cell)]]
    ids = [c.get("id") for c in notebook["cells"]]
    return next((ids.index(i) + 1 for i in reversed(before) if i in ids), len(ids))


def _backup(path: Path, folder: Path) -> Path:
    target = folder / BACKUPS
    target.mkdir(exist_ok=True)
    copies = (target / f"{path.stem}.{number}.ipynb" for number in itertools.count(1))
    copy = next(c for c in copies if not c.exists())
    try:
        shutil.copyfile(path, copy)
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    return copy


def _today() -> str:
    return time.strftime("%Y-%m-%d")


def watch(folder: Path, pause: float = 1.0) -> Iterator[list[Path]]:
    """The notebooks that were saved since the last look, for ever; the first look is now."""
    return _saved(folder, _stamps(folder), pause)


def _saved(folder: Path, seen: dict[Path, int], pause: float) -> Iterator[list[Path]]:
    while True:
        time.sleep(pause)
        now = _stamps(folder)
        changed = [path for path, stamp in now.items() if seen.get(path) != stamp]
        seen = now
        if changed:
            yield changed


def _stamps(folder: Path) -> dict[Path, int]:
    """When each notebook was last saved. Some may vanish while we look."""
    found = {}
    for path in sorted(folder.rglob("*.ipynb")):
        hidden = any(part.startswith(".") or part == BACKUPS for part in path.relative_to(folder).parts)
        with contextlib.suppress(OSError):
            found.update({} if hidden else {path: path.stat().st_mtime_ns})
    return found


def exercises_in(work: Submission) -> list[Exercise]:
    """The exercises of the section that a notebook is, whatever it is called now, or else those that it answers."""
    known = content.exercises()
    marks = {cell.exercise for cell in work.cells}
    marked = [e for e in known if e.name in marks or e.id in marks]
    named = [e for e in known if e.path.stem == work.path.stem and e.chapter == work.path.parent.name]
    return marked or named or [e for e in known if any(e.name in cell.digest.defines for cell in work.cells)]
