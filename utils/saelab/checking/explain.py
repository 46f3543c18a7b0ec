"""A failed test in words: what was called, what was expected, what came, where to look."""

import inspect
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import torch

from saelab.content import PACKAGE
from saelab.report import in_line

from . import watched as our_call
from .compare import Differs
from .contract import Complaint
from .difference import difference
from .watched import Call

NOT_THEIRS = (PACKAGE, Path(torch.__file__).parent, Path(sysconfig.get_path("stdlib")))
LIBRARIES = {"site-packages", "dist-packages"}
LONGEST = 2000  # characters of one line of a message; what a student's code returns may be any text


def in_words(error: BaseException, test: Callable, calls: list[Call]) -> tuple[str, str]:
    """(outcome, message) for an exception that left a test in which these calls were made."""
    last = calls[-1] if calls else None
    advice = inspect.getdoc(test) or ""
    look = f"Look at: {' '.join(advice.split())}" if advice else ""
    if isinstance(error, Complaint):
        return "failed", str(error)
    if last is not None and last.error is error:
        return "failed", _raised(error, last)
    if isinstance(error, Differs):
        return "failed", _join(*difference(error, test, calls), look)
    if isinstance(error, AssertionError):
        return "failed", _join(_called(calls), str(error), look)
    if last is None:
        return "error", f"The check itself broke ({type(error).__name__}: {error}). This is not your mistake."
    unusable = f"What it returned could not be used: {type(error).__name__}: {error}"
    return "failed", _join(f"Called    {last}", unusable, look)


def _join(*lines: str) -> str:
    return "\n".join(line if len(line) <= LONGEST else f"{line[:LONGEST]} …" for line in lines if line)


def _called(calls: list[Call]) -> str:
    """The call that a check complains about without comparing: the last one, of several said so."""
    if not calls:
        return ""
    return f"Called    {calls[-1]}" + (f"\n          (the last of {len(calls)} calls)" if len(calls) > 1 else "")


def _raised(error: BaseException, call: Call) -> str:
    """The student's exception, with the line of their own code it came from."""
    message = str(error).splitlines()[0][:300] if str(error) else ""
    where = error.student_line if hasattr(error, "student_line") else own_line(error.__traceback__)
    return _join(f"It raised {type(error).__name__}: {message}".removesuffix(": "), where, f"Called    {call}")


def own_line(trace: TracebackType | None) -> str:
    """The innermost line, behind our call of their code, that is neither this package's nor a library's."""
    for frame in reversed(traceback.extract_tb(trace)):
        path = Path(frame.filename)
        if frame.filename == our_call.__file__:
            break
        theirs = not (LIBRARIES & set(path.parts) or any(path.is_relative_to(folder) for folder in NOT_THEIRS))
        if theirs and frame.line:
            return in_line(frame)
    return ""
