"""Run the code of one answer and hand out its functions: in this process, or in the worker."""

import __future__

import ast
import contextlib
import inspect
import io
import linecache
import re
import traceback
import types
from collections.abc import Callable, Iterable, Iterator

from saelab.report import in_line, is_piece

from .submission import Piece

LATE = __future__.annotations.compiler_flag  # the only feature that today's Python doesn't have anyway


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What is printed meanwhile is lost, however much it is."""
    with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
        yield


class AnswerError(Exception):
    """The student's cell could not be run; the message says where and why."""


def define(pieces: Iterable[Piece], parts: Iterable[str]) -> dict[str, Callable]:
    """Run the pieces in one fresh namespace; returns the parts they define, by name.

    As in a notebook, `await` may stand outside of functions, and what one piece imports from `__future__` holds for
    those behind it. What they print is swallowed. An error in a helping piece shows only when something it should
    have defined is missing; one behind a definition that is already complete is forgiven. Raises AnswerError.
    """
    namespace: dict = {"__name__": "__main__", "check": _nothing, "hint": _nothing, "display": _nothing}
    pieces, parts, flags = list(pieces), list(parts), 0
    own = next((n for n, piece in enumerate(pieces) if piece.own), len(pieces) - 1)
    wrong: AnswerError | None = None
    for number, piece in enumerate(pieces):
        filename = f"<{piece.place or piece.label}:{number}>"
        text = "\n" * (piece.line - 1) + piece.code
        if piece.place:  # of what the course adds nobody is shown a line
            linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        before = {part: namespace.get(part) for part in parts}
        try:
            code = compile(text, filename, "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            flags |= code.co_flags & LATE
            with quiet():
                _run(code, namespace)
        except (Exception, SystemExit) as error:
            told = AnswerError(f"{_capital(piece.label)} {_what_happened(error)}")
            told.__cause__ = error
            defines = [part for part in parts if re.search(rf"^(async def|def|class) {part}\b", piece.code, re.M)]
            if number == own and any(namespace.get(part) is before[part] for part in defines or parts):
                raise told from error
            wrong = told if number <= own and defines else wrong
        if piece.label == "setup":
            namespace |= {"check": _nothing, "hint": _nothing, "display": _nothing}
    missing = [part for part in parts if not callable(namespace.get(part))]
    if missing and wrong:
        raise wrong
    if missing:
        label = _capital(pieces[own].label) if pieces else "The submission"
        raise AnswerError(f"{label} defines no function `{missing[0]}`. Keep the name that the exercise gives it.")
    return {part: namespace[part] for part in parts}


def _what_happened(error: BaseException) -> str:
    """The end of a sentence about a cell, and the line of the student's that it was in."""
    if isinstance(error, SyntaxError) and error.lineno and is_piece(error.filename or ""):  # only the compiler finds it
        frame = traceback.FrameSummary(error.filename or "", error.lineno, "<module>")
        return f"can't be read by Python: {error.msg}\n{in_line(frame)}"
    return f"raised {type(error).__name__}: {error}\n{student_line(error)}".removesuffix("\n")


def student_line(error: BaseException) -> str:
    """The innermost line of a student's piece that an exception came through, in words; "" if there is none."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((in_line(frame) for frame in frames if is_piece(frame.filename) and frame.line), "")


def _run(code: types.CodeType, namespace: dict) -> None:
    """Run a cell's code; one that awaits something is a coroutine, and runs until it is done."""
    awaited = eval(code, namespace)
    if code.co_flags & inspect.CO_COROUTINE:
        import asyncio

        asyncio.run(awaited)


def _nothing(*_args, **_kwargs) -> None:
    """What `check`, `hint` and a notebook's `display` are while a submission is checked from outside."""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
