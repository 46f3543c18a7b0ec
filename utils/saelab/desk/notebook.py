"""The names a notebook uses: `check(fn)`, `hint(fn)`, `solution(fn)` and `dispute(fn)`."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from saelab import answers, content
from saelab.answers import progress
from saelab.content import Exercise
from saelab.extras import MissingExtra
from saelab.files import trouble
from saelab.report import Report

from . import commands, compared, contents
from . import dispute as dispute_
from .patience import TooLong, patient
from .shown import Note, at_once

COLUMNS = 120  # of a notebook's text, where it shows neither HTML nor Markdown


def check(*implementations: Callable | str) -> "Report | Note":
    """Check your answer to an exercise: `check(dimensionality)`, or by name or number: `check("1.6")`.

    The report is shown at once, also in a loop or in the middle of a cell. Your progress is remembered; nothing is
    sent anywhere.
    """
    from saelab.checking import check_with_dependencies

    beside = sys._getframe(1).f_globals
    try:
        exercise, parts = _parts_of(implementations, beside)
    except content.UnknownExercise as error:
        return at_once(Note(str(error)))
    try:
        with patient():
            report = check_with_dependencies(exercise, parts)
    except MissingExtra as error:
        return at_once(Note(str(error)))
    except TooLong as error:
        report = Report(exercise.id, "error", exercise.points, notes=[str(error)])
    report.notes += _older(parts, beside)
    report.notes += progress.record(report.exercise, report.status)
    if home := progress.folder():
        contents.refresh(home)
    if report.status in ("failed", "not-started"):
        report.notes.append(f'Stuck? hint("{exercise.name}") gives a nudge, and more at each call.')
    report.notes += dispute_.offer(report, f'from saelab import dispute; dispute("{exercise.name}")')
    if report.passed and not os.environ.get("SAELAB_PLAIN"):
        report.notes += _behind(exercise)
    return at_once(report)


def hint(exercise: Callable | str) -> "Note":
    """The next hint of an exercise, one more tier at each call: `hint(dimensionality)` or `hint("1.6")`."""
    try:
        found = content.find(_called(exercise))
    except content.UnknownExercise as error:
        return at_once(Note(str(error)))
    tier = progress.next_hint(found)
    return at_once(Note("\n\n".join(found.hints[:tier]), f"Hint {tier} of {len(found.hints)} · {found.id}"))


def solution(exercise: Callable | str, give_up: bool = False) -> "Note":
    """Our solution of an exercise that you have passed: `solution(dimensionality)`; or `give_up=True`."""
    try:
        found = content.find(_called(exercise))
        ran = compared.ran(sys._getframe(1).f_globals.get("In") or [])
        own, ours = commands.solution(found, progress.here(), give_up, ran)
    except commands.NotPassed as error:
        return at_once(Note(error.sentence(f'hint("{found.name}")', f'solution("{found.name}", give_up=True)')))
    except content.UnknownExercise as error:
        return at_once(Note(str(error)))
    except OSError as error:
        return at_once(Note(trouble(error)))
    if own:
        return at_once(compared.Beside(f"{found.id}, yours and ours", own, ours, COLUMNS))
    return at_once(Note(f"```python\n{ours}\n```", f"One solution of {found.id}"))


def dispute(exercise: Callable | str, seed: str = "0") -> "Note":
    """Is the check wrong? Writes a report of your answer into a file, to pass on: `dispute(dimensionality)`."""
    from saelab.checking import check_with_dependencies

    beside = sys._getframe(1).f_globals
    home = progress.here() or Path.cwd()
    try:
        found, parts = _parts_of((exercise,), beside)
        with patient():
            report = check_with_dependencies(found, parts, seed)
        work = compared.ran(beside.get("In") or [])
        return at_once(Note("\n".join(commands.dispute_lines(found, work, report, seed, home))))
    except (content.UnknownExercise, commands.StudentError, MissingExtra, TooLong) as error:
        return at_once(Note(str(error)))
    except OSError as error:
        return at_once(Note(trouble(error)))


def _parts_of(implementations: tuple, beside: dict) -> tuple[Exercise, dict[str, Callable]]:
    """The exercise that these functions belong to; parts not given are taken from `beside`, the caller's names."""
    if len(implementations) == 1 and isinstance(implementations[0], str):
        exercise = content.find(implementations[0])
        return exercise, {part: beside[part] for part in exercise.parts if callable(beside.get(part))}
    if not implementations or not all(map(callable, implementations)):
        raise content.UnknownExercise("Give check the function you wrote, without calling it: check(dimensionality).")
    known = {part: exercise for exercise in content.exercises() for part in exercise.parts}
    given = {_name_of(fn, known, beside): fn for fn in implementations}
    name = next((name for name in given if name in known), None)
    if name is None:
        name = next(iter(given))
        raise content.UnknownExercise(f"There is no exercise {name!r}.{content.nearest(name, list(known))}")
    exercise = known[name]
    parts = {part: given.get(part, beside.get(part)) for part in exercise.parts}
    return exercise, {part: fn for part, fn in parts.items() if fn is not None}


def _name_of(fn: Callable, known: dict, beside: dict) -> str:
    """What a function is called; for a lambda or a partial, the name the caller gave it."""
    name = getattr(fn, "__name__", "")
    return name if name in known else next((n for n in known if beside.get(n) is fn), name)


def _called(exercise: Callable | str) -> str:
    return exercise if isinstance(exercise, str) else getattr(exercise, "__name__", repr(exercise))


def _older(parts: dict[str, Callable], beside: dict) -> list[str]:
    """A note where the cell that was to define a part has never run: `check` then sees what was defined before.

    `In`, which notebooks have, holds the cells run so far.
    """
    ran = [text for text in beside.get("In") or [] if isinstance(text, str)]
    for part in parts:
        last = next((text for text in reversed(ran) if re.search(rf"^(async def|def|class) {part}\b", text, re.M)), "")
        problem = answers.examine(answers.without_magics(last)).problem
        if problem:
            return [f"Python could not read the last cell with `{part}`, so this is your older `{part}`: {problem}"]
    return []


def _behind(exercise: Exercise) -> list[str]:
    """What comes next after an exercise that passes, and where to compare it."""
    following = content.exercises()[[e.id for e in content.exercises()].index(exercise.id) + 1 :]
    here = f'Compare: `from saelab import solution; solution("{exercise.name}")`.'
    if not following:
        return [here]
    after = following[0]
    where = "" if after.path == exercise.path else f", in {after.chapter}/{after.path.stem}.ipynb"
    return [f"Next: {content.number(after)} {after.title} (`{after.name}`{where}). {here}"]
