"""Checking a student's work: an answer that leans on another one is not punished for that one."""

import inspect
import types
from collections.abc import Callable

from saelab import content
from saelab.content import Exercise
from saelab.report import Report

from . import runner
from .replay import names_in


def check_with_dependencies(exercise: Exercise, parts: dict[str, Callable], seed: int | str = 0) -> Report:
    """Check; where the answer fails and calls earlier exercises, try again with those solved.

    If that passes, the mistake is in the earlier exercise: the report passes and says so.
    """
    missing = [name for name in exercise.parts if name not in parts]
    if missing:
        report = Report(exercise.id, "missing", exercise.points)
        report.notes.append(f"There is no function called `{missing[0]}`. Run the cell that defines it.")
        return report
    report = runner.run(exercise, parts, seed)
    functions = {name: fn for name, fn in parts.items() if isinstance(fn, types.FunctionType)}
    if report.status != "failed" or len(functions) < len(parts):
        return report
    used = _earlier_exercises(exercise, functions)
    if not used:
        return report
    solved = {name: fn for e in used for name, fn in content.reference_parts(e).items()}
    mended = runner.run(exercise, {name: _rebind(fn, solved) for name, fn in functions.items()}, seed)
    if mended.passed:
        mended.notes.append(note_on_solved(used))
    return mended if mended.passed else report


def note_on_solved(used: list[Exercise]) -> str:
    """What a student is told whose answer passes with these exercises solved."""
    names = " and ".join(f"`{e.name}`" for e in used)
    return f"Checked with the course's {names}, since your own {names} does not pass yet."


def _earlier_exercises(exercise: Exercise, parts: dict[str, types.FunctionType]) -> list[Exercise]:
    """Exercises before this one that the student has tried and whose names these functions use as globals."""
    names = set().union(*map(names_in, parts.values()))
    known: dict = {name: made for fn in parts.values() for name, made in fn.__globals__.items()}
    return [e for e in content.before(exercise) if any(_is_tried(e, known.get(part)) for part in names & set(e.parts))]


def _is_tried(exercise: Exercise, made: object) -> bool:
    """Is it something of the student's, and not the starter, which only raises NotImplementedError(its name)?"""
    return made is not None and not ("NotImplementedError" in names_in(made) and _says(made, exercise.name))


def _says(made: object, word: str) -> bool:
    """Is the word a constant of this function's, or of a method of this class?"""
    if inspect.isclass(made):
        return any(_says(method, word) for method in vars(made).values())
    return isinstance(made, types.FunctionType) and word in made.__code__.co_consts


def _rebind(fn: types.FunctionType, names: dict[str, Callable]) -> types.FunctionType:
    """The same function, seeing other globals."""
    copy = types.FunctionType(fn.__code__, {**fn.__globals__, **names}, fn.__name__, fn.__defaults__, fn.__closure__)
    copy.__kwdefaults__ = fn.__kwdefaults__
    copy.__annotations__ = fn.__annotations__
    return copy
