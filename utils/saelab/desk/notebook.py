"""The names a notebook uses: `check(fn)` and `hint(fn)`."""

import sys
from collections.abc import Callable

from saelab import content
from saelab.answers import progress
from saelab.content import Exercise
from saelab.extras import MissingExtra
from saelab.report import Report


def check(*implementations: Callable) -> Report:
    """Check your answer to an exercise: `check(dimensionality)`.

    The report is shown as the cell's result. Your progress is remembered; nothing is sent anywhere.
    """
    from saelab.checking import check_with_dependencies

    try:
        exercise, parts = _parts_of(implementations, sys._getframe(1).f_globals)
    except content.UnknownExercise as error:
        return _note(str(error))
    try:
        report = check_with_dependencies(exercise, parts)
    except MissingExtra as error:
        return _note(str(error))
    report.notes += progress.record(report.exercise, report.status)
    if report.status in ("failed", "not-started"):
        report.notes.append(f'Stuck? hint("{exercise.name}") gives a nudge, and more at each call.')
    return report


def hint(exercise: Callable | str) -> "Hint":
    """The next hint of an exercise, one more tier at each call: `hint(dimensionality)`."""
    name = exercise if isinstance(exercise, str) else getattr(exercise, "__name__", repr(exercise))
    try:
        found = content.find(name)
    except content.UnknownExercise as error:
        return Hint(str(error))
    tier = progress.next_hint(found)
    return Hint("\n\n".join(found.hints[:tier]), f"Hint {tier} of {len(found.hints)} · {found.id}")


class Hint:
    """A hint, shown as text or as Markdown with equations."""

    def __init__(self, text: str, title: str = ""):
        self.text, self.title = text, title

    def __str__(self) -> str:
        return f"{self.title}\n\n{self.text}" if self.title else self.text

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"**{self.title}**\n\n{self.text}" if self.title else self.text


def _parts_of(implementations: tuple, beside: dict) -> tuple[Exercise, dict[str, Callable]]:
    """The exercise that these functions belong to; parts not given are taken from `beside`, the caller's names."""
    if not implementations or not all(map(callable, implementations)):
        raise content.UnknownExercise("Give check the function you wrote, without calling it: check(dimensionality).")
    known = {part: exercise for exercise in content.exercises() for part in exercise.parts}
    given = {_name_of(fn, known, beside): fn for fn in implementations}
    exercise = next((known[name] for name in given if name in known), None)
    if exercise is None:
        name = next(iter(given))
        raise content.UnknownExercise(f"There is no exercise {name!r}.{content.nearest(name, list(known))}")
    parts = {part: given.get(part, beside.get(part)) for part in exercise.parts}
    return exercise, {part: fn for part, fn in parts.items() if fn is not None}


def _name_of(fn: Callable, known: dict, beside: dict) -> str:
    """What a function is called; for a lambda or a partial, the name the caller gave it."""
    name = getattr(fn, "__name__", "")
    return name if name in known else next((n for n in known if beside.get(n) is fn), name)


def _note(sentence: str) -> Report:
    return Report(sentence, "missing", 0)
