"""Whose a file is, judged by names alone: those of Canvas, Moodle, Gradescope and nbgrader, of folders and chapters."""

import datetime
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from saelab import content
from saelab.answers import progress

from .archive import METADATA, File, clean

SYSTEM = {"canvas": "Canvas", "moodle": "Moodle", "gradescope": "Gradescope", "nbgrader": "nbgrader"}
SYSTEMS = ("canvas", "moodle", "gradescope")
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.S)
MOODLE = re.compile(  # the last number counts: a display name may hold what looks like another's
    r"(?P<name>[^/]+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)", re.S
)
GRADESCOPE = re.compile(r"submission_(?P<id>\d+)")
AGAIN = re.compile(r"(?P<base>.+)-(?P<number>\d{1,3})")  # Canvas counts uploads of the same name
NBGRADER = re.compile(r"(?P<id>[^+/]+)\+[^+/]+\+(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^+/]*)(?:\+[^/]*)?")
NBGRADERS = {"source", "release", "autograded", "feedback", "gradebook.db", "nbgrader_config.py"}  # beside `submitted`
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|UTC|[+-]\d\d:?\d\d)")


@dataclass(frozen=True)
class Owner:
    """A student: `key` decides who is the same, `student` is the identity shown. `parts` renames their file.

    `how` ends the sentence "known by …"; `doubt` is a sentence about what speaks against it.
    """

    key: tuple
    student: str
    name: str
    parts: tuple[str, ...] = ()
    note: str = ""
    how: str = ""
    doubt: str = ""
    submitted: str = ""


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


def by_system(item: str) -> Owner | None:
    """The owner of a file or folder that Canvas, Moodle or Gradescope named; None for other names."""
    moodle, canvas, gradescope = MOODLE.fullmatch(item), CANVAS.fullmatch(item), GRADESCOPE.fullmatch(item)
    if moodle:
        numbers = re.findall(r"_(\d+)_assignsubmission_", item)
        doubt = ""
        if len(set(numbers)) > 1:
            doubt = f"There is more than one number in `{clean(item)}`, of which the last counts. Whose is it?"
        parts = tuple(filter(None, [moodle["file"]]))
        how = "Moodle's number in the name"
        return Owner(("moodle", moodle["id"]), moodle["id"], moodle["name"], parts, how=how, doubt=doubt)
    if canvas:
        late = "Canvas marks a file as late." if canvas["late"] else ""
        how = "Canvas's number in the name"
        return Owner(("canvas", canvas["id"]), canvas["id"], canvas["name"], (canvas["file"],), late, how)
    if gradescope:
        number = gradescope["id"]
        return Owner(("gradescope", number), number, item, how="Gradescope's number of the submission")
    if sent := NBGRADER.fullmatch(item):
        how = "the name that nbgrader gave"
        return Owner(("nbgrader", sent["id"]), sent["id"], sent["id"], how=how, submitted=moment(sent["time"]))
    return None


def by_systems(items: Iterable[str]) -> dict[str, Owner]:
    """Item → its owner by a system's name, where the names of all of them agree with each other."""
    items = list(items)
    found = {item: owner for item in items if (owner := by_system(item))}
    canvas = {item: match for item in found if found[item].key[0] == "canvas" and (match := CANVAS.fullmatch(item))}
    uploads = Counter(match["upload"] for match in canvas.values())
    names = defaultdict(set)
    for match in canvas.values():
        names[match["id"]].add(match["name"])
    for item, match in canvas.items():
        name, number, owner = match["name"], match["id"], found[item]
        if uploads[match["upload"]] > 1:  # each upload has a number of its own there: it only looks alike
            del found[item]
        elif len(names[number]) > 1:
            several = clean(", ".join(sorted(names[number])))
            doubt = f"Canvas's number {number} stands beside several names: {several}. Whose is it?"
            found[item] = replace(owner, key=("canvas", number, name), doubt=doubt)
    if 0 < len(found) <= len(items) // 2:
        for item, owner in found.items():
            system = SYSTEM[owner.key[0]]
            doubt = f"`{clean(item)}` is named as {system} names files, what lies beside it is not. Whose is it?"
            found[item] = replace(owner, doubt=owner.doubt or doubt)
    return found


def moment(text: str) -> str:
    """An ISO time, or "" where the text is none."""
    match = TIME.match(text)
    if not match:
        return ""
    zone = {"Z": "+00:00", "UTC": "+00:00"}.get(match[3], match[3])
    try:
        return datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").isoformat()
    except ValueError:
        return ""


def course_stems() -> frozenset[str]:
    """How the course's own notebooks are called, without the suffix."""
    return _course(os.environ.get("SAELAB_COURSE"))[0]


def chapters() -> frozenset[str]:
    return _course(os.environ.get("SAELAB_COURSE"))[1]


@lru_cache(maxsize=4)
def _course(_chosen: str | None) -> tuple[frozenset[str], frozenset[str]]:
    sources = list((content.root() / "chapters").glob("*/[0-9]*.py"))
    pages = (content.root() / "chapters").glob("*.ipynb")  # the contents page, which `saelab start` writes as well
    stems = (path.stem for path in [*sources, *pages])
    return frozenset(stems), frozenset(path.parent.name for path in sources)


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


def belongs_to_one(groups: dict[str, list[File]]) -> list[str]:
    """The items that speak for one student: a progress file, chapters, loose notebooks named as the course's."""
    return [item for item, files in groups.items() if is_one_students({item: files})]


def judge(groups: dict[str, list[File]], alone: bool) -> str:
    """`one` student's, a `class`, `unclear` where the names contradict each other, or "" where they don't tell.

    A single notebook named as the course's, left among the submissions of a class, doesn't make the class one student.
    """
    ones = belongs_to_one(groups)
    if not ones:
        return ""
    others = {item: files for item, files in groups.items() if item not in ones and item != METADATA}
    folders = {item: files for item, files in others.items() if len(files[0].parts) > 1}
    notebooks = ({f.parts[-1] for f in files if f.suffix == ".ipynb"} for files in folders.values())
    shared = Counter(name for names in notebooks for name in names)
    homes = [
        item
        for item, files in folders.items()
        if is_one_students(items(below(files))) or any(shared[f.parts[-1]] > 1 for f in files)
    ]
    scripts = not any(f.suffix == ".ipynb" for item in ones for f in groups[item])  # beside a notebook: its helpers
    kinds = (".ipynb", ".zip", ".py") if scripts else (".ipynb", ".zip")
    maybe = [item for item, files in others.items() if item in folders or files[0].suffix in kinds]
    if len({owner.key for item in groups if (owner := by_system(item))}) > 1:
        return "class"
    many = len(maybe) >= 8 or sum(item.endswith(".py") for item in others) >= 20
    if len(homes) >= max(3, 2 * len(ones)) or (len(ones) == 1 and many):
        return "class"
    if len(homes) > max(1, len(ones) - 1) or (alone and len(ones) == 1 and len(maybe) > 1):
        return "unclear"
    return "one"


def is_nbgraders(groups: dict[str, list[File]]) -> bool:
    """Is it the folder of a course of nbgrader's, of which only `submitted` holds what students sent?"""
    return "submitted" in groups and bool(NBGRADERS & set(groups))


def below(files: list[File]) -> list[File]:
    """The files without the first folder of their names."""
    return [replace(file, parts=file.parts[1:]) for file in files if len(file.parts) > 1]


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


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
