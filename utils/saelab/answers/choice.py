"""Which cell is the answer: what a cell has for an exercise, as a rank, and what is nobody's answer."""

import re
from functools import lru_cache
from pathlib import Path

from saelab import content
from saelab.content import Exercise

from .cells import StudentCell
from .magics import without_magics
from .statements import examine

# What a cell has for an exercise, the best first; in another file than the exercise's own, 10 more. The last three
# are no answers: text, a cell with the starter's `raise` in it, and one that is the starter to the letter.
DEFINED, DEFINED_ELSEWHERE, UNREADABLE, ASSIGNED, UNNAMED, ASIDE, STARTER, UNTOUCHED = 0, 1, 2, 3, 4, 97, 98, 99


def rank(cell: StudentCell, exercise: Exercise, homes: set[Path]) -> int | None:
    """How far a cell is from being the answer, or None; `homes` are the files in which the exercise is looked for."""
    marked = cell.exercise in (exercise.name, exercise.id)
    defined = defines(cell, exercise)
    given = defined or exercise.name in cell.digest.gives
    if not (marked or given):
        return None
    if cell.aside:
        return ASIDE
    if exercise.name in cell.digest.unwritten:
        return UNTOUCHED if cell.text.strip() == exercise.starter.strip() else STARTER
    away = 10 if homes and cell.file not in homes else 0
    if marked:
        return away + (UNREADABLE if cell.digest.problem else DEFINED if given else UNNAMED)
    if (away and cell.file.stem in _sections()) or is_the_courses(cell, exercise):
        return None
    if cell.digest.problem:
        return away + UNREADABLE
    if not defined:
        return away + ASSIGNED
    return away + (DEFINED_ELSEWHERE if cell.exercise else DEFINED)


def defines(cell: StudentCell, exercise: Exercise) -> bool:
    """Does the cell define the exercise's function, by `def`, `class` or `lambda`? A text may show a definition too."""
    if cell.aside and "```" in cell.prose:
        return False
    if cell.aside or cell.digest.problem:
        return re.search(rf"^(async def|def|class) {exercise.name}\b", cell.prose or cell.text, re.M) is not None
    return exercise.name in cell.digest.defines


def is_the_courses(cell: StudentCell, exercise: Exercise) -> bool:
    """Did the binding of the exercise's name come with the notebook?"""
    binding = [s for s in cell.digest.statements if exercise.name in s.gives]
    if not binding:
        return False
    sources = [source for chapter in content.chapters() for source in content.sources(chapter)]
    own = _own_statements(tuple((source.path, source.path.stat().st_mtime_ns) for source in sources))
    return all(statement.text in own for statement in binding)


def _sections() -> set[str]:
    """What the course's notebooks are called. A definition in one of them is taken for that section's own."""
    return {source.stem for chapter in content.chapters() for source in content.sources(chapter)}


@lru_cache(maxsize=4)
def _own_statements(files: tuple[tuple[Path, int], ...]) -> set[str]:
    """The top-level statements of the course's cells that are no exercises."""
    cells = [cell for path, _ in files for cell in content.read(path).cells if cell.kind == "code"]
    digests = [examine(without_magics(cell.text)) for cell in cells if cell.role in (None, "setup")]
    return {statement.text for digest in digests for statement in digest.statements}
