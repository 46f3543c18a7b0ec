"""What a student's commands do: start, status, check, hint, solution, reset, watch."""

import contextlib
import itertools
import json
import time
from collections.abc import Iterable
from pathlib import Path

from saelab import answers, content
from saelab.answers import Submission, progress
from saelab.content import Exercise
from saelab.extras import MissingExtra
from saelab.files import write_atomically
from saelab.report import Report

BACKUPS = "saelab-backups"


class StudentError(Exception):
    """Something a student asked for that can't be done: one sentence with what to do next."""


def home() -> Path:
    """The student's course folder; raises StudentError where there is none."""
    folder = progress.folder()
    if folder is None:
        raise StudentError("This is no course folder. Make one with `saelab start`, or go into the one you have.")
    return folder


def start(folder: Path) -> list[str]:
    """Write the exercise notebooks into a folder; notebooks that are there already stay as they are."""
    if folder.exists() and not folder.is_dir():
        raise StudentError(f"{folder} is a file. Give another name: saelab start NAME.")
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
    lines = [f"Wrote {made} notebooks into {folder}/." if made else f"All notebooks are in {folder}/ already."]
    if made and kept:
        lines.append(f"{kept} that were there are as you left them.")
    return [
        *lines,
        f"Next: cd {folder}, then open {first.relative_to(folder)} (jupyter lab). `saelab` shows where you are.",
    ]


def overview(folder: Path) -> list[str]:
    """Chapters with a bar each, points, and what comes next; without importing torch."""
    entries, lines = progress.load(folder)
    for chapter in content.chapters():
        exercises = content.exercises(chapter)
        done = [e for e in exercises if _status(entries, e) == "passed"]
        points = sum(e.points for e in done), sum(e.points for e in exercises)
        bar = "■" * len(done) + "□" * (len(exercises) - len(done))
        title = " · ".join(map(str, content.chapter_heading(chapter)))
        lines.append(f"{title:<26} {bar}  {len(done)}/{len(exercises)} exercises, {points[0]}/{points[1]} points")
    return [*lines, "", *_next(entries)]


def details(folder: Path) -> list[str]:
    """One line an exercise."""
    entries, lines = progress.load(folder)
    for exercise in content.exercises():
        entry = entries.get(exercise.id, progress.Entry())
        mark = {"passed": "✓", "started": "…"}.get(entry.status, " ")
        hints = f"hints {entry.hints}/{len(exercise.hints)}" if entry.hints else ""
        worth = f"{exercise.points} points, {exercise.minutes} min"
        lines.append(f"{mark} {content.number(exercise):<5} {exercise.id:<42} {worth:<18} {hints}".rstrip())
    return [*lines, "", *_next(entries)]


def _status(entries: dict[str, progress.Entry], exercise: Exercise) -> str:
    return entries[exercise.id].status if exercise.id in entries else "open"


def _next(entries: dict[str, progress.Entry]) -> list[str]:
    for exercise in content.exercises():
        if _status(entries, exercise) != "passed":
            notebook = f"{exercise.chapter}/{exercise.path.stem}.ipynb"
            where = f"Next: {content.number(exercise)} {exercise.title}, `{exercise.name}` in {notebook}"
            return [where, f"Then: saelab check {exercise.name}   ·   stuck: saelab hint {exercise.name}"]
    return ["You have passed every exercise there is. Congratulations!"]


def check(exercise: Exercise, work: Submission | None, seed: str = "0", separate: bool = False) -> Report:
    """Check one exercise of a submission, or the reference where `work` is None."""
    from saelab import checking

    try:
        return _check(exercise, work, seed, separate)
    except checking.CheckError as error:
        note = f"{error} This is the course's mistake, not yours."
        return Report(exercise.id, "error", exercise.points, notes=[note])
    except MissingExtra as error:
        return Report(exercise.id, "error", exercise.points, notes=[str(error)])


def _check(exercise: Exercise, work: Submission | None, seed: str, separate: bool) -> Report:
    from saelab import checking
    from saelab.answers import AnswerError, define
    from saelab.checking import Gone

    if work is None:
        return checking.check_with_dependencies(exercise, content.reference_parts(exercise), seed)
    answer = work.answer(exercise)
    if answer.problem:
        status = "missing" if answer.missing else "error"
        return Report(exercise.id, status, exercise.points, notes=[answer.problem])
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
        found[chapter] = answers.merge(parts) if parts else Submission(folder / chapter, [])
    return found, problems


def solution(exercise: Exercise, folder: Path | None, give_up: bool) -> str:
    """The solution's code, once the exercise is passed or given up."""
    entries = progress.load(folder)[0] if folder else {}
    if _status(entries, exercise) != "passed" and not give_up:
        seen = entries[exercise.id].hints if exercise.id in entries else 0
        left = len(exercise.hints) - seen
        more = f"Hints you have not seen: {left} (saelab hint {exercise.name}). " if left else ""
        raise StudentError(f"You have not passed {exercise.id} yet. {more}To see it all the same: --give-up.")
    return exercise.code


def reset(exercise: Exercise, folder: Path) -> list[str]:
    """Put the starter back into the student's notebook; the notebook as it was is kept in a backup."""
    path = folder / exercise.chapter / f"{exercise.path.stem}.ipynb"
    fresh_path = exercise.path.with_suffix(".ipynb")
    fresh = json.loads(fresh_path.read_text(encoding="utf-8"))
    if not path.is_file():
        write_atomically(path, fresh_path.read_text(encoding="utf-8"))
        return [f"{path.relative_to(folder)} was missing; it is back, fresh."]
    try:
        answers.read(path)
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except answers.SubmissionError as error:
        raise StudentError(f"{error} To start it afresh, move the file away and run `saelab start` again.") from None
    backup = _backup(path, folder)
    cell = next(c for c in fresh["cells"] if c["metadata"].get("exercise") == exercise.name)
    found = [i for i, c in enumerate(notebook["cells"]) if c.get("metadata", {}).get("exercise") == exercise.name]
    if found:
        notebook["cells"][found[-1]] = cell
    else:
        notebook["cells"].insert(_place(notebook, fresh, cell), cell)
    write_atomically(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    entries, notes = progress.load(folder)
    entries[exercise.id] = progress.Entry("open", getattr(entries.get(exercise.id), "hints", 0), _today())
    progress.save(folder, entries)
    kept = backup.relative_to(folder)
    return [
        *notes,
        f"The cell of {exercise.name} is as it was at first. Your notebook as it was: {kept}.",
        "If the notebook is open, reload it from disk.",
    ]


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
    write_atomically(copy, path.read_text(encoding="utf-8"))
    return copy


def _today() -> str:
    return time.strftime("%Y-%m-%d")


def watch(folder: Path, pause: float = 1.0):
    """Yield the notebooks that were saved since the last look, for ever."""
    seen = {path: path.stat().st_mtime_ns for path in folder.rglob("*.ipynb")}
    while True:
        time.sleep(pause)
        now = {
            path: path.stat().st_mtime_ns for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
        }
        changed = [path for path, stamp in now.items() if seen.get(path) != stamp and BACKUPS not in path.parts]
        seen = now
        if changed:
            yield changed
