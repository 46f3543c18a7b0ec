"""One chapter source (a Jupytext percent script) as cells, and the exercises written in them.

The first metadata key of a cell is its role; the roles are listed in `ROLES`. Nothing here knows
of checking or grading: a source goes in, `Cell`s and `Exercise`s come out.
"""

import ast
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

ROLES = ("setup", "exercise", "hint", "misconception", "alternative")
PLAIN_KEYS = ("tags", "title", "lines_to_next_cell")  # on a cell without a role
BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
PAIR = re.compile(r"(\w+)=(\"[^\"]*\"|\[[^\]]*\]|\S+)")


class SourceError(Exception):
    """Something an author wrote that can't be built: where, what, and what to do about it."""

    def __init__(self, path: Path, line: int, problem: str, remedy: str, exercise: str = ""):
        self.path, self.line, self.exercise = path, line, exercise
        about = f"exercise {exercise}: " if exercise else ""
        super().__init__(f"{path}:{line}: {about}{problem}. {remedy}.")


@dataclass(frozen=True)
class Cell:
    """A cell of a source: its text, its metadata, and the line its marker stands on."""

    kind: str  # "code" or "markdown"
    text: str
    meta: dict
    line: int

    @property
    def role(self) -> str | None:
        return next((key for key in self.meta if key in ROLES), None)

    @property
    def value(self):
        return self.meta[self.role] if self.role else None


@dataclass(frozen=True)
class Variant:
    """A misconception or an alternative: another implementation of one part of an exercise."""

    name: str
    part: str
    code: str
    doc: str
    line: int


@dataclass
class Exercise:
    """One exercise as its source tells it; `id` is `chapter/function_name`."""

    chapter: str
    name: str
    path: Path
    line: int
    title: str
    code: str
    meta: dict
    parts: tuple[str, ...]
    hints: list[str] = field(default_factory=list)
    misconceptions: list[Variant] = field(default_factory=list)
    alternatives: list[Variant] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.chapter}/{self.name}"

    @property
    def points(self) -> int:
        return self.meta["points"]

    @property
    def minutes(self) -> int:
        return self.meta["minutes"]

    @property
    def starter(self) -> str:
        return starter(self.code, self.name)

    @property
    def solution(self) -> str:
        """The code without the marks of where the student's part begins and ends."""
        return "\n".join(line for line in self.code.splitlines() if line.strip() not in (BEGIN, END))


@dataclass
class Source:
    """A whole source file: `chapter` is its folder's name, `stem` names the files made from it."""

    path: Path
    cells: list[Cell]
    exercises: list[Exercise]

    @property
    def chapter(self) -> str:
        return self.path.parent.name

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def setup(self) -> list[str]:
        """The texts of its setup cells."""
        return [cell.text for cell in self.cells if cell.role == "setup"]

    @property
    def title(self) -> str:
        found = (re.search(r"^# (.+)", c.text, re.M) for c in self.cells if c.kind == "markdown")
        return next((match[1] for match in found if match), self.stem)


def read(path: Path) -> Source:
    """Read a source file; raises SourceError naming file, line, exercise and remedy."""
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _mtime: int) -> Source:
    text = path.read_text(encoding="utf-8")
    cells = _cells(path, text)
    return Source(path, cells, _exercises(path, cells))


def starter(code: str, name: str) -> str:
    """The student's version of an exercise cell: each solution block becomes one `raise`."""
    kept, hidden = [], False
    for line in code.splitlines():
        mark = line.strip()
        if mark == BEGIN:
            hidden = True
            kept.append(line[: len(line) - len(line.lstrip())] + f'raise NotImplementedError("{name}")')
        elif mark == END:
            hidden = False
        elif not hidden:
            kept.append(line)
    return "\n".join(kept)


def solution_lines(code: str) -> list[str]:
    """The lines that stand between the solution markers, stripped, blank ones left out."""
    lines, hidden = [], False
    for line in map(str.strip, code.splitlines()):
        if line in (BEGIN, END):
            hidden = line == BEGIN
        elif hidden and line:
            lines.append(line)
    return lines


def public_names(code: str) -> tuple[str, ...]:
    """Names of the functions and classes that a piece of code defines at its top level."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return tuple(node.name for node in ast.parse(code).body if isinstance(node, kinds))


def _cells(path: Path, text: str) -> list[Cell]:
    # Read by hand, because importing jupytext takes 1.5 s; a test holds it equal to jupytext's reading.
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        raise SourceError(path, 1, "text before the first cell", "Start the file with a `# %%` line")
    cells = []
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        cell = _cell(path, lines[start], lines[start + 1 : end], start + 1)
        unknown = [key for key in cell.meta if key not in PLAIN_KEYS] if cell.role is None else []
        if unknown:
            raise SourceError(path, start + 1, f"unknown cell role {unknown[0]!r}", f"Roles are {', '.join(ROLES)}")
        cells.append(cell)
    return cells


def _cell(path: Path, marker: str, body: list[str], line: int) -> Cell:
    head = marker.removeprefix("# %%").strip()
    kind = "markdown" if head.startswith("[markdown]") else "code"
    head = head.removeprefix("[markdown]").strip()
    try:
        meta = {key: json.loads(value) for key, value in PAIR.findall(head)}
    except ValueError:
        meta = {}
    if PAIR.sub("", head).strip() or (head and not meta):
        raise SourceError(
            path, line, f"can't read the cell marker {marker!r}", 'Write key=1 or key="text" pairs behind it'
        )
    if kind == "markdown":
        bare = [text for text in body if text.strip() and not text.startswith("#")]
        if bare:
            raise SourceError(path, line, f"code in a markdown cell: {bare[0]!r}", "Put `# ` before each line of text")
        body = [text[2:] if text.startswith("# ") else text[1:] for text in body]
    return Cell(kind, "\n".join(body).strip("\n"), meta, line)


def _exercises(path: Path, cells: list[Cell]) -> list[Exercise]:
    found: dict[str, Exercise] = {}
    current, title = None, ""
    for cell in cells:
        if cell.kind == "markdown" and cell.role is None:
            heading = re.findall(r"^#{2,3} (.+)", cell.text, re.M)
            title = heading[-1] if heading else title
        elif cell.role == "exercise":
            current = _exercise(path, cell, title, found)
            found[current.name] = current
        elif cell.role == "hint":
            _add_hint(path, cell, current)
        elif cell.role in ("misconception", "alternative"):
            owner = found.get(cell.value)
            if owner is None:
                remedy = f"Write it below the exercise cell, with {cell.role}=NAME of an exercise in this file"
                raise SourceError(path, cell.line, f"{cell.role} of an unknown exercise {cell.value!r}", remedy)
            group = owner.misconceptions if cell.role == "misconception" else owner.alternatives
            group.append(_variant(path, cell, owner))
    return list(found.values())


def _exercise(path: Path, cell: Cell, title: str, found: dict) -> Exercise:
    name = cell.value

    def fail(problem: str, remedy: str):
        raise SourceError(path, cell.line, problem, remedy, exercise=str(name))

    if name in found:
        fail(f"written a second time (first at line {found[name].line})", "Rename or remove one of them")
    try:
        parts = public_names(cell.text)
    except SyntaxError as error:
        raise SourceError(path, cell.line + (error.lineno or 0), error.msg, "Mend the syntax", str(name)) from None
    if name not in parts:
        fail(f"the cell defines no function or class {name!r}", f"Define {name} in it, or rename the exercise")
    for key in ("points", "minutes"):
        if not isinstance(cell.meta.get(key), int):
            fail(f"{key} missing or not a whole number", f"Write {key}=… behind the exercise's name")
    open_block, blocks = False, 0
    for line in map(str.strip, cell.text.splitlines()):
        if line in (BEGIN, END) and (line == BEGIN) == open_block:
            fail(f"{line!r} without its partner", "Put each solution between one BEGIN and one END marker")
        if line in (BEGIN, END):
            open_block, blocks = line == BEGIN, blocks + 1
    if open_block or not blocks:
        fail("no complete solution block", f"Put the solution between {BEGIN!r} and {END!r}")
    return Exercise(path.parent.name, name, path, cell.line, title or name, cell.text, dict(cell.meta), parts)


def _add_hint(path: Path, cell: Cell, current: Exercise | None) -> None:
    if current is None:
        raise SourceError(path, cell.line, "a hint before any exercise", "Move it below its exercise cell")
    if cell.value != len(current.hints) + 1:
        problem = f"hint={cell.value} where hint={len(current.hints) + 1} should come"
        raise SourceError(path, cell.line, problem, "Number hints 1, 2, 3 in order", current.name)
    current.hints.append(cell.text)


def _variant(path: Path, cell: Cell, owner: Exercise) -> Variant:
    def fail(problem: str, remedy: str):
        raise SourceError(path, cell.line, problem, remedy, exercise=owner.name)

    names = public_names(cell.text)
    if len(names) != 1:
        fail(f"a {cell.role} defines one function or class, this cell {len(names)}", "Give each a cell of its own")
    part = cell.meta.get("part", owner.name)
    if part not in owner.parts:
        fail(f"the exercise has no part {part!r}", f"Its parts are {', '.join(owner.parts)}")
    node = next(n for n in ast.parse(cell.text).body if isinstance(n, (ast.FunctionDef, ast.ClassDef)))
    doc = ast.get_docstring(node) or ""
    if cell.role == "misconception" and not doc:
        fail(f"misconception {names[0]} has no docstring", "Write in it what a student who made it should be told")
    return Variant(names[0], part, cell.text, " ".join(doc.split()), cell.line)
