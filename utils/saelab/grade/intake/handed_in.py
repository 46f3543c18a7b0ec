"""Submissions as students really send them: whose is which file, and what is in it.

`find` takes what the instructor gives (notebooks, scripts, folders, zips, downloads of a whole class from Canvas,
Moodle or Gradescope) and returns one Entry a student, without reading notebooks; `load` reads one entry. Trouble is
a sentence in the entry's notes; it never stops the others.

Who is who:
- In a download from Canvas, Moodle or Gradescope, the number in the name that the system gave (Gradescope: the
  student number or address of its metadata file, if there): whatever files carry it are one student's.
- In a folder of a class, each folder, file or zip in it is one student, known by its name without the suffix. What
  is in one of them and looks like a class again is refused, not merged.
- A folder is one student's if it has a progress file, folders named as chapters, or notebooks named as the
  course's; it is known by the folder's name. So is such a notebook given alone, by the folder around its chapter.
- A zip is one student's, known by its name, unless it is the only thing given and holds the folders or the
  notebooks of several.
- What one student uploaded is that student's, whatever names are in it.
Only equal names (after Unicode's NFC) in the same place, or equal numbers, are one student; of several submissions
the newest counts and a note says so. Equal names from different places are kept apart as `ada (week1)`.
"""

import hashlib
import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from saelab import answers, content
from saelab.answers import CODE, StudentCell, Submission, SubmissionError, progress

from . import archive, owners
from .archive import METADATA, File, FileProblem, clean
from .owners import Owner, Parcel

FILES = 500  # notebooks and scripts of one student
TOTAL = 1_000_000_000  # bytes of them, unpacked


@dataclass
class Entry:
    """One student's submission, not read yet. `submitted` is an ISO time, or "" where the download doesn't tell."""

    student: str
    name: str
    files: list[File]
    submitted: str = ""
    notes: list[str] = field(default_factory=list)
    system: str = ""  # canvas, moodle or gradescope, whose number the identity is

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Name as handed in → sha256; a file that can't be read has "" there."""
        found: dict[str, str] = {}
        for file in self.files:
            name, number = file.name, 2
            while name in found:
                name, number = f"{file.name} ({number})", number + 1
            try:
                found[name] = file.sha256
            except FileProblem:
                found[name] = ""
        return found

    @cached_property
    def sha256(self) -> str:
        """Over all names and contents."""
        lines = (f"{name}\0{digest}\n" for name, digest in sorted(self.hashes.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass
class Work:
    """What is in an entry: cells, hints seen by exercise (where the progress file was sent), notes for the record."""

    submission: Submission
    hints: dict[str, int]
    notes: list[str]


def load(entry: Entry, examine: Callable[[list[StudentCell]], None] | None = None) -> Work:
    """Read an entry's files. Never raises for what a student sent.

    `examine` (an Examiner) looks at all cells now, in another process; without it, here when they are asked for.
    """
    work = Work(Submission(Path(entry.student), []), {}, list(entry.notes))
    seen: set[str] = set()
    for file in entry.files:
        try:
            data = file.read()
            if file.sha256 in seen:
                continue
            seen.add(file.sha256)
            if file.parts[-1] == progress.FILE:
                work.hints |= _hints(data)
            else:
                work.submission.cells += answers.from_bytes(Path(file.name), data).cells
        except (FileProblem, SubmissionError) as problem:
            work.notes.append(str(problem))
    if sum(len(cell.text) for cell in work.submission.cells) > CODE:
        work.submission.cells = []
        work.notes.append(f"All files together have more than {CODE:,} characters of code. Take out what is not yours.")
    if examine:
        examine(work.submission.cells)
    return work


def _hints(data: bytes) -> dict[str, int]:
    lines = data[:1_000_000].decode("utf-8", "replace").splitlines()
    known = {e.id: len(e.hints) for e in content.exercises()}
    matches = (match for line in lines if len(line) < 300 and (match := progress.LINE.fullmatch(line.strip())))
    return {m[1]: min(int(m[3]), known[m[1]]) for m in matches if m[1] in known}


def find(paths: list[Path]) -> tuple[list[Entry], list[str]]:
    """(one entry a student in order of their names, notes about the whole)."""
    notes: list[str] = []
    parcels: list[Parcel] = []
    for number, path in enumerate(paths):
        try:
            parcels += _parcels_of(path, number, len(paths) == 1, notes)
        except (FileProblem, OSError) as problem:
            sentence = str(problem) if isinstance(problem, FileProblem) else f"{path}: {problem.strerror}."
            notes.append(sentence)
    by_key: dict[tuple, list[Parcel]] = defaultdict(list)
    for parcel in _joined(parcels):
        if parcel.owner.key[0] == "canvas":
            owners.drop_older_uploads(parcel.files, parcel.notes)
        by_key[parcel.owner.key].append(parcel)
    entries = [(parcel, _entry(parcel)) for parcel in map(_newest, by_key.values())]
    _tell_apart(entries)
    return sorted((entry for _, entry in entries), key=lambda e: e.student), notes


def _parcels_of(path: Path, order: int, alone: bool, notes: list[str]) -> list[Parcel]:
    """The parcels in one of the paths given."""
    kind = path.lstat().st_mode if os.path.lexists(path) else 0
    if not kind:
        raise FileProblem(f"There is nothing called {path}.")
    if stat.S_ISLNK(kind):
        raise FileProblem(f"{path} is a link, and links are not followed. Give what it points to.")
    if stat.S_ISDIR(kind):
        return _split(path.resolve(), archive.of_folder(path), order, alone)
    if not stat.S_ISREG(kind) or not archive.is_wanted(path.name):
        raise FileProblem(f"{path} is no notebook, script, folder or zip.")
    here = path.resolve().parent
    if path.suffix.lower() == ".zip" and not owners.by_system(path.name):
        return _split(path.resolve(), archive.of_zip(path), order, alone)
    owner = owners.by_system(path.name)
    if not owner and (path.stem in owners.course_stems() or here.name in owners.chapters()):
        home = here.parent if here.name in owners.chapters() else here
        owner = Owner(("folder", str(home)), home.name, home.name)
    owner = owner or Owner(("name", str(here), _nfc(path.stem)), path.stem, path.stem)
    parcel = Parcel(owner, here.name, order, notes=[owner.note] * bool(owner.note), single=owner.key[0] != "name")
    _add(parcel, archive.of_path(path, owner.parts or (path.name,)))
    return [parcel]


def _split(root: Path, files: list[File], order: int, alone: bool) -> list[Parcel]:
    """Sort the files of a folder or zip by student."""
    is_zip = root.suffix.lower() == ".zip" and not root.is_dir()
    label = root.stem if is_zip else root.name
    while (inner := owners.only_folder(files)) is not None and (is_zip or len(owners.items(_below(files))) > 1):
        label, files = label if is_zip else inner, _below(files)
    groups = owners.items(files)
    may_be_class = alone or not is_zip
    systems = {item: owner for item in groups if may_be_class and (owner := owners.by_system(item))}
    single = is_zip or (not alone and sum(f.suffix == ".ipynb" for f in files) == 1)
    if not systems and (owners.is_one_students(groups) or (single and not (may_be_class and owners.is_class(groups)))):
        parcel = Parcel(Owner(("name", str(root.parent), _nfc(label)), label, label), root.name, order)
        _fill(parcel, files, label)
        return [parcel]
    about = owners.metadata(_read_quietly(groups.pop(METADATA)[0])) if METADATA in groups else {}
    parcels: dict[tuple, Parcel] = {}
    for item, members in groups.items():
        stem = Path(item).stem if archive.is_wanted(item) else item
        owner = systems.get(item) or Owner(("name", str(root), _nfc(stem)), stem, stem)
        told = about.get(item) if owner.key[0] == "gradescope" else None
        if told:
            owner = Owner(("gradescope", told.student), told.student, told.name, note=told.note)
        together = (owner.key,) if owner.key[0] in ("canvas", "moodle") else (owner.key, item)
        parcel = parcels.setdefault(together, Parcel(owner, root.name, order, submitted=told.submitted if told else ""))
        parcel.notes += [owner.note] * bool(owner.note)
        if owner.parts and len(members[0].parts) == 1:
            members = [replace(file, parts=owner.parts) for file in members]
        _fill(parcel, members, item)
    return list(parcels.values())


def _below(files: list[File]) -> list[File]:
    """The files without the first folder of their names."""
    return [replace(file, parts=file.parts[1:]) for file in files if len(file.parts) > 1]


def _fill(parcel: Parcel, files: list[File], label: str) -> None:
    """Put files into a parcel, unless they look like those of several students."""
    inner = _below(files) if owners.only_folder(files) else files
    if owners.is_class(owners.items(inner), nested=True):
        parcel.notes.append(f"{clean(label)} looks like a whole class, not one student. Give it by itself.")
        return
    for file in files:
        _add(parcel, file)


def _add(parcel: Parcel, file: File) -> None:
    """Put a file into a parcel; a zip's files instead of the zip."""
    if file.suffix != ".zip" or file.refusal:
        parcel.files.append(file)
        return
    try:
        members = archive.of_zip(file)
        inner = _below(members) if owners.only_folder(members) else members
        if owners.is_class(owners.items(inner), nested=True):
            raise FileProblem(f"{file.name} looks like a whole class, not one student. Give it by itself.")
        for member in members:
            _add(parcel, member)
    except FileProblem as problem:
        parcel.notes.append(str(problem))


def _read_quietly(file: File) -> bytes:
    try:
        return file.read()
    except FileProblem:
        return b""


def _joined(parcels: list[Parcel]) -> list[Parcel]:
    """The parcels, with files that were given one by one and lie in one place as one."""
    joined: dict[tuple, Parcel] = {}
    for number, parcel in enumerate(parcels):
        first = joined.setdefault((parcel.owner.key, parcel.place) if parcel.single else (number,), parcel)
        if first is not parcel:
            first.files += parcel.files
            first.notes += parcel.notes
    return list(joined.values())


def _newest(group: list[Parcel]) -> Parcel:
    """The parcel of one student that counts."""
    group = sorted(group, key=lambda p: (p.submitted, max((f.stamp for f in p.files), default=0.0), p.order))
    for other in group[:-1]:
        names = ", ".join(f.name for f in other.files[:3]) or other.place
        group[-1].notes.append(f"Handed in more than once: the newest counts, not {names}.")
    return group[-1]


def _entry(parcel: Parcel) -> Entry:
    files, notes = [f for f in parcel.files if f.parts[-1] != METADATA], list(dict.fromkeys(parcel.notes))
    if len(files) > FILES or sum(f.size for f in files) > TOTAL:
        notes.append(f"More than {FILES} files or {TOTAL // 10**6} MB. Send only your notebooks.")
        files = []
    own = [f.name for f in files if f.suffix == ".ipynb" and f.stem not in owners.course_stems()]
    if len(own) > 1 and parcel.owner.key[0] == "name":
        notes.append(f"{len(own)} notebooks are taken as one student's: {', '.join(own[:5])}.")
    if not any(file.suffix in (".ipynb", ".py") and not file.refusal for file in files):
        notes.append("There is no notebook or script in it.")
    student, name = clean(parcel.owner.student) or "unnamed", clean(parcel.owner.name)
    system = parcel.owner.key[0] if parcel.owner.key[0] in owners.SYSTEMS else ""
    return Entry(student, name, sorted(files, key=_weight), parcel.submitted, notes, system)


def _weight(file: File) -> tuple:
    """What comes later counts more: the course's own names, and files that don't lie in some deeper folder."""
    return file.stem in owners.course_stems(), -len(file.parts), file.parts


def _tell_apart(entries: list[tuple[Parcel, Entry]]) -> None:
    """Give students of the same name different identities, and say where names are all but the same."""
    count = Counter(entry.student for _, entry in entries)
    used = {student for student in count if count[student] == 1}
    for parcel, entry in entries:
        if count[entry.student] > 1:
            name, number = f"{entry.student} ({clean(parcel.place)})", 2
            while name in used:
                name, number = f"{entry.student} ({clean(parcel.place)} {number})", number + 1
            entry.notes.append(
                f"There is more than one submission by the name of {entry.student}; kept apart as {name}."
            )
            entry.student = name
            used.add(name)
    alike = defaultdict(list)
    for _, entry in entries:
        alike[unicodedata.normalize("NFKC", entry.student).casefold()].append(entry)
    for group in alike.values():
        for entry in group if len(group) > 1 else ():
            others = ", ".join(other.student for other in group if other is not entry)
            entry.notes.append(f"Not the same student as {others}, though the names are all but alike.")


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
