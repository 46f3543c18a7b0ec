"""An implementation under test, watched: every call is noted, held to the contract, replayable.

A check gets `Watched` functions (and objects made by watched classes) and never knows whether the
student's code behind them runs here or in another process.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .contract import ChangedArgument, check_signature, fit_result


class Gone(BaseException):
    """The implementation can't be called any more; `kind` is timeout, ended or malformed.

    No Exception, so that no check takes it for something that the student's code raised.
    """

    def __init__(self, kind: str, sentence: str):
        super().__init__(sentence)
        self.kind = kind


@dataclass
class Call:
    """One call of a student's code: what went in (before), what came out or was raised."""

    part: str  # "dimensionality", or "AbsModel.forward"
    owner: int | None  # which object, for a method: the index in the log of the call that made it
    args: tuple
    kwargs: dict
    value: object = None
    after: tuple = ()  # the arguments after the call
    error: Exception | None = None
    weights: Tensor | None = None  # what `testing.gradients` multiplied the value by before it asked for …
    grads: tuple | None = None  # … the gradients of its arguments; () if that failed
    drew: bool = False  # set in a replay: did it use torch's random numbers?

    def __str__(self) -> str:
        given = [short(a) for a in self.args] + [f"{k}={short(v)}" for k, v in self.kwargs.items()]
        return f"{self.part}({', '.join(given)})"


@dataclass
class Watched:
    """A function of the student's; `spec` is the reference's, whose annotations are the contract."""

    part: str
    target: Callable
    spec: Callable
    log: list[Call]
    owner: int | None = None

    @property
    def __name__(self) -> str:
        return self.part

    def __call__(self, *args, **kwargs):
        call = Call(self.part, self.owner, snapshot(args), snapshot(kwargs))
        self.log.append(call)
        number = len(self.log) - 1
        try:
            check_signature(self.part, self.target, self.spec, args, kwargs)
            value = self.target(*args, **kwargs)
            call.value, call.after = snapshot(value), snapshot(args)
            self._complain_about_changes(call, args)
            if inspect.isclass(self.spec):
                return WatchedObject(value, self.spec, self.log, self.part, number)
            return fit_result(self.part, self.spec, args, kwargs, value)
        except Exception as error:
            call.error = error
            raise

    def _complain_about_changes(self, call: Call, args: tuple) -> None:
        names = list(inspect.signature(self.spec).parameters) if args else []
        for name, before, after in zip(names, call.args, args):
            if isinstance(after, Tensor) and not same(before, after.detach(), exact=True):
                raise ChangedArgument(
                    f"`{self.part}` changed its argument `{name}` in place. Work on a copy: operations that end "
                    "in `_`, `+=` and assignments to slices write into the caller's tensor."
                )


class WatchedObject:
    """An object made by a student's class: its methods are watched, its attributes are passed on."""

    def __init__(self, target, spec: type, log: list[Call], part: str, owner: int):
        self._target, self._spec, self._log, self._part, self._owner = target, spec, log, part, owner

    def _method(self, name: str, fn: Callable, spec_name: str):
        spec = getattr(self._spec, spec_name, None)
        if spec is None:
            return fn
        # bind away `self`, so that the specification takes the arguments that the method takes
        return Watched(f"{self._part}.{name}", fn, _without_self(spec), self._log, self._owner)

    def __call__(self, *args, **kwargs):
        forward = "forward" if hasattr(self._spec, "forward") else "__call__"
        return self._method(forward, self._target, forward)(*args, **kwargs)

    def __getattr__(self, name: str):
        value = getattr(self._target, name)
        return self._method(name, value, name) if inspect.isroutine(value) else value


def _without_self(spec: Callable) -> Callable:
    def stand_in(*args, **kwargs):  # never called: it only carries the signature
        raise NotImplementedError

    signature = inspect.signature(spec)
    parameters = [p for name, p in signature.parameters.items() if name != "self"]
    stand_in.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return stand_in


@dataclass
class Watch:
    """The watched parts of one implementation and the log of all calls to them."""

    parts: dict[str, Watched]
    log: list[Call] = field(default_factory=list)


def watch(parts: dict[str, Callable], reference: dict[str, Callable]) -> Watch:
    """Wrap an implementation's parts; `reference` has the specifications under the same names."""
    log: list[Call] = []
    return Watch({name: Watched(name, fn, reference[name], log) for name, fn in parts.items()}, log)


def snapshot(value):
    """A copy that later changes don't reach; tensors are detached but keep their requires_grad."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(snapshot(item) for item in value)
    if type(value) is dict:
        return {key: snapshot(item) for key, item in value.items()}
    return value


def same(a, b, exact: bool = False) -> bool:
    """Do two values agree: types, shapes, and numbers (to rounding, unless `exact`)?"""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = a.detach(), b.detach()
        if exact or not a.is_floating_point():
            return torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())
        largest = float(b[b.isfinite()].abs().amax()) if b.isfinite().any() else 1.0
        return torch.allclose(a, b, rtol=1e-4, atol=1e-6 * max(1.0, largest), equal_nan=True)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y, exact) for x, y in zip(a, b))
    if isinstance(a, float) or isinstance(b, float):
        try:
            return abs(a - b) <= 1e-6 + 1e-4 * abs(b) or (a != a and b != b)
        except TypeError:
            return False
    if isinstance(a, DATA) or isinstance(b, DATA):
        return type(a) is type(b) and bool(a == b)
    return True  # objects of a student's class have no values of their own to compare: their calls tell


DATA = (int, str, bool, dict, list, tuple, type(None))


def short(value, limit: int = 12) -> str:
    """A value as a student would type it, or its shape where it is large."""
    if isinstance(value, Tensor):
        if value.numel() <= limit:
            return " ".join(str(value.detach()).split()).replace(", requires_grad=True", "")
        return f"<{'×'.join(map(str, value.shape))} tensor>"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= 80 else f"<{type(value).__name__}>"
