"""A student's notebook or script as exercises: which cell answers which, and what it needs to run.

Cells are found by the exercise's name in their metadata, else by the function they define, never by
position. From the other cells only the definitions that an answer uses are taken. Nothing is run here.
"""

import builtins
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from saelab import content
from saelab.content import Exercise
from saelab.content import read as read_source
from saelab.files import trouble

from .cells import FILE_BYTES, StudentCell, SubmissionError, read_cells
from .choice import ASIDE, ASSIGNED, STARTER, UNREADABLE, UNTOUCHED, defines, is_the_courses, rank
from .statements import Statement, examine

BUILTINS = frozenset(dir(builtins))
MODULE = """\
import sys as _sys, types as _types
_sys.modules[{name!r}] = _types.ModuleType({name!r})
exec(compile({code!r}, {file!r}, "exec", dont_inherit=True), _sys.modules[{name!r}].__dict__)
"""


@dataclass
class Piece:
    """Code to run: `label` stands in its error messages."""

    label: str
    code: str


@dataclass
class Answer:
    """What a submission has for one exercise: code to run, or a sentence why there is none."""

    exercise: Exercise
    pieces: list[Piece] = field(default_factory=list)
    problem: str = ""
    missing: bool = False
    unwritten: bool = False  # the cell is the starter to the letter
    notes: list[str] = field(default_factory=list)
    uses: list[Exercise] = field(default_factory=list)  # earlier ones of the chapter, which this answer calls by name


@dataclass
class Place:
    """A statement and where it stands: the number of its cell among all cells."""

    position: int
    cell: StudentCell
    statement: Statement


@dataclass
class Submission:
    """All code cells of a student's file or files."""

    path: Path
    cells: list[StudentCell]

    def answer(self, exercise: Exercise) -> Answer:
        """The student's answer to an exercise, ready to run after the course's own setup cells.

        Of several cells the last one counts that defines the exercise and is more than its starter. A cell marked
        with the exercise draws the choice to its own file; one marked with another exercise counts less. While the
        starter stands there, only a definition counts instead: any variable may happen to have the exercise's name.
        """
        found = Answer(exercise)
        ranked = [(rank, cell) for cell in self.cells if (rank := self._rank(cell, exercise)) is not None]
        if any(rank >= STARTER for rank, _ in ranked):
            ranked = [(rank, cell) for rank, cell in ranked if rank % 10 != ASSIGNED or rank >= ASIDE]
        if not ranked:
            found.problem = (
                f"{self.path.name} has no cell for `{exercise.name}`. Bring it back with `saelab reset {exercise.id}`."
            )
            found.missing = True
            return found
        best = min(rank for rank, _ in ranked)
        cell = [c for rank, c in ranked if rank == best][-1]
        written = [c for rank, c in ranked if rank // 10 == best // 10 and rank % 10 <= UNREADABLE]
        if len(written) > 1:
            times = f"`{exercise.name}` is there {len(written)} times ({_list_places(written)})"
            found.notes.append(f"{times}; {cell.label} counts.")
        where = f"{cell.label.capitalize()} ({exercise.name})"
        if cell.aside:
            found.problem = f"{where} is a {cell.aside} cell, so Python never runs it. Make it a code cell again."
        elif cell.magic:
            found.problem = f"{where} starts with `{cell.magic}`, so Python never runs it. Take that line out."
        elif cell.digest.problem:
            found.problem = f"{where} can't be read by Python: {cell.digest.problem}"
        else:
            self._collect(found, cell)
            found.unwritten = best == UNTOUCHED
            found.notes += self._elsewhere(exercise) if best >= STARTER else []
        return found

    def _rank(self, cell: StudentCell, exercise: Exercise) -> int | None:
        return rank(cell, exercise, self._homes(exercise.id, exercise.name, exercise.path.stem))

    def _elsewhere(self, exercise: Exercise) -> list[str]:
        """A note about definitions in another section's notebook, which are no answer to an exercise of this one."""
        places = [c for c in self.cells if defines(c, exercise) and not (c.exercise or c.aside)]
        places = [c for c in places if not c.digest.problem and not is_the_courses(c, exercise)]
        if not places:
            return []
        where = f"{places[-1].label} of {places[-1].file.name}"
        return [f"`{exercise.name}` is defined in {where} too; an answer belongs into the exercise's own cell."]

    def _homes(self, id: str, name: str, stem: str) -> set[Path]:
        """The files that have a cell marked with the exercise, or else those called as its notebook."""
        marked = {path for mark in (id, name) for path in self._marks.get(mark, ())}
        return marked or self._files.get(stem, set())

    @cached_property
    def _files(self) -> dict[str, set[Path]]:
        found = defaultdict(set)
        for cell in self.cells:
            found[cell.file.stem].add(cell.file)
        return found

    @cached_property
    def _marks(self) -> dict[str, set[Path]]:
        found = defaultdict(set)
        for cell in self.cells:
            found[cell.exercise].add(cell.file)
        return found

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {id(cell): position for position, cell in enumerate(self.cells)}

    def _collect(self, found: Answer, cell: StudentCell) -> None:
        """The pieces that an answer is made of, and the exercises it calls."""
        exercise = found.exercise
        setup = _setup(exercise.path, exercise.path.stat().st_mtime_ns)
        parts_elsewhere = set(exercise.parts) - cell.digest.binds
        taken = self._definitions_for(cell, parts_elsewhere, setup)
        own = [p.statement for p in taken] + cell.digest.statements
        here = self._positions[id(cell)]
        late = {p.statement.text: p for p in self._futures if p.cell.file == cell.file and p.position <= here}
        first = [p.statement.text for p in taken if p.statement.binds & parts_elsewhere]
        helpers = [p for p in taken if not p.statement.binds & parts_elsewhere]
        found.pieces = [Piece("setup", text) for text in setup.cells]
        found.pieces += self._modules(own)
        found.pieces += [Piece(p.cell.label, p.statement.text) for p in [*late.values(), *helpers]]
        found.pieces.append(
            Piece(f"{cell.label} ({exercise.name})", "\n".join([*first, _without_main(cell, exercise)]))
        )
        bound = set().union(*(s.binds for s in own))
        called = set().union(*(s.uses for s in own)) - (setup.binds - bound)
        found.uses = [e for e in content.before(exercise) if called & set(e.parts)]

    @cached_property
    def _index(self) -> dict[tuple[Path, str], list[Place]]:
        """(file, name) → the statements of the file that bind or change the name, in order."""
        index = defaultdict(list)
        for position, cell in enumerate(self.cells):
            for statement in cell.digest.statements:
                place = Place(position, cell, statement)
                for name in (statement.binds | statement.changes) if statement.kind != "check" else ():
                    index[cell.file, name].append(place)
        return index

    @cached_property
    def _futures(self) -> list[Place]:
        """Imports from `__future__`, which hold in a notebook for all cells behind."""
        cells = enumerate(self.cells)
        return [Place(n, cell, s) for n, cell in cells for s in cell.digest.statements if "__future__" in s.modules]

    def _definitions_for(self, cell: StudentCell, parts: set[str], setup: "Setup") -> list[Place]:
        """Statements of the file's other cells that bind a name the answer uses, theirs included, in order.

        What stands above the answer's cell is preferred to what stands below. A builtin's name is looked for only
        among definitions and imports, so that a stray `max = 3` does no harm. Star imports (`*`) are taken only when
        a name is found nowhere else, and what the course's setup runs anyway is not run twice.
        """
        here = self._positions[id(cell)]
        own = cell.digest.binds
        queue = [*parts, *(cell.digest.uses - own)]
        seen, taken = set(queue), {}
        unresolved = False
        while queue:
            name = queue.pop()
            places = [p for p in self._index.get((cell.file, name), []) if p.cell is not cell]
            if name in BUILTINS:
                places = [p for p in places if p.statement.kind in ("definition", "import")]
            above = [p for p in places if p.position < here]
            if any(name in p.statement.binds for p in above):
                places = above
            if not any(name in p.statement.binds for p in places) and not (name in BUILTINS or name in setup.binds):
                unresolved = True
            if not queue and unresolved and "*" not in seen:
                queue, seen = ["*"], seen | {"*"}
            for place in places:
                if id(place.statement) not in taken and place.statement.text not in setup.statements:
                    taken[id(place.statement)] = place
                    new = place.statement.uses - seen - own
                    seen |= new
                    queue += new
        return sorted(taken.values(), key=lambda p: (p.position, p.statement.line))

    def _modules(self, statements: Iterable[Statement]) -> list[Piece]:
        """The student's own .py files that these statements import, as modules; none hides an installed one."""
        files = defaultdict(list)
        for cell in self.cells:
            if cell.file.suffix.lower() == ".py" and cell.file.stem.isidentifier():
                files[cell.file.stem].append(cell)
        found: dict[str, Piece] = {}
        wanted = sorted(set().union(*(s.modules for s in statements)))
        while wanted:
            name = wanted.pop()
            if name in files and name not in found and not _is_installed(name):
                code = "\n".join(cell.text for cell in files[name])
                found[name] = Piece(f"{name}.py", MODULE.format(name=name, code=code, file=f"{name}.py"))
                wanted += sorted(set().union(*(s.modules for c in files[name] for s in c.digest.statements)))
        return list(reversed(found.values()))


def read(path: Path) -> Submission:
    """Read a notebook (.ipynb) or a script (.py); raises SubmissionError with one sentence."""
    try:
        if path.exists() and not path.is_file():
            raise IsADirectoryError
        if path.stat().st_size > FILE_BYTES:
            raise SubmissionError(
                f"{path} is larger than {FILE_BYTES // 10**6} MB. Clear its outputs and save it again."
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise SubmissionError(f"There is no file {path}.") from None
    except OSError as error:
        wrong = f"{path} can't be read: it is no file. Give a notebook (.ipynb) or a script (.py)."
        raise SubmissionError(trouble(error) if error.errno else wrong) from None
    return from_bytes(path, data)


def from_bytes(path: Path, data: bytes) -> Submission:
    """The same for a file that has been read already; `path` only names it."""
    cells = read_cells(str(path), data)
    for cell in cells:
        cell.file = path
    return Submission(path, cells)


def merge(submissions: list[Submission]) -> Submission:
    """Several files of one student as one submission."""
    return Submission(submissions[0].path, [cell for s in submissions for cell in s.cells])


@dataclass(frozen=True)
class Setup:
    """The course's setup cells of one source, their statements, and the names they bind."""

    cells: list[str]
    statements: set[str]
    binds: set[str]


@lru_cache(maxsize=64)
def _setup(path: Path, _mtime: int) -> Setup:
    cells = read_source(path).setup
    statements = [statement for text in cells for statement in examine(text).statements]
    return Setup(cells, {s.text for s in statements}, set().union(*(s.binds for s in statements)))


def _without_main(cell: StudentCell, exercise: Exercise) -> str:
    """The cell's text; what it does only when run as a program, and what runs before it, is left out line for line."""
    lines = cell.text.split("\n")
    for s in cell.digest.statements:
        alone = "\n".join(lines[s.line - 1 : s.line + s.text.count("\n")]).strip() == s.text
        if (s.kind == "main" and not s.binds & set(exercise.parts)) or ("__future__" in s.modules and alone):
            for number in range(s.line - 1, s.line + s.text.count("\n")):
                lines[number] = ""
    return "\n".join(lines)


def _is_installed(module: str) -> bool:
    return module in sys.modules or importlib.util.find_spec(module) is not None


def _list_places(cells: list[StudentCell]) -> str:
    """`cells 1, 2`, with the file's name where there is more than one file; no more than the first five."""
    more = ", …" * (len(cells) > 5)
    if len({c.file for c in cells}) > 1:
        return ", ".join(f"{c.label} of {c.file.name}" for c in cells[:5]) + more
    return f"{cells[0].unit}s " + ", ".join(str(c.number) for c in cells[:5]) + more


def find_notebooks(home: Path, exercise: Exercise | None = None) -> list[Path]:
    """The student's notebooks in a folder, or only that of one exercise's section."""
    chapters = [exercise.chapter] if exercise else content.chapters()
    found = [path for chapter in chapters for path in sorted((home / chapter).glob("*.ipynb"))]
    if exercise:
        found = [path for path in found if path.stem == exercise.path.stem] or found
    return [path for path in found if not path.name.startswith(".")]
