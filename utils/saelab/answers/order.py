"""A student's cells in the order in which they run, and where in them a name is bound, changed or checked."""

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from saelab.content import Exercise

from .cells import CELLS, StudentCell
from .statements import Statement


@dataclass
class Place:
    """A statement and where it stands: the number of its cell among all cells."""

    position: int
    cell: StudentCell
    statement: Statement


@dataclass
class Order:
    """The cells of a student's files, as they run."""

    cells: list[StudentCell]

    @cached_property
    def positions(self) -> dict[int, int]:
        """The id of each cell → its number among all."""
        return {id(cell): position for position, cell in enumerate(self.all)}

    @cached_property
    def all(self) -> list[StudentCell]:
        """All cells, those of a file that a notebook runs by `%run` in the place where it does."""
        found, files = [], defaultdict(list)
        for cell in self.cells:
            files[cell.file].append(cell)
        for cell in self.cells:
            found.append(cell)
            for name in cell.runs:
                found += self._ran(cell, name, files) if len(found) - len(self.cells) < CELLS else []
        return found

    def _ran(self, cell: StudentCell, name: str, files: dict[Path, list[StudentCell]]) -> list[StudentCell]:
        """The cells of the file that a cell runs, as if they stood in its notebook."""
        names = {name} if Path(name).suffix else {f"{name}.py", f"{name}.ipynb"}
        paths = {path for path in files if path.name in {Path(n).name for n in names} and path != cell.file}
        if not paths:
            return []
        beside = {cell.file.parent / n for n in names} & paths
        path = min(beside or paths)
        ran = []
        for one in (c for c in files[path] if not c.aside):
            copy = replace(one, file=cell.file, unit=f"{path.name}, {one.unit}", exercise="")
            copy.__dict__["digest"] = one.digest
            ran.append(copy)
        return ran

    def checked(self, cells: list[StudentCell], exercise: Exercise) -> list[StudentCell]:
        """Those of an exercise's cells that its file's last `check` has seen, or all of them where it saw none."""
        seen = [c for c in cells if self.positions[id(c)] <= self.last_check(c.file, exercise)[0]]
        return seen or cells

    def last_check(self, file: Path, exercise: Exercise) -> tuple[float, float]:
        """(position, line) of a file's last `check(…)` of an exercise; infinite where there is none."""
        parts = set(exercise.parts)
        found = [(p.position, p.statement.line) for p in self._checks.get(file, ()) if parts & p.statement.uses]
        return max(found, default=(math.inf, math.inf))

    @cached_property
    def _checks(self) -> dict[Path, list[Place]]:
        found = defaultdict(list)
        for position, cell in enumerate(self.all):
            for statement in cell.digest.statements:
                if statement.kind in ("check", "main") and "check" in statement.uses:
                    found[cell.file].append(Place(position, cell, statement))
        return found

    @cached_property
    def index(self) -> dict[tuple[Path, str], list[Place]]:
        """(file, name) → the statements of the file that bind or change the name, in order."""
        index: dict[tuple[Path, str], list[Place]] = defaultdict(list)
        imported: dict[Path, set[str]] = defaultdict(set)
        effects: dict[tuple[Path, str], set[str]] = defaultdict(set)  # of calling what has the name
        for cell in self.all:
            for s in cell.digest.statements:
                imported[cell.file] |= s.binds if s.kind == "import" else set()
                for name in s.binds if s.effects else ():
                    effects[cell.file, name] |= s.effects
        for position, cell in enumerate(self.all):
            for s in cell.digest.statements:
                if s.kind == "check":
                    continue
                called = set().union(*(effects.get((cell.file, name), ()) for name in s.now))
                for name in s.binds | s.changes | ((s.touches | called) - imported[cell.file]):
                    index[cell.file, name].append(Place(position, cell, s))
        return index

    @cached_property
    def futures(self) -> list[Place]:
        """Imports from `__future__`, which hold in a notebook for all cells behind."""
        cells = enumerate(self.all)
        return [Place(n, cell, s) for n, cell in cells for s in cell.digest.statements if "__future__" in s.modules]
