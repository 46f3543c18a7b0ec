"""Which part of an exercise a failed test is about: one bug, one failure.

A test that fails because another part is wrong, or not written yet, waits for that part instead of failing.
"""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from saelab import content
from saelab.content import Exercise
from saelab.report import TestResult

from .explain import in_words
from .replay import names_in
from .watched import Call


@dataclass
class Ran:
    """A test that ran: its name, the function, what it raised, the calls that it made."""

    name: str
    test: Callable
    error: BaseException | None
    calls: list[Call]

    @property
    def heads(self) -> list[str]:
        """The parts that it called, in the order of their first call."""
        return list(dict.fromkeys(call.part.partition(".")[0] for call in self.calls))


def results(exercise: Exercise, parts: dict[str, Callable], ran: list[Ran]) -> list[TestResult]:
    """What became of each test, in words."""
    wrong = [one for one in ran if one.error is not None and not is_unwritten(exercise, one.error)]
    guilty = {one.heads[0] for one in wrong if len(one.heads) == 1}
    waits = {one.name: _waits_for(exercise, parts, one, guilty) for one in wrong}
    if all(waits.values()):  # in a circle
        waits = {}
    found = []
    for one in ran:
        part = one.heads[-1] if one.heads and len(exercise.parts) > 1 else ""
        if one.error is None:
            outcome, message = "passed", ""
        elif is_unwritten(exercise, one.error):
            outcome, message = "skipped", f"`{_unwritten_part(exercise, one)}` is not written yet."
        elif waits.get(one.name):
            outcome, message = "skipped", f"It needs `{waits[one.name]}`, which is not right yet."
        else:
            outcome, message = in_words(one.error, one.test, one.calls)
        found.append(TestResult(one.name, outcome, message, part))
    return found


def is_unwritten(exercise: Exercise, error: BaseException) -> bool:
    """Is it what the starter raises? (Torch raises NotImplementedError for reasons of its own.)"""
    return isinstance(error, NotImplementedError) and str(error) == exercise.name


def _waits_for(exercise: Exercise, parts: dict[str, Callable], one: Ran, guilty: set[str]) -> str:
    """A guilty part, other than the one that this test is about, that it needs; "" if there is none."""
    if len(one.heads) > 1:
        return next((head for head in one.heads if head in guilty), "")
    if not one.heads:
        return ""
    own = one.heads[0]
    made = inspect.unwrap(parts[own])
    if not (inspect.isfunction(made) or inspect.isclass(made)):  # in another process its code can't be seen
        made = content.reference_parts(exercise)[own]
    used = names_in(made)
    return next((part for part in exercise.parts if part in used & guilty and part != own), "")


def _unwritten_part(exercise: Exercise, one: Ran) -> str:
    """The innermost part on the way to the starter's line; of a process elsewhere, what the check had called."""
    frames = reversed(traceback.extract_tb(one.error.__traceback__ if one.error else None))
    inner = next((frame.name for frame in frames if frame.name in exercise.parts), "")
    return inner or (one.calls[-1].part if one.calls else exercise.name)
