"""The files of a zip, read without trusting anything about them, and what is to be said of any file of a submission.

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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
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
TOO_LARGE = f"is larger than {FILE_BYTES // 10**6} MB. Clear its outputs and send it again."


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
        return TOO_LARGE
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
