"""The course as it is written: sources read as cells and exercises, and the catalogue of all of them.

    from saelab import content
    content.find("dimensionality").points         # an exercise, by name or by chapter/name
    content.exercises("superposition")            # in the order of the course
    content.reference("superposition").gram(W)    # every exercise of a chapter, solved

The sources are the only register. Nothing here knows of checking or grading, and nothing imports torch until a
solution is run.
"""

from .catalogue import (
    PACKAGE,
    NoCourse,
    Solved,
    UnknownExercise,
    before,
    chapter_heading,
    chapters,
    counts_with,
    earlier,
    exercises,
    find,
    is_checkout,
    module_text,
    named,
    nearest,
    number,
    part_names,
    reference,
    reference_parts,
    root,
    solved,
    sources,
    starter_parts,
    test_file,
    variant_parts,
)
from .source import Cell, Exercise, Source, SourceError, Variant, read, solution_lines, starter

__all__ = [
    "PACKAGE", "Cell", "Exercise", "NoCourse", "Solved", "Source", "SourceError", "UnknownExercise", "Variant",
    "before", "chapter_heading", "chapters", "counts_with", "earlier", "exercises", "find", "is_checkout",
    "module_text", "named", "nearest", "number", "part_names", "read", "reference", "reference_parts", "root",
    "solution_lines",
    "solved", "sources", "starter", "starter_parts", "test_file", "variant_parts",
]  # fmt: skip
