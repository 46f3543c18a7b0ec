"""The files below a folder, read without trusting anything about them: no link is followed, no odd file opened."""

import io
import os
import stat
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from saelab.answers import FILE_BYTES

from . import archive
from .archive import DEPTH, IGNORED, LINK, ODD, TOO_LARGE, File, FileProblem, clean, is_wanted, refused


def of_folder(folder: Path, apart_from: Path | None = None) -> list[File]:
    """All files below a folder, in order of their names, refused ones and links included; not those in `apart_from`.

    An empty folder is there as a file without a name.
    """
    found: list[File] = []
    depth, places = _branching(folder), Counter[tuple]()
    for parts, entry in _walk(folder, (), apart_from):
        wanted = isinstance(entry, str) or entry.is_symlink() or is_wanted(entry.name)
        student = (parts[: depth + 1], wanted)
        places[student] += 1
        if len(parts) > depth + 1 and places[student] > (archive.FILES + 1 if wanted else archive.OTHERS):
            continue  # one student's files in very great number keep nobody else from being graded
        if len(found) >= archive.MEMBERS:
            raise FileProblem(
                f"{folder} has more than {archive.MEMBERS:,} files. Give a folder that has only submissions."
            )
        if isinstance(entry, str):
            found.append(refused(parts, entry))
        elif entry.is_symlink():
            found.append(refused(parts, LINK))
        elif entry.is_dir(follow_symlinks=False):
            found.append(File((*parts, ""), 0, 0.0, bytes))
        elif entry.is_file(follow_symlinks=False):
            found.append(of_path(Path(entry.path), parts))
        elif is_wanted(entry.name):
            found.append(refused(parts, ODD))
    return found


def _branching(folder: Path) -> int:
    """How many folders there are around everything: below them, each name may be a student."""
    depth = 0
    while depth < DEPTH:
        try:
            with os.scandir(folder) as entries:
                here = list(islice((e for e in entries if not IGNORED.fullmatch(e.name)), 2))
        except OSError:
            break
        if len(here) != 1 or not here[0].is_dir(follow_symlinks=False):
            break
        folder, depth = Path(here[0].path), depth + 1
    return depth


def is_results(folder: Path) -> bool:
    """Did `saelab grade` write into this folder?"""
    return (folder / "grading.json").is_file() and (folder / "records").is_dir()


def _walk(
    folder: Path, above: tuple[str, ...], apart_from: Path | None
) -> Iterator[tuple[tuple[str, ...], os.DirEntry | str]]:
    """(label, file or the reason why there is none) for all that is not ignored; a folder only if it is empty."""
    if len(above) > DEPTH:
        yield above, f"lies more than {DEPTH} folders deep; it is left out."
        return
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda e: e.name)
    except OSError as error:
        yield above or (folder.name,), f"can't be opened ({error.strerror})."
        return
    for entry in listed:
        if IGNORED.fullmatch(entry.name):
            continue
        parts, inner = (*above, entry.name), Path(entry.path)
        if not entry.is_dir(follow_symlinks=False):
            yield parts, entry
        elif apart_from is None or (inner.resolve() != apart_from and not (is_results(inner) and not above)):
            empty = True
            for found in _walk(inner, parts, apart_from):
                empty = False
                yield found
            if empty:
                yield parts, entry


def of_path(path: Path, parts: tuple[str, ...]) -> File:
    """One file on disk."""
    info = path.lstat()

    def fetch() -> bytes:
        label = clean("/".join(parts))
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                return _limited(file, label, os.fstat(handle))
        except OSError as error:
            raise FileProblem(f"{label} can't be read ({error.strerror}). Send it again.") from None

    return File(parts, info.st_size, info.st_mtime, fetch)


def _limited(file: io.BufferedReader, label: str, info: os.stat_result) -> bytes:
    if not stat.S_ISREG(info.st_mode):
        raise FileProblem(f"{label} {ODD}")
    if info.st_size > FILE_BYTES:
        raise FileProblem(f"{label} {TOO_LARGE}")
    return file.read(info.st_size)
