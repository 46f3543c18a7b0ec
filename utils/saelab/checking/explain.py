"""A failed test in words: what was called, what was expected, what came, where to look."""

import inspect
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from saelab.content import PACKAGE

from . import watched as our_call
from .compare import Differs
from .contract import Complaint
from .values import same, short
from .watched import Call, Watch

NOT_THEIRS = (PACKAGE, Path(torch.__file__).parent, Path(sysconfig.get_path("stdlib")))
LIBRARIES = {"site-packages", "dist-packages"}
LONGEST = 2000  # characters of one line of a message; what a student's code returns may be any text


def in_words(error: BaseException, test: Callable, watched: Watch) -> tuple[str, str]:
    """(outcome, message) for an exception that left a test."""
    calls = [call for call in watched.log if call.test == watched.log.test]
    last = calls[-1] if calls else None
    advice = inspect.getdoc(test) or ""
    look = f"Look at: {' '.join(advice.split())}" if advice else ""
    if isinstance(error, Complaint):
        return "failed", str(error)
    if isinstance(error, NotImplementedError):
        return "failed", f"`{last.part if last else 'This'}` is not written yet."
    if last is not None and last.error is error:
        return "failed", _join(_raised(error, last), look)
    if isinstance(error, AssertionError):
        if isinstance(error, Differs):
            return "failed", _join(_difference(error.actual, error.expected, error.told, last), look)
        return "failed", _join(f"Called    {last}" if last else "", str(error), look)
    if last is None:
        return "error", f"The check itself broke ({type(error).__name__}: {error}). This is not your mistake."
    return "failed", _join(
        f"Called    {last}", f"What it returned could not be used: {type(error).__name__}: {error}", look
    )


def _join(*lines: str) -> str:
    return "\n".join(line if len(line) <= LONGEST else f"{line[:LONGEST]} …" for line in lines if line)


def _raised(error: BaseException, call: Call) -> str:
    """The student's exception, with the line of their own code it came from."""
    message = str(error).splitlines()[0][:300] if str(error) else ""
    where = error.student_line if hasattr(error, "student_line") else _own_line(error.__traceback__)
    return _join(f"Called    {call}", f"It raised {type(error).__name__}: {message}", where)


def _own_line(trace: TracebackType | None) -> str:
    """The innermost line, behind our call of their code, that is neither this package's nor a library's."""
    for frame in reversed(traceback.extract_tb(trace)):
        path = Path(frame.filename)
        if frame.filename == our_call.__file__:
            break
        theirs = not (LIBRARIES & set(path.parts) or any(path.is_relative_to(folder) for folder in NOT_THEIRS))
        if theirs and frame.line:
            return f"in line {frame.lineno} of {frame.name}: {frame.line}"
    return ""


def _difference(actual, expected, message: str, call: Call | None) -> str:
    called = f"Called    {call}" if call else ""
    if isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        if len(actual) != len(expected):
            return _join(called, message, f"Expected  {len(expected)} values", f"Got       {len(actual)} values")
        values = list(enumerate(zip(actual, expected), 1))
        for exact in (False, True):  # what differs visibly goes first
            for number, (mine, right) in values:
                if not same(mine, right, exact):
                    return _difference(mine, right, _join(message, f"In value {number} of {len(expected)}:"), call)
    of_a_kind = type(actual) is type(expected) or isinstance(actual, Tensor) and isinstance(expected, Tensor)
    if not of_a_kind and not (_number(actual) and _number(expected)):
        kinds = (
            f"Expected  a {type(expected).__name__}: {short(expected)}",
            f"Got       a {type(actual).__name__}: {short(actual)}",
        )
        return _join(called, message, *kinds)
    if not isinstance(actual, Tensor) or not isinstance(expected, Tensor):
        right, mine = short(expected), short(actual)
        if right == mine and _number(actual):  # they differ in a later digit
            right, mine = repr(expected), repr(actual)
        return _join(called, message, f"Expected  {right}", f"Got       {mine}")
    if actual.shape != expected.shape:
        return _join(
            called, message, f"Expected  shape {tuple(expected.shape)}", f"Got       shape {tuple(actual.shape)}"
        )
    if actual.dtype != expected.dtype:
        return _join(called, message, f"Expected  dtype {expected.dtype}", f"Got       dtype {actual.dtype}")
    return _join(called, message, *_values(actual.detach(), expected.detach()))


def _values(actual: Tensor, expected: Tensor) -> list[str]:
    strange = ~actual.isfinite() & expected.isfinite() if actual.is_floating_point() else torch.zeros(())
    note = f"{int(strange.sum())} of {actual.numel()} entries are NaN or infinite." if strange.any() else ""
    if actual.numel() <= 12 and short(expected) != short(actual):
        return [f"Expected  {short(expected)}", f"Got       {short(actual)}", note]
    gap = (actual.double() - expected.double()).abs().nan_to_num(float("inf"))
    gap[(actual == expected) | (actual.isnan() & expected.isnan())] = 0  # two infinities too
    worst = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    differ = int((~torch.isclose(actual.double(), expected.double(), rtol=1e-4, atol=1e-5, equal_nan=True)).sum())
    place = f"[{', '.join(map(str, worst))}]"
    return [
        f"Expected  {expected[worst].item():.8g}{f' at {place}' if worst else ''}",
        f"Got       {actual[worst].item():.8g}" + (f"; {differ} of {actual.numel()} entries differ" if differ else ""),
        note,
    ]


def _number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
