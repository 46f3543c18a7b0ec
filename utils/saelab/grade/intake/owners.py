"""Whose a file is, judged by names alone: those that Canvas, Moodle and Gradescope give, folders, chapters."""

import datetime
import os
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from saelab import content
from saelab.answers import progress

from .archive import File

SYSTEMS = ("canvas", "moodle", "gradescope")
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.S)
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)", re.S)
GRADESCOPE = re.compile(r"submission_(?P<id>\d+)")
AGAIN = re.compile(r"(?P<base>.+)-(?P<number>\d{1,3})")  # Canvas counts uploads of the same name
ABOUT = re.compile(r"\s*-?\s*:(name|sid|email|created_at):\s*(.*)")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|UTC|[+-]\d\d:?\d\d)")


@dataclass(frozen=True)
class Owner:
    """A student: `key` decides who is the same, `student` is the identity shown. `parts` renames their file."""

    key: tuple
    student: str
    name: str
    parts: tuple[str, ...] = ()
    note: str = ""


@dataclass
class Parcel:
    """What one student handed in at one time. `place` is the folder or archive it was found in."""

    owner: Owner
    place: str
    order: int
    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    submitted: str = ""
    listed: int = 0  # members of all archives in it
    unpacked: int = 0  # bytes of archives in archives
    single: bool = False  # a file that may be one of several of the student's
    others: list[str] = field(default_factory=list)  # names of files that are not looked into
    problems: list[str] = field(default_factory=list)  # sentences about what could not be read
    unread: list[str] = field(default_factory=list)  # names of what these are about


@dataclass(frozen=True)
class About:
    """What Gradescope's metadata file says of one submission."""

    student: str
    name: str
    submitted: str
    note: str = ""


def by_system(item: str) -> Owner | None:
    """The owner of a file or folder that Canvas, Moodle or Gradescope named; None for other names."""
    moodle, canvas, gradescope = MOODLE.fullmatch(item), CANVAS.fullmatch(item), GRADESCOPE.fullmatch(item)
    if moodle:
        return Owner(("moodle", moodle["id"]), moodle["id"], moodle["name"], tuple(filter(None, [moodle["file"]])))
    if canvas:
        late = "Canvas marks a file as late." if canvas["late"] else ""
        return Owner(("canvas", canvas["id"]), canvas["id"], canvas["name"], (canvas["file"],), late)
    if gradescope:
        return Owner(("gradescope", gradescope["id"]), gradescope["id"], item)
    return None


def course_stems() -> frozenset[str]:
    """How the course's own notebooks are called, without the suffix."""
    return _course(os.environ.get("SAELAB_COURSE"))[0]


def chapters() -> frozenset[str]:
    return _course(os.environ.get("SAELAB_COURSE"))[1]


@lru_cache(maxsize=4)
def _course(_chosen: str | None) -> tuple[frozenset[str], frozenset[str]]:
    sources = list((content.root() / "chapters").glob("*/[0-9]*.py"))
    return frozenset(path.stem for path in sources), frozenset(path.parent.name for path in sources)


def items(files: list[File]) -> dict[str, list[File]]:
    """First part of the name → the files of it, in order."""
    found = defaultdict(list)
    for file in files:
        found[file.parts[0]].append(file)
    return dict(found)


def only_folder(files: list[File]) -> str | None:
    """The one folder that holds everything, if it is no chapter and no student's by a system's name."""
    first = {file.parts[0] for file in files if len(file.parts) > 1}
    if len(first) != 1 or any(len(file.parts) == 1 for file in files):
        return None
    (name,) = first
    return None if name in chapters() or by_system(name) else name


def is_one_students(groups: dict[str, list[File]]) -> bool:
    """A progress file, a folder named as a chapter, or a loose notebook named as one of the course's."""
    loose = [name for name, files in groups.items() if len(files[0].parts) == 1]
    folders = set(groups) - set(loose)
    return (
        progress.FILE in loose or bool(folders & chapters()) or any(Path(name).stem in course_stems() for name in loose)
    )


def is_class(groups: dict[str, list[File]], nested: bool = False) -> bool:
    """Do these files belong to several students? Asked `nested`, of what should be one's, only strong signs count.

    Signs: names that a system gave to several; the same notebook of the course in two folders (nested: three, since
    one student may have an old copy); not nested: several notebooks or zips side by side.
    """
    if is_one_students(groups):
        return False
    if len({owner.key for item in groups if (owner := by_system(item))}) > 1:
        return True
    folders = [files for files in groups.values() if len(files[0].parts) > 1]
    stems = Counter(stem for files in folders for stem in {f.stem for f in files} & course_stems())
    if any(count > 1 + nested for count in stems.values()):
        return True
    return not nested and sum(name.lower().endswith((".ipynb", ".zip")) for name in groups) > 1


def drop_older_uploads(files: list[File], notes: list[str]) -> None:
    """Of `lab.ipynb`, `lab-1.ipynb`, `lab-2.ipynb` side by side keep the last; without a plain `lab.ipynb` keep all."""
    versions: dict[tuple, dict[int, File]] = defaultdict(dict)
    for file in files:
        again = AGAIN.fullmatch(file.stem)
        where = (file.parts[:-1], file.suffix)
        versions[where, file.stem][0] = file
        if again:
            versions[where, again["base"]][int(again["number"])] = file
    older = set()
    for group in versions.values():
        if 0 in group:
            last = group.pop(max(group))
            older |= {id(file) for file in group.values()}
            notes += [f"{last.name} counts, not the older {file.name}." for file in group.values()]
    files[:] = [file for file in files if id(file) not in older]


def metadata(data: bytes) -> dict[str, About]:
    """Folder → what Gradescope's submission_metadata.yml says of it. Only the lines needed are read, by hand."""
    found: dict[str, About] = {}
    item = ""
    values: dict[str, list[str]] = defaultdict(list)
    for line in [*data[:20_000_000].decode("utf-8", "replace").splitlines(), "end:"]:
        if line[:1].strip() and line.rstrip().endswith(":") and line[0] not in "#-":
            if item:
                found[item] = _about(item, values)
            item, values = line.rstrip()[:-1].strip("\"'"), defaultdict(list)
        elif (match := ABOUT.fullmatch(line)) and match[2].strip("\"' "):
            values[match[1]].append(match[2].strip().strip("\"'"))
    return found


def _about(item: str, values: dict[str, list[str]]) -> About:
    match = TIME.match((values["created_at"] or [""])[0])
    submitted = ""
    if match:
        zone = {"Z": "+00:00", "UTC": "+00:00"}.get(match[3], match[3])
        try:
            submitted = datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").isoformat()
        except ValueError:
            submitted = ""
    gradescope = GRADESCOPE.fullmatch(item)
    if len(values["name"]) > 1 or not (values["sid"] or values["email"]):
        note = f"Handed in by a group: {', '.join(values['name'])}." if len(values["name"]) > 1 else ""
        return About(gradescope["id"] if gradescope else item, ", ".join(values["name"]) or item, submitted, note)
    student = (values["sid"] or values["email"])[0]
    return About(student, (values["name"] or [student])[0], submitted)


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
