"""`saelab reset`: an exercise's cell as it was at first; and copies of what is written over."""

import datetime
import itertools
import json
import shutil
from pathlib import Path

from saelab import answers
from saelab.answers import progress
from saelab.content import Exercise
from saelab.files import write_atomically

from . import contents
from .commands import StudentError

BACKUPS = "saelab-backups"


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
    backup = backup_of(path, folder)
    cell = next(c for c in fresh["cells"] if _mark(c) == exercise.name)
    found = [i for i, c in enumerate(notebook["cells"]) if _mark(c) == exercise.name]
    if found:
        notebook["cells"][found[-1]] = cell
    else:
        notebook["cells"].insert(_place(notebook, fresh, cell), cell)
    write_atomically(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    today = datetime.date.today().isoformat()
    with progress.changing(folder) as (entries, notes):
        entries[exercise.id] = progress.Entry("open", getattr(entries.get(exercise.id), "hints", 0), today)
    contents.refresh(folder)
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


def backup_of(path: Path, folder: Path) -> Path:
    """Copy a file into the folder's backups, under a name that none has yet; returns the copy. Raises OSError."""
    target = folder / BACKUPS
    target.mkdir(exist_ok=True)
    copies = (target / f"{path.stem}.{number}{path.suffix}" for number in itertools.count(1))
    copy = next(c for c in copies if not c.exists())
    try:
        shutil.copyfile(path, copy)
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    return copy
