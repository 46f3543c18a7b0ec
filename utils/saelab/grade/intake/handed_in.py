"""Submissions as students really send them: whose is which file, and what is in it.

`find` takes what the instructor gives (notebooks, scripts, folders, zips, downloads of a whole class from Canvas,
Moodle or Gradescope) and returns one Entry a student, without reading notebooks (`reading` does). Trouble is a sentence
in the entry's problems; it never stops the others.

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
- Who handed in only what can't be graded (a PDF, an empty folder) has an entry as well, which says so.
Only equal names (after Unicode's NFC) in the same place, or equal numbers, are one student; of several submissions
the newest counts and a note says so. Equal names from different places are kept apart as `ada (week1)`.
"""

import os
import stat
import unicodedata
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from . import archive, folder, instead, owners
from .archive import FILES, METADATA, File, FileProblem, clean
from .gradescope import About, metadata
from .owners import Owner, Parcel, below
from .reading import Entry

UNCLEAR = (
    "{label} can be one student's work ({one} lies in it) or a class: nothing of it is graded. Give each student's "
    "folder or file by itself, or take out what is nobody's."
)
METADATA_LACKS = "submission_metadata.yml says nothing of it, so it is known by Gradescope's number only."
TOTAL = 500_000_000  # bytes of them, unpacked


def find(paths: list[Path], apart_from: Path | None = None) -> tuple[list[Entry], list[str]]:
    """(one entry a student in order of their names, what could not be taken for anybody's).

    What lies in the folder `apart_from`, and what an earlier grading has written, is left out.
    """
    notes: list[str] = []
    parcels: list[Parcel] = []
    apart_from = (apart_from or Path(os.devnull)).resolve()
    for number, path in enumerate(paths):
        try:
            parcels += _parcels_of(path, number, len(paths) == 1, apart_from)
        except (FileProblem, OSError, MemoryError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else "listing what is in it takes too much memory"
            sentence = str(problem) if isinstance(problem, FileProblem) else f"{path}: {why}."
            if len(paths) == 1 or not os.path.lexists(path):
                notes.append(sentence)
            else:  # one of many, as the shell gives them for `submissions/*`
                parcels.append(_unreadable(path.absolute(), number, sentence))
    by_key: dict[tuple, list[Parcel]] = defaultdict(list)
    for parcel in _sure(_joined(parcels)):
        if parcel.owner.key[0] == "canvas":
            owners.drop_older_uploads(parcel.files, parcel.notes)
        by_key[parcel.owner.key].append(parcel)
    entries = [(parcel, _entry(parcel)) for parcel in map(_newest, by_key.values())]
    _tell_apart(entries)
    return sorted((entry for _, entry in entries), key=lambda e: e.student), notes


def _unreadable(path: Path, order: int, sentence: str) -> Parcel:
    """A path that was given as somebody's work and can't be read, under the name that it would have."""
    stem = instead.stem(path.name) if instead.is_document(path.name) else path.stem
    owner = owners.by_system(path.name) or Owner(("name", str(path.parent), owners.nfc(stem)), stem, stem)
    return Parcel(owner, path.parent.name, order, problems=[sentence], unread=[path.name])


def _parcels_of(path: Path, order: int, alone: bool, apart_from: Path) -> list[Parcel]:
    """The parcels in one of the paths given."""
    kind = path.lstat().st_mode if os.path.lexists(path) else 0
    if not kind:
        raise FileProblem(f"There is nothing called {path}.")
    if stat.S_ISLNK(kind):
        raise FileProblem(f"{clean(path.name)} is a link, and links are not followed. Give what it points to.")
    if stat.S_ISDIR(kind):
        if path.resolve() == apart_from or folder.is_results(path):
            return []
        return _split(path.resolve(), folder.of_folder(path, apart_from), order, alone)
    if not stat.S_ISREG(kind):
        raise FileProblem(f"{clean(path.name)} is no notebook, script, folder or zip.")
    if not archive.is_wanted(path.name):
        raise FileProblem(instead.sentence(clean(path.name)))
    here = path.resolve().parent
    if path.suffix.lower() == ".zip" and not owners.by_system(path.name):
        return _split(path.resolve(), archive.of_zip(path), order, alone)
    owner = owners.by_system(path.name)
    if not owner and (path.stem in owners.course_stems() or here.name in owners.chapters()):
        home = here.parent if here.name in owners.chapters() else here
        owner = Owner(("folder", str(home)), home.name, home.name, how="the folder around the course's notebooks")
    owner = owner or Owner(("name", str(here), owners.nfc(path.stem)), path.stem, path.stem, how="the name of the file")
    parcel = Parcel(owner, here.name, order, notes=[owner.note] * bool(owner.note), single=owner.key[0] != "name")
    _add(parcel, folder.of_path(path, owner.parts or (path.name,)))
    return [parcel]


def _split(root: Path, files: list[File], order: int, alone: bool) -> list[Parcel]:
    """Sort the files of a folder or zip by student."""
    is_zip = root.suffix.lower() == ".zip" and not root.is_dir()
    label = root.stem if is_zip else root.name
    while (inner := owners.only_folder(signs := instead.telling(files))) and (
        is_zip or len(owners.items(below(signs))) > 1
    ):
        label, files = label if is_zip else inner, below([f for f in files if f.parts[0] == inner])
    if owners.is_nbgraders(owners.items(files)):
        files = below([f for f in files if f.parts[0] == "submitted"])
    groups, rest = owners.items([f for f in files if f.wanted]), owners.items([f for f in files if not f.wanted])
    may_be_class = alone or not is_zip
    systems = owners.by_systems([*groups, *rest]) if may_be_class else {}
    single = is_zip or (not alone and (not groups or sum(f.suffix == ".ipynb" for f in files) == 1))
    ones = owners.belongs_to_one(groups)
    kind = owners.judge(groups, alone) if may_be_class else "one" * bool(ones)
    if not systems and kind != "class":
        how = f"the name of the {'zip' if is_zip else 'folder'}"
        parcel = Parcel(Owner(("name", str(root.parent), owners.nfc(label)), label, label, how=how), root.name, order)
        if kind == "unclear":
            parcel.problems.append(UNCLEAR.format(label=clean(label), one=clean(ones[0])))
            parcel.unread.append(label)
            return [parcel]
        if kind == "one" or (single and not (may_be_class and owners.is_class(groups))):
            _fill(parcel, files, label)
            return [parcel]
    about, trouble = metadata(_read_quietly(groups.pop(METADATA)[0])) if METADATA in groups else ({}, "")
    shared = Counter(told.student for item, told in about.items() if item in groups)
    parcels: dict[tuple, Parcel] = {}
    for item, members in groups.items():
        owner = systems.get(item) or _by_name(root, item, members, item in ones)
        if owner.key[0] == "gradescope":
            owner = _by_metadata(owner, about.get(item), shared, trouble or METADATA_LACKS * bool(about))
        together = (owner.key,) if owner.key[0] in ("canvas", "moodle") and not owner.doubt else (owner.key, item)
        parcel = parcels.setdefault(together, Parcel(owner, root.name, order, submitted=owner.submitted))
        parcel.notes += [owner.note] * bool(owner.note)
        parcel.problems += [owner.doubt] * bool(owner.doubt)
        if owner.parts and len(members[0].parts) == 1:
            members = [replace(file, parts=owner.parts) for file in members]
        _fill(parcel, members, item)
    return list(parcels.values()) + instead.others(list(parcels.values()), rest, systems, root, order)


def _by_name(root: Path, item: str, members: list[File], is_courses: bool) -> Owner:
    """Who a file, folder or zip of a class is by its name."""
    stem = Path(item).stem if archive.is_wanted(item) else item
    kind = "folder" if len(members[0].parts) > 1 else "zip" if members[0].suffix == ".zip" else "file"
    doubt = f"{clean(item)} lies among the submissions, and its name is the course's own. Whose is it?" * is_courses
    return Owner(("name", str(root), owners.nfc(stem)), stem, stem, how=f"the name of the {kind}", doubt=doubt)


def _by_metadata(owner: Owner, told: About | None, shared: Counter, trouble: str) -> Owner:
    """Who a folder of Gradescope's is by the metadata file, if there is one."""
    if not told:
        return replace(owner, doubt=trouble)
    key: tuple = ("gradescope", told.student)
    doubt = ""
    if shared[told.student] > 1:
        key, doubt = (*key, owner.student), f"{told.student} stands beside more than one submission. Whose is it?"
    how = "what Gradescope's metadata says"
    return Owner(key, told.student, told.name, note=told.note, how=how, doubt=doubt, submitted=told.submitted)


def _fill(parcel: Parcel, files: list[File], label: str) -> None:
    """Put files into a parcel, unless they look like those of several students."""
    parcel.others += [file.name for file in files if not file.wanted]
    files = [file for file in files if file.wanted]
    inner = below(files) if owners.only_folder(files) else files
    if owners.is_class(owners.items(inner), nested=True):
        parcel.problems.append(f"{clean(label)} looks like a whole class, not one student. Give it by itself.")
        parcel.unread.append(label)
        return
    for file in files:
        if len(parcel.files) <= FILES:
            _add(parcel, file)


def _add(parcel: Parcel, file: File) -> None:
    """Put a file into a parcel; a zip's files instead of the zip."""
    if not file.wanted:
        parcel.others.append(file.name)
        return
    if file.suffix != ".zip" or file.refusal:
        parcel.files.append(file)
        return
    try:
        parcel.unpacked += file.size if file.zips else 0
        if parcel.unpacked > TOTAL:
            raise FileProblem(f"{file.name} is left out: all zips come to more than {TOTAL // 10**6} MB.")
        members = archive.of_zip(file, archive.MEMBERS - parcel.listed)
        parcel.listed += file.members
        wanted = [member for member in members if member.wanted]
        inner = below(wanted) if owners.only_folder(wanted) else wanted
        if owners.is_class(owners.items(inner), nested=True):
            raise FileProblem(f"{file.name} looks like a whole class, not one student. Give it by itself.")
        for member in members:
            if len(parcel.files) <= FILES:
                _add(parcel, member)
    except FileProblem as problem:
        parcel.problems.append(str(problem))
        parcel.unread.append(file.name)


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
            first.problems += parcel.problems
            first.unread += parcel.unread
    return list(joined.values())


def _sure(parcels: list[Parcel]) -> list[Parcel]:
    """The parcels; one of a doubtful owner is never put together with another's: it is refused, under its own name."""
    count = Counter(parcel.owner.key for parcel in parcels)
    for number, parcel in enumerate(parcels):
        owner = parcel.owner
        if owner.doubt and owner.key[0] == "moodle" and count[owner.key] > 1:
            parcel.owner = replace(owner, key=("doubtful", number), student=f"{owner.student} ({owner.name})")
            parcel.unread += [file.name for file in parcel.files]
            parcel.files.clear()
    return parcels


def _newest(group: list[Parcel]) -> Parcel:
    """The parcel of one student that counts: the newest, of those with anything in it to be run."""
    group = sorted(
        group, key=lambda p: (_is_work(p.files), p.submitted, max((f.stamp for f in p.files), default=0.0), p.order)
    )
    for other in group[:-1]:
        group[-1].problems += other.problems
        names = ", ".join(f.name for f in other.files[:3]) or ", ".join(other.unread[:3]) or other.place
        group[-1].notes.append(f"Handed in more than once: the newest counts, not {names}.")
    return group[-1]


def _is_work(files: list[File]) -> bool:
    """Is there a notebook or script among them?"""
    return any(file.suffix in (".ipynb", ".py") and not file.refusal for file in files)


def _entry(parcel: Parcel) -> Entry:
    files, notes = [f for f in parcel.files if f.parts[-1] != METADATA], list(dict.fromkeys(parcel.notes))
    problems, unread = list(dict.fromkeys(parcel.problems)), list(dict.fromkeys(parcel.unread))
    if len(files) > FILES or sum(f.size for f in files) > TOTAL:
        problems.append(f"More than {FILES} files or {TOTAL // 10**6} MB. Send only your notebooks.")
        unread.append("all files")
        files = []
    own = [f.name for f in files if f.suffix == ".ipynb" and f.stem not in owners.course_stems()]
    if len(own) > 1 and parcel.owner.key[0] == "name":
        notes.append(f"{len(own)} notebooks are taken as one student's: {', '.join(own[:5])}.")
    packed = [name for name in parcel.others if instead.is_packed(name)]
    problems += [instead.sentence(name) for name in packed[:5]]
    unread += packed
    if not _is_work(files) and not problems and not any(file.refusal for file in files):
        problems.append(instead.no_work(parcel.others))
        unread += parcel.others[:20] or ["all files"]
    notes += problems
    student, name = clean(parcel.owner.student) or "unnamed", clean(parcel.owner.name)
    system = parcel.owner.key[0] if parcel.owner.key[0] in owners.SYSTEMS else ""
    files.sort(key=_weight)
    return Entry(student, name, files, parcel.submitted, notes, system, problems, unread, parcel.owner.how)


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
