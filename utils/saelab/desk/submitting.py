"""`saelab submit`: one zip of a student's notebooks for the instructor, after saying what is in it.

In the zip are the notebooks that `saelab check` looks at and the student's own modules, as they are; no progress file,
since how many hints somebody took is theirs to tell. Nothing is run here, and torch is not imported.
"""

import contextlib
import datetime
import io
import os
import shlex
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from saelab import answers, content
from saelab.answers import Answer, Submission, progress
from saelab.answers.progress import Entry
from saelab.content import Exercise
from saelab.files import trouble, write_atomically

from . import commands, resetting

LARGE = 20_000_000  # bytes of a zip that some platforms refuse
SQUEEZED = 100  # times: what gets smaller than that is stored as it is, since graders take it for a bomb
WORDS = {"passed": ("✓", "passed"), "started": ("…", "not passed"), "open": (" ", "not begun")}


@dataclass
class Packed:
    """One file for the zip: its path in the course folder, its bytes, when it was saved, what is wrong with it."""

    name: str
    data: bytes
    saved: float
    work: Submission | None = None
    problem: str = ""


def chapters_of(name: str) -> list[str]:
    """The chapters that are handed in: one, by name or number, or all; raises StudentError."""
    known = {str(content.chapter_heading(chapter)[0]): chapter for chapter in content.chapters()}
    if not name:
        return list(known.values())
    chapter = known.get(name, Path(name).name)
    if chapter not in known.values():
        near = content.nearest(name, list(known.values()))
        raise commands.StudentError(f"There is no chapter {name!r}.{near} Or hand in everything: saelab submit.")
    return [chapter]


def gather(folder: Path, chapters: list[str]) -> list[Packed]:
    """The notebooks and own modules of these chapters; raises StudentError where there is no notebook at all."""
    notebooks = [path for chapter in chapters for path in _notebooks(folder / chapter)]
    if not notebooks:
        raise commands.StudentError(
            f"There is no notebook of {', '.join(chapters)} in this folder. `saelab start .` brings them back."
        )
    modules = {m.path for c in chapters if _notebooks(folder / c) for m in commands.modules_in(folder, c)}
    return [_packed(path, folder) for path in [*notebooks, *sorted(modules)]]


def _notebooks(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))


def _packed(path: Path, folder: Path) -> Packed:
    found = Packed(path.relative_to(folder).as_posix(), b"", 0.0)
    try:
        found.saved, found.data = path.stat().st_mtime, path.read_bytes()
        found.work = answers.from_bytes(Path(found.name), found.data)
    except answers.SubmissionError as error:
        found.problem = f"{error} Until then the grader lists it as damaged, without points for its exercises."
    except OSError as error:
        found.problem = f"{trouble(error)} It is not in the zip."
    return found


def contents_of(chapters: list[str], files: list[Packed], entries: dict[str, Entry]) -> list[str]:
    """What is in the zip: each exercise as it was last checked, each file with its size and time."""
    lines = []
    for chapter in chapters:
        lines.append(" · ".join(map(str, content.chapter_heading(chapter))) + " (as last checked)")
        for exercise in content.exercises(chapter):
            mark, word = WORDS[progress.status(entries, exercise)]
            lines.append(f"  {mark} {content.number(exercise):<5} {exercise.name:<24} {word}")
    lines.append("Files, as last saved")
    width = max(len(file.name) for file in files)
    for file in files:
        when = datetime.datetime.fromtimestamp(file.saved).strftime("%Y-%m-%d %H:%M")
        lines.append(f"  {file.name:<{width}}  {size(len(file.data)):>7}  {when}")
    return lines


def size(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 10**6:.1f} MB" if count >= 10**6 else f"{max(1, round(count / 1000))} KB"


def warnings(chapters: list[str], files: list[Packed], entries: dict[str, Entry]) -> list[str]:
    """What the grader would refuse or list, and what looks as if it had not been saved: a sentence each."""
    found = [file.problem for file in files if file.problem]
    works = [file.work for file in files if file.work]
    if sum(len(cell.text) for work in works for cell in work.cells) > answers.CODE:
        found.append(f"All files together have more than {answers.CODE:,} characters of code: the grader reads none.")
    unchecked, gone = [], []
    for chapter in chapters:
        of_chapter = [w for w in works if w.path.parent.name in (chapter, "")]
        if not any(w.path.parent.name == chapter for w in of_chapter):
            continue
        work = answers.merge(of_chapter)
        for exercise in content.exercises(chapter):
            answer = work.answer(exercise)
            if answer.missing:
                gone += [] if _damaged(exercise, files) else [exercise]
                continue
            said = _about(answer, files, entries)
            found += said
            if not said and not _untouched(answer) and progress.status(entries, exercise) == "open":
                unchecked.append(exercise.name)
    if gone:
        names = ", ".join(f"`{exercise.name}`" for exercise in gone)
        back = f"`saelab reset {gone[0].name}` brings a cell back" + ", and so for each" * (len(gone) > 1)
        found.append(f"No cell for {names}: the grader would call it missing. Was it renamed or deleted? {back}.")
    if unchecked:
        found.append(f"Never checked: {', '.join(unchecked)}. `saelab check` says whether they pass.")
    return found


def _damaged(exercise: Exercise, files: list[Packed]) -> bool:
    """Is the exercise's own notebook there, and can't be read? That is said already."""
    return any(file.problem and file.name == _home(exercise) for file in files)


def _home(exercise: Exercise) -> str:
    return f"{exercise.chapter}/{exercise.path.stem}.ipynb"


def _untouched(answer: Answer) -> bool:
    """Is the starter's `raise` still there?"""
    own = next((piece for piece in answer.pieces if piece.own), None)
    return answer.unwritten or (own is not None and answer.exercise.name in answers.examine(own.code).unwritten)


def _about(answer: Answer, files: list[Packed], entries: dict[str, Entry]) -> list[str]:
    """Sentences about one answer: not to be run, under another name, or older than what was checked."""
    exercise = answer.exercise
    if answer.problem:
        return [answer.problem]
    own = next((piece for piece in answer.pieces if piece.own), None)
    bound = set().union(*(answers.examine(piece.code).binds for piece in answer.pieces))
    notes = list(answer.notes)
    if own and exercise.name not in bound and "*" not in bound:
        return [f"{own.label.capitalize()} defines no `{exercise.name}`: keep the name that the exercise gives it."]
    entry = entries.get(exercise.id, Entry())
    file = next((file for file in files if file.name == _home(exercise)), None)
    if entry.status != "open" and _untouched(answer):
        tried = "passed" if entry.status == "passed" else "was checked"
        notes.append(
            f"{exercise.name} {tried}, but in the file nothing is written: save the notebook, and submit again."
        )
    elif file and entry.status != "open" and entry.date > _day(file.saved):
        notes.append(
            f"{exercise.name} was checked on {entry.date}, {file.name} last saved on {_day(file.saved)}: is it saved?"
        )
    return notes


def _day(seconds: float) -> str:
    return datetime.date.fromtimestamp(seconds).isoformat()


def target(folder: Path, chapters: list[str], out: Path | None) -> Path:
    """Where the zip goes: beside the course folder, or as `--out` says; raises StudentError."""
    named = chapters[0] if len(chapters) == 1 and len(content.chapters()) > 1 else "all"
    usual = f"{folder.name or 'saelab'}-{named}.zip"
    if out is None:
        return folder.parent / usual
    if out.is_dir():
        return out / usual
    if out.suffix.lower() != ".zip":
        raise commands.StudentError(f"The name of a zip ends in .zip: --out {shlex.quote(f'{out}.zip')}.")
    return out


def write(folder: Path, files: list[Packed], path: Path) -> list[str]:
    """Write the zip, keep an older one in the backups; returns what to say. Raises OSError."""
    data, said = _zipped([file for file in files if file.saved]), []
    if path.is_file() and path.read_bytes() != data:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
        kept = resetting.backup_of(path, folder).relative_to(folder)
        said.append(f"There was one already, of {when}: it is kept as {kept} in your course folder.")
    write_atomically(path, data)
    said.append(f"Wrote {_short(path)} ({size(len(data))}). Hand in this file as it is.")
    if len(data) > LARGE:
        said.append(
            "Where that is too large for the platform: clear the outputs (Edit › Clear Outputs of All Cells), save the "
            "notebooks, and submit again."
        )
    return said


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):  # on Windows: on another drive
        return min(str(path), os.path.relpath(path), key=len)
    return str(path)


def _zipped(files: list[Packed]) -> bytes:
    """The files as a zip; the same files give the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as pack:
        for file in files:
            info = zipfile.ZipInfo(file.name, max(time.localtime(file.saved)[:6], (1980, 1, 1, 0, 0, 0)))
            info.external_attr = 0o100644 << 16
            small = len(zlib.compress(file.data)) * SQUEEZED < len(file.data)
            pack.writestr(info, file.data, zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED)
    return made.getvalue()
