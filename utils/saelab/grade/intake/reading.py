"""What one student handed in, and what is read of it: cells, hints seen, and sentences about the rest."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from saelab import answers, content
from saelab.answers import CODE, StudentCell, Submission, SubmissionError, progress
from saelab.content import Exercise

from . import instead, owners
from .archive import File, FileProblem

TWO = (
    "`{name}` is answered in both {one} and {other}, not in the same way; one answer counts. Are these two students' "
    "notebooks? Then give each of them a folder."
)


@dataclass
class Entry:
    """One student's submission, not read yet. `submitted` is an ISO time, or "" where the download doesn't tell.

    `problems` are those of the notes that a person has to look at: what was handed in and can't be read; `unread` has
    the names of that.
    """

    student: str
    name: str
    files: list[File]
    submitted: str = ""
    notes: list[str] = field(default_factory=list)
    system: str = ""  # canvas, moodle or gradescope, whose number the identity is
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    known_by: str = ""  # what the identity was guessed from: "the name of the file"

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
        """Over all names and contents, and what is wrong with the rest."""
        lines = [f"{name}\0{digest}\n" for name, digest in sorted(self.hashes.items())] + self.problems
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass
class Work:
    """What is in an entry: cells, hints seen by exercise (where the progress file was sent), notes for the record.

    `problems` and `unread` as in the entry, with what could not be read of its files.
    """

    submission: Submission
    hints: dict[str, int]
    notes: list[str]
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def tell(self, problem: str, unread: list[str]) -> None:
        """Note what is wrong with these files."""
        self.notes.append(problem)
        self.problems.append(problem)
        self.unread += unread

    def may_be_unread(self, exercise: Exercise) -> bool:
        """Could an answer to this exercise be in what was not read? Not in another section's notebook."""
        stems = {instead.stem(Path(name).name) for name in self.unread}
        return any(stem == exercise.path.stem or stem not in owners.course_stems() for stem in stems)


def load(entry: Entry, examine: Callable[[list[StudentCell]], None] | None = None) -> Work:
    """Read an entry's files. Never raises for what a student sent.

    `examine` (an Examiner) looks at all cells now, in another process; without it, here when they are asked for.
    """
    work = Work(Submission(Path(entry.student), []), {}, list(entry.notes), list(entry.problems), list(entry.unread))
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
            work.tell(str(problem), [file.name])
    if sum(len(cell.text) for cell in work.submission.cells) > CODE:
        work.submission.cells = []
        much = f"All files together have more than {CODE:,} characters of code. Take out what is not yours."
        work.tell(much, [file.name for file in entry.files])
    if not (work.problems or any(cell.text.strip() or cell.aside or cell.problem for cell in work.submission.cells)):
        names = ", ".join(file.name for file in entry.files[:5])
        work.tell(f"There is no code in it ({names}). Is it the right file?", [])
    if examine:
        examine(work.submission.cells)
    if not entry.system:
        _check_for_two(work)
    return work


def _check_for_two(work: Work) -> None:
    """Say so where two notebooks hold different answers to the same exercise, and neither is a copy of the other."""
    answered: dict[Path, dict[str, str]] = defaultdict(dict)
    names = content.part_names()
    for cell in work.submission.cells:
        if cell.file.suffix == ".ipynb" and not cell.aside:
            for s in cell.digest.statements:
                answered[cell.file] |= dict.fromkeys((s.defines & names) - cell.digest.unwritten, s.text)
    files = list(answered)[:50]
    for number, one in enumerate(files):
        for other in files[:number]:
            both = [n for n in answered[one].keys() & answered[other].keys() if answered[one][n] != answered[other][n]]
            if both and not _is_copy(one, other):
                work.tell(TWO.format(name=min(both), one=other, other=one), [])
                return


def _is_copy(one: Path, other: Path) -> bool:
    """Is one called as a copy of the other (`lab-Copy1`, `old/lab`)?"""
    a, b = one.stem.casefold(), other.stem.casefold()
    nested = one.parent == other.parent or one.parent in other.parents or other.parent in one.parents
    return nested and (a.startswith(b) or b.startswith(a))


def _hints(data: bytes) -> dict[str, int]:
    lines = data[:1_000_000].decode("utf-8", "replace").splitlines()
    known = {e.id: len(e.hints) for e in content.exercises()}
    matches = (match for line in lines if len(line) < 300 and (match := progress.LINE.fullmatch(line.strip())))
    return {m[1]: min(int(m[3]), known[m[1]]) for m in matches if m[1] in known}
