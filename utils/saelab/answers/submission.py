"""A student's notebook or script as exercises: which cell answers which, and what it needs to run.

Cells are found by the exercise's name in their metadata, else by the function they define, never by
position. From the other cells only the definitions that an answer uses are taken. Nothing is run here.
"""

import builtins
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from saelab import content
from saelab.content import Exercise
from saelab.content import read as read_source
from saelab.files import trouble

from .cells import FILE_BYTES, StudentCell, SubmissionError, read_cells
from .choice import ASIDE, ASSIGNED, STARTER, UNREADABLE, UNTOUCHED, defines, is_the_courses, rank
from .modules import INSTALL, own_modules
from .order import Order, Place
from .statements import examine

IN_LINE = re.compile(r", in its line (\d+):")
BUILTINS = frozenset(dir(builtins))


@dataclass
class Piece:
    """Code to run: `label` stands in its error messages, it begins in line `line` (from 1) of `place`.

    A place is a cell or a script, as the student sees it; what the course adds has none. `own` marks the answer's own
    cell: it has to define what no other piece does.
    """

    label: str
    code: str
    line: int = 1
    own: bool = False
    place: str = ""


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
class Submission:
    """All code cells of a student's file or files."""

    path: Path
    cells: list[StudentCell]

    @cached_property
    def order(self) -> Order:
        return Order(self.cells)

    def answer(self, exercise: Exercise) -> Answer:
        """The student's answer to an exercise, ready to run after the course's own setup cells.

        Of several cells the last one counts that defines the exercise and is more than its starter, but for those
        below the notebook's last `check` of it: what that saw is the answer. A cell marked
        with the exercise draws the choice to its own file; one marked with another exercise counts less. While the
        starter stands there, only a definition counts instead: any variable may happen to have the exercise's name.
        """
        found = Answer(exercise)
        ranked = [(rank, cell) for cell in self.order.all if (rank := self._rank(cell, exercise)) is not None]
        if any(rank >= STARTER for rank, _ in ranked):
            ranked = [(rank, cell) for rank, cell in ranked if rank % 10 != ASSIGNED or rank >= ASIDE]
        if not ranked:
            found.problem = (
                f"{self.path.name} has no cell for `{exercise.name}`. Bring it back with `saelab reset {exercise.id}`."
            )
            found.missing = True
            return found
        best = min(rank for rank, _ in ranked)
        cell = self.order.checked([c for rank, c in ranked if rank == best], exercise)[-1]
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
            found.problem = f"{where} can't be read by Python: {_in_place(cell.digest.problem, cell)}"
        else:
            self._collect(found, cell)
            found.unwritten = best == UNTOUCHED
            found.notes += self._elsewhere(exercise) if best >= STARTER else []
        return found

    def _rank(self, cell: StudentCell, exercise: Exercise) -> int | None:
        return rank(cell, exercise, self._homes(exercise.id, exercise.name, exercise.path.stem))

    def _elsewhere(self, exercise: Exercise) -> list[str]:
        """A note about definitions in another section's notebook, which are no answer to an exercise of this one."""
        places = [c for c in self.order.all if defines(c, exercise) and not (c.exercise or c.aside)]
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
        for cell in self.order.all:
            found[cell.file.stem].add(cell.file)
        return found

    @cached_property
    def _marks(self) -> dict[str, set[Path]]:
        found = defaultdict(set)
        for cell in self.order.all:
            found[cell.exercise].add(cell.file)
        return found

    def _collect(self, found: Answer, cell: StudentCell) -> None:
        """The pieces that an answer is made of, and the exercises it calls."""
        exercise = found.exercise
        setup = _setup(exercise.path, exercise.path.stat().st_mtime_ns)
        here = self.order.positions[id(cell)]
        grown = self._grown(cell, exercise)
        taken = self._definitions_for(cell, grown, set(exercise.parts) - cell.digest.binds, setup)
        own = [p.statement for p in [*taken, *grown]] + cell.digest.statements
        late = [p for p in self.order.futures if p.cell.file == cell.file and p.position <= here]
        found.pieces = [Piece("setup", text) for text in setup.cells]
        wanted = set().union(*(s.modules for s in own))
        if modules := own_modules(self.order.all, cell.file.parent, wanted):
            found.pieces.append(Piece("your own modules", INSTALL.format(found=modules)))
        found.pieces += [_piece(p) for p in {p.statement.text: p for p in [*late, *taken]}.values()]
        own_code = _without_main(cell, exercise)
        found.pieces.append(Piece(f"{cell.label} ({exercise.name})", own_code, cell.line, own=True, place=cell.place))
        found.pieces += [_piece(p) for p in grown]
        bound = set().union(*(s.binds for s in own))
        called = set().union(*(s.uses for s in own)) - (setup.binds - bound)
        found.uses = [e for e in content.before(exercise) if called & set(e.parts)]

    def _grown(self, cell: StudentCell, exercise: Exercise) -> list[Place]:
        """What is done to the answer below its cell, until its last `check`: methods attached, wrappers put around."""
        parts, here = set(exercise.parts) & cell.digest.binds, self.order.positions[id(cell)]
        end = self.order.last_check(cell.file, exercise)
        if end[0] < here:
            end = (math.inf, math.inf)
        places = {id(p.statement): p for name in parts for p in self.order.index.get((cell.file, name), [])}
        found = []
        for p in places.values():
            s = p.statement
            if here < p.position and (p.position, s.line) <= end and parts & (s.changes | s.wraps | s.touches):
                found.append(p)
        return sorted(found, key=lambda p: (p.position, p.statement.line))

    def _definitions_for(self, cell: StudentCell, grown: list[Place], parts: set[str], setup: "Setup") -> list[Place]:
        """Statements of the file's other cells that bind a name the answer uses, theirs included, in order.

        What stands above the answer's cell is preferred to what stands below. A builtin's name is looked for only
        among definitions and imports, so that a stray `max = 3` does no harm. Star imports (`*`) are taken where a
        name is a builtin's or found nowhere else, and what the course's setup runs anyway is not run twice.
        """
        here = self.order.positions[id(cell)]
        own = cell.digest.binds
        queue = [*parts, *cell.digest.needs]
        queue += set().union(*(p.statement.uses | p.statement.now for p in grown)) - own - set(queue)
        seen, taken = set(queue), {id(p.statement): p for p in grown}
        star = False
        while queue:
            name = queue.pop()
            places = self._places(cell, name, setup)
            above = [p for p in places if p.position < here]
            if any(name in p.statement.binds for p in above) or name in own:
                places = above
            found = any(name in p.statement.binds for p in places)
            star = star or (name in BUILTINS or not (found or name in setup.binds))
            if not queue and star and "*" not in seen:
                queue, seen = ["*"], seen | {"*"}
            for place in places:
                if id(place.statement) not in taken and place.statement.text not in setup.statements:
                    taken[id(place.statement)] = place
                    s = place.statement
                    new = ((s.uses - own) | (s.now & own)) - seen
                    seen |= new
                    queue += new
        own_places = {id(p.statement) for p in grown}
        chosen = [p for p in taken.values() if id(p.statement) not in own_places]
        return sorted(chosen, key=lambda p: (p.position, p.statement.line))

    def _places(self, cell: StudentCell, name: str, setup: "Setup") -> list[Place]:
        """Where another cell of the file binds or changes a name, as far as that may matter to an answer.

        An exercise's name means its definition and what was made of that, not a variable that has it for a while.
        """
        places = [p for p in self.order.index.get((cell.file, name), []) if p.cell is not cell]
        if name in BUILTINS:
            return [p for p in places if p.statement.kind in ("definition", "import", "alias")]
        if name in setup.binds:
            places = [p for p in places if name in p.statement.binds | p.statement.changes]
        if name in content.part_names() and any(name in p.statement.defines for p in places):
            kept = [(p, p.statement) for p in places]
            return [p for p, s in kept if name in s.defines | s.wraps | s.changes | s.touches or s.kind == "import"]
        return places


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
        cell.file = path.parent / cell.file if cell.file.name else path
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


def _piece(place: Place) -> Piece:
    line = place.cell.line - 1 + place.statement.line
    return Piece(place.cell.label, place.statement.text, line, place=place.cell.place)


def _in_place(problem: str, cell: StudentCell) -> str:
    """What Python can't read, with its line counted as the student sees it."""
    if not cell.script:
        return problem
    return IN_LINE.sub(lambda match: f", in line {cell.line - 1 + int(match[1])} of {cell.script}:", problem, count=1)


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
