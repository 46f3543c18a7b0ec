"""What a check compared, told in a student's words: of which call it is, what was expected, what came.

What is compared may be the value of a call, one of several, a gradient that the check asked for, or something made of
several calls: then the check's own expression is shown.
"""

import ast
import inspect
import textwrap
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

import torch
from torch import Tensor

from .compare import Differs
from .values import same, short
from .watched import Call

SHOWN = 3  # calls that something was made of


def difference(error: Differs, test: Callable, calls: list[Call]) -> Iterator[str]:
    """The lines of a message about two values that should agree and don't."""
    actual, expected = error.actual, error.expected
    found, beside = _origin(actual, calls), _origin(expected, calls)
    mine, right = _compared(error.__traceback__, test)
    if found is None and beside is not None and "reference" in mine:
        actual, expected, found, beside = expected, actual, beside, None  # the check has them the other way round
    if found is not None:
        call, place = found
        yield f"Called    {call}"
        yield error.told
        yield place
    else:
        yield f"Compared  {mine}" if _tells(mine) else ""
        yield from _calls(calls)
        yield error.told
    two = found is not None and beside is not None and beside[0] is not found[0] and "reference" not in right
    if two and not _plain(expected):
        yield f"It should agree with {beside[0]}"  # type: ignore[index]
        yield beside[1]  # type: ignore[index]
    yield from _lines(actual, expected)


def _calls(calls: list[Call]) -> Iterator[str]:
    """Of what it was made: the calls of the test, the last ones of many."""
    for number, call in enumerate(calls[-SHOWN:]):
        yield f"{'Called    ' if number == 0 else '          '}{call}"
    if len(calls) > SHOWN:
        yield f"          (the last of {len(calls)} calls)"


def _origin(value, calls: list[Call]) -> tuple[Call, str] | None:
    """(the last call that gave this very value, which of its results or gradients it is); None if none did."""
    for call in reversed(calls):
        if call.after is None:
            continue
        if _is(value, call.value):
            return call, ""
        for name, one in _several(call.value):
            if _is(value, one):
                return call, f"In {name}:"
        for name, gradient in zip(_parameters(call), call.grads or ()):
            if gradient is not None and _is(value, gradient):
                return call, f"The gradient for `{name}`:"
    return None


def _several(value) -> Iterator[tuple[str, object]]:
    """What a list, a tuple or a dictionary holds, under the name that a message gives it."""
    if isinstance(value, dict):
        yield from ((f"`{key}`", one) for key, one in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"value {number} of {len(value)}", one) for number, one in enumerate(value, 1))


def _is(value, given) -> bool:
    """Is that what was given, perhaps as a number instead of a tensor of one?"""
    if isinstance(given, Tensor) and given.ndim == 0 and isinstance(value, (int, float)):
        given = type(value)(given.item())
    kinds = (Tensor, (list, tuple), dict, (int, float), str)
    alike = any(isinstance(value, kind) and isinstance(given, kind) for kind in kinds)
    return alike and same(value, given, exact=True)


def _parameters(call: Call) -> list[str]:
    return list(inspect.signature(call.spec).parameters) if call.spec else []


def _compared(trace: TracebackType | None, test: Callable) -> tuple[str, str]:
    """The code of the two expressions that the check compares; empty where it can't be seen."""
    file = inspect.getsourcefile(test)
    for frame in reversed(list(traceback.walk_tb(trace))):
        if frame[0].f_code.co_filename != file:
            continue
        found = [call for call in _comparisons(inspect.getsource(frame[0].f_code), frame[0].f_code.co_firstlineno)
                 if call.lineno <= frame[1] <= (call.end_lineno or call.lineno)]  # fmt: skip
        if len(found) == 1 and len(found[0].args) > 1:
            return ast.unparse(found[0].args[0]), ast.unparse(found[0].args[1])
        break
    return "", ""


def _comparisons(source: str, first: int) -> list[ast.Call]:
    """The calls of `assert_close` in a function's source, with the lines that they have in its file."""
    try:
        tree = ast.increment_lineno(ast.parse(textwrap.dedent(source)), first - 1)
    except SyntaxError:
        return []
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "assert_close"]


def _tells(code: str) -> bool:
    """A bare name says nothing; an expression with calls or operations does."""
    return bool(code) and not code.isidentifier()


def _plain(value) -> bool:
    """A value that any call may give by chance."""
    return isinstance(value, (int, float)) and abs(value) in (0, 1)


def _lines(actual, expected) -> Iterator[str]:
    """The first difference of two values: Expected, and Got."""
    if isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        yield from _of_lists(actual, expected)
        return
    tensors = isinstance(actual, Tensor) and isinstance(expected, Tensor)
    if type(actual) is not type(expected) and not tensors and not (_number(actual) and _number(expected)):
        yield f"Expected  a {type(expected).__name__}: {short(expected)}"
        yield f"Got       a {type(actual).__name__}: {short(actual)}"
    elif not tensors:
        right, mine = short(expected), short(actual)
        if right == mine and _number(actual):  # they differ in a later digit
            right, mine = repr(expected), repr(actual)
        yield from (f"Expected  {right}", f"Got       {mine}")
    elif actual.shape != expected.shape:
        yield from (f"Expected  shape {tuple(expected.shape)}", f"Got       shape {tuple(actual.shape)}")
    elif actual.dtype != expected.dtype:
        yield from (f"Expected  dtype {expected.dtype}", f"Got       dtype {actual.dtype}")
    else:
        yield from _of_tensors(actual.detach(), expected.detach())


def _of_lists(actual: list | tuple, expected: list | tuple) -> Iterator[str]:
    if len(actual) != len(expected):
        yield from (f"Expected  {len(expected)} values", f"Got       {len(actual)} values")
        return
    for exact in (False, True):  # what differs visibly goes first
        for number, (mine, right) in enumerate(zip(actual, expected), 1):
            if not same(mine, right, exact):
                yield f"In value {number} of {len(expected)}:"
                yield from _lines(mine, right)
                return


def _of_tensors(actual: Tensor, expected: Tensor) -> Iterator[str]:
    strange = ~actual.isfinite() & expected.isfinite() if actual.is_floating_point() else torch.zeros(())
    if actual.numel() <= 12 and short(expected) != short(actual):
        yield from (f"Expected  {short(expected)}", f"Got       {short(actual)}")
    else:
        gap = (actual.double() - expected.double()).abs().nan_to_num(float("inf"))
        gap[(actual == expected) | (actual.isnan() & expected.isnan())] = 0  # two infinities too
        worst = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
        close = torch.isclose(actual.double(), expected.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
        place, differ = f" at [{', '.join(map(str, worst))}]" if worst else "", int((~close).sum())
        yield f"Expected  {expected[worst].item():.8g}{place}"
        yield f"Got       {actual[worst].item():.8g}" + (
            f"; {differ} of {actual.numel()} entries differ" if differ else ""
        )
    if strange.any():
        yield f"{int(strange.sum())} of {actual.numel()} entries are NaN or infinite."


def _number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
