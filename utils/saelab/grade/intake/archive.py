"""The files of a folder or a zip, read without trusting anything about them.

Nothing is written to disk and no name is ever opened again as a path of its own: names in archives are labels.
Links are not followed, only regular files are opened, and sizes are checked before and while reading.
"""

import datetime
import hashlib
import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

from saelab.answers import FILE_BYTES, progress

MEMBERS = 100_000  # of one archive or folder, or of all archives of one student, whether wanted or not
FILES, OTHERS = 500, 1_000  # of one student: files that are looked into, others whose names are kept
DEPTH = 20  # folders within folders
ZIPS = 2  # a zip, and a zip within it
RATIO, RATIO_FROM = 300, 20_000_000  # times and bytes unpacked: more than that is no notebook
WANTED = (".ipynb", ".py", ".zip")
METADATA = "submission_metadata.yml"  # Gradescope's
IGNORED = re.compile(r"\..*|__MACOSX|__pycache__|saelab-backups|node_modules|site-packages|venv", re.I)
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OSError,
    struct.error,
)


LINK = "is a link, and links are not followed. Send the file itself."
ODD = "is no ordinary file; it is left out."


class FileProblem(Exception):
    """A file or archive that is not read: one sentence."""


@dataclass
class File:
    """A file of a submission. `parts` is its label, split at the slashes; `stamp` orders by age, no more.

    One that is refused is listed all the same, so that its student hears of it: reading it raises `refusal`.
    """

    parts: tuple[str, ...]
    size: int
    stamp: float
    fetch: Callable[[], bytes]
    zips: int = 0  # archives around it
    refusal: str = ""
    members: int = 0  # of an archive that has been opened

    @property
    def name(self) -> str:
        return clean("/".join(self.parts))

    @cached_property
    def stem(self) -> str:
        return os.path.splitext(self.parts[-1])[0]

    @cached_property
    def suffix(self) -> str:
        return os.path.splitext(self.parts[-1])[1].lower()

    @cached_property
    def wanted(self) -> bool:
        """Is it looked into? Of the others no more than the name is known."""
        return bool(self.refusal) or is_wanted(self.parts[-1])

    def read(self) -> bytes:
        """Its content; raises FileProblem."""
        data = self.fetch()
        self.__dict__["sha256"] = hashlib.sha256(data).hexdigest()
        return data

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.fetch()).hexdigest()


def clean(label: str, length: int = 160) -> str:
    """A name fit for a record: one form of each letter, no control characters, no endless length."""
    label = unicodedata.normalize("NFC", label.encode("utf-8", "replace").decode())
    label = "".join("?" if unicodedata.category(c)[0] == "C" else c for c in label).strip()
    return label if len(label) <= length else "…" + label[1 - length :]


def is_wanted(name: str) -> bool:
    return name.lower().endswith(WANTED) or name in (progress.FILE, METADATA)


def refused(parts: tuple[str, ...], why: str) -> File:
    """A file that is not read; `why` ends the sentence that its name begins."""
    sentence = f"{clean('/'.join(parts))} {why}"

    def fetch() -> bytes:
        raise FileProblem(sentence)

    return File(parts, 0, 0.0, fetch, refusal=sentence)


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
        if len(parts) > depth + 1 and places[student] > (FILES + 1 if wanted else OTHERS):
            continue  # one student's files in very great number keep nobody else from being graded
        if len(found) >= MEMBERS:
            raise FileProblem(f"{folder} has more than {MEMBERS:,} files. Give a folder that has only submissions.")
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
        raise FileProblem(_too_large(label))
    return file.read(info.st_size)


def _too_large(label: str) -> str:
    return f"{label} is larger than {FILE_BYTES // 10**6} MB. Clear its outputs and send it again."


def of_zip(archive: File | Path, most: int = MEMBERS) -> list[File]:
    """All files in a zip, in the order of their names; raises FileProblem where it can't be opened.

    A path is opened in place, whatever its size; a File (a zip in a submission) is read into memory, unless it has
    more than `most` members, and one file more is listed than a student may have.
    """
    around = archive.zips + 1 if isinstance(archive, File) else 1
    label = archive.name if isinstance(archive, File) else clean(archive.name)
    if around > ZIPS:
        raise FileProblem(f"{label} is a zip in a zip in a zip. Unpack the inner ones and send it again.")
    opened = _opened(archive, most)
    if isinstance(archive, File):
        archive.members = len(opened.infolist())
    found: list[File] = []
    places = Counter[bool]()
    for index, info in enumerate(opened.infolist()):
        parts = tuple(part for part in info.filename.replace("\\", "/").split("/") if part not in ("", "."))
        if info.is_dir() or not parts or any(IGNORED.fullmatch(p) and p != ".." for p in parts):
            continue
        wanted = is_wanted(parts[-1])
        places[wanted] += 1
        if isinstance(archive, File) and places[wanted] > (FILES + 1 if wanted else OTHERS):
            continue
        if not wanted:
            found.append(File(parts, 0, 0.0, bytes, around))
            continue
        problem = _problem(info, parts, around)
        if problem:
            found.append(refused(parts, problem))
            continue
        fetch = _fetcher(archive, index, info.file_size, f"{clean('/'.join(parts))} in {label}")
        found.append(File(parts, info.file_size, _seconds(info), fetch, around))
    return sorted(found, key=lambda f: f.parts)


def _seconds(info: zipfile.ZipInfo) -> float:
    """The time written beside a member, as if it were in UTC; 0 where it is no time."""
    try:
        return datetime.datetime(*info.date_time, tzinfo=datetime.UTC).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _problem(info: zipfile.ZipInfo, parts: tuple[str, ...], around: int) -> str:
    """Why a member is not read, as the end of a sentence, or ""."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if ".." in parts or info.filename.startswith(("/", "\\")) or re.match(r"[A-Za-z]:$", parts[0]):
        return "has a name that leads out of the archive; it is left out."
    if stat.S_ISLNK(kind):
        return LINK
    if kind and not stat.S_ISREG(kind):
        return ODD
    if info.flag_bits & 1:
        return "is locked with a password. Send it without one."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in an unusual way. Make an ordinary zip."
    if info.file_size > FILE_BYTES:
        return f"is larger than {FILE_BYTES // 10**6} MB. Clear its outputs and send it again."
    if info.file_size > max(RATIO_FROM, RATIO * info.compress_size):
        return f"unpacks to more than {RATIO} times its size; it is left out."
    if parts[-1].lower().endswith(".zip") and around >= ZIPS:
        return "is a zip in a zip in a zip. Unpack the inner ones and send it again."
    return ""


def _fetcher(archive: File | Path, index: int, file_size: int, label: str) -> Callable[[], bytes]:
    def fetch() -> bytes:
        try:
            opened = _opened(archive)
            with opened.open(opened.infolist()[index]) as file:
                data = file.read(file_size + 1)
        except BROKEN:
            raise FileProblem(f"{label} is damaged. Make the zip again.") from None
        if len(data) != file_size:
            raise FileProblem(f"{label} is damaged. Make the zip again.")
        return data

    return fetch


def _opened(archive: File | Path, most: int = MEMBERS) -> zipfile.ZipFile:
    return _open_file(archive, most) if isinstance(archive, File) else _open_path(archive, archive.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _open_path(path: Path, _mtime: int) -> zipfile.ZipFile:
    with open(path, "rb") as file:
        _count_members(file, clean(path.name), MEMBERS)
    try:
        return zipfile.ZipFile(path)
    except (*BROKEN, MemoryError):
        raise FileProblem(f"{clean(path.name)} is no zip, or a damaged one. Make it again.") from None


_inner: dict[int, tuple[File, zipfile.ZipFile]] = {}  # the last one opened, by how many archives are around it


def _open_file(archive: File, most: int = MEMBERS) -> zipfile.ZipFile:
    known = _inner.get(archive.zips)
    if known and known[0] is archive:
        return known[1]
    _inner.pop(archive.zips, None)
    data = archive.read()
    _count_members(io.BytesIO(data), archive.name, most)
    try:
        opened = zipfile.ZipFile(io.BytesIO(data))
    except (*BROKEN, MemoryError):
        raise FileProblem(f"{archive.name} is no zip, or a damaged one. Make it again.") from None
    _inner[archive.zips] = archive, opened
    return opened


def _count_members(file: io.BufferedIOBase, label: str, most: int) -> None:
    """Refuse a zip with too many members before they are all read into memory: each has this signature."""
    count, tail = 0, b""
    while chunk := file.read(1 << 20):
        count += (tail + chunk).count(b"PK\x01\x02")
        tail = chunk[-3:]
        if count > most:
            raise FileProblem(f"{label} has more than {most:,} files. Send only the notebooks.")
