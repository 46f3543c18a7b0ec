"""Progress that outlives a Colab runtime: kept in Google Drive, or downloaded as one file and put back later.

    from saelab import keep_in_drive
    keep_in_drive()       # once in each new runtime; what Drive has from before is there again

    from saelab import download_progress, restore_progress
    download_progress()   # the file goes to your computer
    restore_progress()    # in a new runtime: choose that file

Nothing here is needed at home, where the progress file stays beside the notebooks. Of two entries for an exercise the
better one is kept, so that no pass is ever lost by putting an old file back.
"""

import dataclasses
import importlib
import os
import sys
import tempfile
from pathlib import Path

from saelab.answers import guesses, progress

DRIVE = Path("/content/drive")
FOLDER = "MyDrive/saelab"
BETTER = ("open", "started", "passed")


def keep_in_drive() -> None:
    """Go on in the folder `saelab` of your Google Drive, where progress is kept; you are asked for permission.

    What was passed and guessed in this runtime until now goes there too. Prints one sentence, also on failure.
    """
    if not _in_colab():
        print(f"This is no Colab notebook: your progress is safe where it is, in {_home() / progress.FILE}.")
        return
    home, before = DRIVE / FOLDER, _home()
    here = _entries(before)
    try:
        importlib.import_module("google.colab.drive").mount(str(DRIVE))
        home.mkdir(parents=True, exist_ok=True)
        entries = _merge(home, here)
        guesses.carry(before, home)
        os.chdir(home)
    except Exception as error:  # Colab raises whatever it likes when permission is refused
        print(f"Drive can't be used ({error}). Your progress is still here: download_progress() gives it to you.")
        return
    print(
        f"Your progress is kept in Drive, in saelab/{progress.FILE}: {_passed(entries)}. Run this in each new runtime."
    )


def download_progress() -> None:
    """Give the progress file to the browser, which saves it on your computer; elsewhere, say where it lies."""
    path = _home() / progress.FILE
    if not path.is_file():
        print("There is no progress yet: it begins with the first check.")
        return
    if _in_colab():
        importlib.import_module("google.colab.files").download(str(path))
    print(f"Your progress is in {path.name}: {_passed(_entries(path.parent))}. restore_progress() takes it back.")


def restore_progress(path: str | Path | None = None) -> None:
    """Put progress that was saved before into this runtime, from a file; without a name, Colab asks you for one."""
    if path is None and not _in_colab():
        print(f'Say which file: restore_progress("{progress.FILE}").')
        return
    try:
        saved = _chosen_in_colab() if path is None else Path(path).read_bytes()
        restored, notes = _read(saved)
        if restored:
            print(f"Your progress is back: {_passed(_merge(_home(), restored))}.")
        elif saved:
            print(f"This file holds no progress, so nothing has changed: choose the {progress.FILE} that you saved.")
        else:
            print("No file was chosen, so nothing has changed.")
    except OSError as error:
        print(f"Your progress could not be restored ({error.strerror}: {error.filename}). Nothing has changed.")
        return
    if notes:
        print("Some lines of that file could not be read: run the cells with check(…) again.")


def _chosen_in_colab() -> bytes:
    """The content of the file that the student picks; empty if none is."""
    return next(iter(importlib.import_module("google.colab.files").upload().values()), b"")


def _read(saved: bytes) -> tuple[dict[str, progress.Entry], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / progress.FILE).write_bytes(saved)
        return progress.load(Path(folder))


def _in_colab() -> bool:
    return "google.colab" in sys.modules


def _home() -> Path:
    return progress.folder() or Path.cwd()


def _entries(home: Path) -> dict[str, progress.Entry]:
    return progress.load(home)[0] if (home / progress.FILE).is_file() else {}


def _merge(home: Path, more: dict[str, progress.Entry]) -> dict[str, progress.Entry]:
    """Write into a folder's progress what these entries know better; returns all of it."""
    entries = _entries(home)
    for name, entry in more.items():
        both = [entry, entries.get(name, entry)]
        best = max(both, key=lambda e: (BETTER.index(e.status), e.date))
        entries[name] = dataclasses.replace(best, hints=max(e.hints for e in both))
    progress.save(home, entries)
    return entries


def _passed(entries: dict[str, progress.Entry]) -> str:
    count = sum(entry.status == "passed" for entry in entries.values())
    return f"{count} exercise{'s' * (count != 1)} passed"
