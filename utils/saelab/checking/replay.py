"""The calls of a log made again to other parts, and whether the outcomes are the same.

Type, values, gradient history, exceptions, changed arguments, what was done to lent things, and the gradients that a
check asked for: all of that is a call's outcome. Where the annotations ask for a float, a tensor of one number is as
good as a number.
"""

import inspect
import types
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from . import recipes
from .contract import Complaint, fit_result
from .derivatives import pulled
from .values import same
from .watched import Call, Log, lent


def repeated(parts: dict[str, Callable], log: Log, numbers: Iterable[int]) -> Iterator[tuple[int, Call]]:
    """The calls of a log with these numbers, in order, made again to these parts; lazily, objects included."""
    replay, test = _Replay(parts), 0
    for number in numbers:
        if log[number].test != test:
            test = log[number].test
            recipes.begin_test()
        yield number, replay.repeat(number, log[number])


class _Replay:
    """Makes calls again, and keeps the objects that they made."""

    def __init__(self, parts: dict[str, Callable]):
        self.parts = parts
        self.made: dict[int, object] = {}  # number of the call that made it → object

    def repeat(self, number: int, call: Call) -> Call:
        args, kwargs = call.inputs()
        again, before = Call(call.part, call.owner, call.args, call.kwargs), torch.get_rng_state()
        try:
            value = lent(self._target(call), args, kwargs, again)
            if inspect.isclass(self.parts.get(call.part)):
                self.made[number] = value
            if call.grads is not None and history(value):
                again.grads = pulled(value, args, call.weights)
        except (Exception, SystemExit) as error:
            again.error = error
        again.drew = not torch.equal(before, torch.get_rng_state())
        return again

    def _target(self, call: Call) -> Callable:
        if call.owner is None:
            return self.parts[call.part]
        method = call.part.rpartition(".")[2]
        return getattr(self.made[call.owner], method)


def same_outcome(one: Call, other: Call, specs: dict[str, Callable]) -> bool:
    if one.harm != other.harm:
        return False
    if one.after is not None and other.after is not None:  # both returned, whatever the contract said afterwards
        if changed_arguments(one) != changed_arguments(other) or not same(one.after, other.after):
            return False
        value, beside = fitted(one, specs), fitted(other, specs)
        alike = same(value, beside) and history(value) == history(beside)
        return alike and same(one.grads, other.grads)
    if one.error is not None and other.error is not None:
        return type(one.error).__name__ == type(other.error).__name__ and _said(one.error) == _said(other.error)
    return one.error is None and other.error is None and same(one.value, other.value)


def _said(error: BaseException) -> str:
    """The first line of what an exception says, names of functions and places in the code left out."""
    return str(error).partition("\n")[0].rpartition("() ")[2]


def fitted(call: Call, specs: dict[str, Callable]):
    """What a call returned, in the form that the annotations ask for where it can be put into that."""
    spec = specs.get(call.part)
    if spec is None or inspect.isclass(spec):
        return call.value
    try:
        return fit_result(call.part, spec, call.args, call.kwargs, call.value)
    except Complaint:
        return call.value


def changed_arguments(call: Call) -> bool:
    return not same(call.before, call.after, exact=True)


def history(value) -> bool | None:
    """Whether a tensor result can be differentiated."""
    return value.requires_grad if isinstance(value, Tensor) else None


def names_in(made: object) -> set[str]:
    """The global names and attributes that a function, a class, or compiled code uses anywhere."""
    if isinstance(made, types.CodeType):
        inner = (constant for constant in made.co_consts if isinstance(constant, types.CodeType))
        return set(made.co_names).union(*map(names_in, inner))
    if inspect.isclass(made):
        return set().union(*map(names_in, vars(made).values()))
    return names_in(made.__code__) if isinstance(made, types.FunctionType) else set()
