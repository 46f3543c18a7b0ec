"""What a student's commands do: start, status, check, solution, dispute."""

import contextlib
import itertools
import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from saelab import answers, content
from saelab.answers import Submission, guesses, progress
from saelab.content import Exercise
from saelab.extras import MissingExtra
from saelab.files import write_atomically
from saelab.report import Report

from . import compared, contents, dispute, predictions


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
    page = contents.write(folder)
    first = next((p for c in content.chapters() for p in sorted((folder / c).glob("*.ipynb"))), folder)
    wrote = f"Wrote {_count(made, 'notebook')} into {folder}/."
    lines = [wrote if made else f"All notebooks are in {folder}/ already."]
    if made and kept:
        lines.append(f"Yours ({kept}) are as you left them.")
    lines.append(page)
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
        lines.append(f"{title:<{width}}  {bar(entries, exercises)}")
    contents.refresh(folder)
    return [*lines, "", *whats_next(entries)]


def bar(entries: dict[str, progress.Entry], exercises: list[Exercise]) -> str:
    """How much of these is passed: a square each, exercises and points."""
    done = progress.passed(entries, exercises)
    points = f"{sum(e.points for e in done)}/{sum(e.points for e in exercises)} points"
    squares = "■" * len(done) + "□" * (len(exercises) - len(done))
    return f"{squares}  {len(done)}/{len(exercises)} exercises, {points}"


def details(folder: Path) -> list[str]:
    """One line an exercise."""
    entries, lines = progress.load(folder)
    for exercise in content.exercises():
        entry = entries.get(exercise.id, progress.Entry())
        mark = contents.MARKS.get(entry.status, " ")
        hints = f"hints {entry.hints}/{len(exercise.hints)}" if entry.hints else ""
        worth = f"{_count(exercise.points, 'point')}, {exercise.minutes} min"
        lines.append(f"{mark} {content.number(exercise):<5} {exercise.id:<42} {worth:<18} {hints}".rstrip())
    told = predictions.lines(guesses.load(folder))
    contents.refresh(folder)
    return [*lines, *[""] * bool(told), *told, "", *whats_next(entries)]


def whats_next(entries: dict[str, progress.Entry]) -> list[str]:
    """The first exercise that isn't passed yet, and the two commands for it."""
    exercise = progress.first_open(entries)
    if exercise is None:
        return [contents.ALL_PASSED]
    notebook = f"{exercise.chapter}/{exercise.path.stem}.ipynb"
    where = f"Next: {content.number(exercise)} {exercise.title} (`{exercise.name}` in {notebook})"
    return [where, f"Then: saelab check {exercise.name}   ·   stuck: saelab hint {exercise.name}"]


def check(exercise: Exercise, work: Submission, seed: str = "0", separate: bool = False) -> Report:
    """Check one exercise of a submission."""
    from saelab import checking

    try:
        return _check(exercise, work, seed, separate)
    except checking.CheckError as error:
        note = f"{error} {dispute.OURS}"
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
        parts += modules_in(folder, chapter) if parts else []
        found[chapter] = answers.merge(parts) if parts else Submission(folder / chapter, [])
    return found, problems


def modules_in(folder: Path, chapter: str) -> list[Submission]:
    """The student's own .py files that a notebook may import: beside it, in folders there, and in the course folder."""
    found = []
    paths = itertools.chain(folder.glob("*.py"), (folder / chapter).rglob("*.py"))
    for path in sorted(p for p in paths if not any(part.startswith(".") for part in p.relative_to(folder).parts)):
        with contextlib.suppress(answers.SubmissionError):  # one that is needed and can't be read is missed by its name
            found.append(answers.read(path))
    return found


def solution(exercise: Exercise, folder: Path | None, give_up: bool, work: Submission | None = None) -> tuple[str, str]:
    """(the student's code, ours), once the exercise is passed or given up; theirs is "" where it doesn't pass.

    Theirs is looked for in `work`, or else in the notebooks of the folder.
    """
    entries = progress.load(folder)[0] if folder else {}
    if folder and progress.status(entries, exercise) == "passed":
        work = work or work_in(folder, [exercise])[0][exercise.chapter]
        return compared.yours(exercise, work), exercise.solution
    if not give_up:
        seen = entries[exercise.id].hints if exercise.id in entries else 0
        raise NotPassed(exercise, len(exercise.hints) - seen)
    return "", exercise.solution


def disputed(exercise: Exercise, folder: Path, seed: str) -> list[str]:
    """Check an exercise again and write down why it may be the check that is wrong; raises StudentError."""
    work = work_in(folder, [exercise])[0][exercise.chapter]
    report = check(exercise, work, seed)
    return dispute_lines(exercise, work, report, seed, folder)


def dispute_lines(exercise: Exercise, work: Submission, report: Report, seed: str, folder: Path) -> list[str]:
    """Write the file about a report that is disputed; raises StudentError where there is nothing to dispute."""
    if report.passed:
        raise StudentError(f"{report.headline} There is nothing to dispute, so nothing was written.")
    if report.status in ("not-started", "missing"):
        raise StudentError(f"{report.headline} Write your answer first; then there is something to show.")
    path = dispute.write(exercise, work.answer(exercise), report, seed, folder)
    return [
        f"Wrote {path.name}: your answer, what the check says about it, seed and versions. Nothing was sent.",
        f"Read it, write into it why you think so, and {dispute.what_to_do()}.",
    ]
