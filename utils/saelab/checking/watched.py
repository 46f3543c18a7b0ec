"""An implementation under test, watched: every call is noted, held to the contract, replayable.

A check gets `Watched` functions (and objects made by watched classes) and never knows whether the
student's code behind them runs here or in another process.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from . import ambient, recipes
from .contract import ChangedArgument, Damaged, check_signature, fit_result
from .things import Harm
from .values import same, short, snapshot, tensors_in


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
    before: list = field(default_factory=list)  # the tensors in its arguments, before the call …
    after: list | None = None  # … and after it; None if it raised
    error: BaseException | None = None
    weights: Tensor | None = None  # what `testing.gradients` multiplied the value by before it asked for …
    grads: tuple | None = None  # … the gradients of its arguments; () if that failed
    drew: bool = False  # set in a replay: did it use torch's random numbers?
    test: int = 0  # which test of the run made it
    harm: dict[str, Harm] = field(default_factory=dict)  # recipe → what was done to the thing that it made
    used: bool = False  # was it lent something by a recipe? how it used that is not compared
    spec: Callable | None = None  # the reference's function, for the names of the arguments
    target: Callable | None = None  # the student's; None in a replay

    def inputs(self) -> tuple[tuple, dict]:
        """Fresh copies of its arguments, by place and by name."""
        return recipes.made_of(snapshot(self.args)), recipes.made_of(snapshot(self.kwargs))

    def again(self):
        """Make the call once more, unwatched."""
        args, kwargs = self.inputs()
        return self.target(*args, **kwargs)  # type: ignore[misc]

    def __str__(self) -> str:
        given = [short(a) for a in self.args] + [f"{k}={short(v)}" for k, v in self.kwargs.items()]
        return f"{self.part}({', '.join(given)})"


class Log(list[Call]):
    """All calls of one run of the checks, in order; `test` counts the tests.

    `switched` has a sentence for each of torch's switches that a call has changed.
    """

    test = 0

    def __init__(self) -> None:
        super().__init__()
        self.switched: list[str] = []

    @property
    def of_this_test(self) -> list[Call]:
        return [call for call in self if call.test == self.test]


@dataclass
class Watched:
    """A function of the student's; `spec` is the reference's, whose annotations are the contract."""

    part: str
    target: Callable
    spec: Callable
    log: Log
    owner: int | None = None

    @property
    def __name__(self) -> str:
        return self.part

    def __call__(self, *args, **kwargs):
        call = Call(self.part, self.owner, snapshot(args), snapshot(kwargs), test=self.log.test)
        call.spec, call.target = self.spec, self.target
        self.log.append(call)
        number = len(self.log) - 1
        try:
            check_signature(self.part, self.target, self.spec, args, kwargs)
            switches = ambient.now()
            try:
                value = lent(self.target, args, kwargs, call)
            finally:
                self.log.switched += [told for told in ambient.settle(switches) if told not in self.log.switched]
            for made, harm in call.harm.items():
                raise Damaged(f"`{self.part}` {harm}. (It was given {made}.)")
            self._complain_about_changes(call, args, kwargs)
            if inspect.isclass(self.spec):
                return WatchedObject(value, self.spec, self.log, self.part, number)
            return fit_result(self.part, self.spec, args, kwargs, value)
        except BaseException as error:  # `exit()` too
            call.error = error
            raise

    def _complain_about_changes(self, call: Call, args: tuple, kwargs: dict) -> None:
        names = list(inspect.signature(self.spec).parameters) if args else []
        named = [(names[min(i, len(names) - 1)], arg) for i, arg in enumerate(args)]  # the last may take all, as *rest
        owners = [name for name, arg in [*named, *kwargs.items()] for _ in tensors_in(arg)]
        for name, before, after in zip(owners, call.before, call.after or ()):
            if not same(before, after, exact=True):
                raise ChangedArgument(
                    f"`{self.part}` changed its argument `{name}` in place. Work on a copy: operations that end "
                    "in `_`, `+=` and assignments to slices write into the caller's tensor."
                )


def lent(target: Callable, args: tuple, kwargs: dict, call: Call):
    """What a student's code returns for these arguments; `call` notes what it did to them and to things of recipes."""
    given = tensors_in((args, kwargs))
    call.before = snapshot(given)
    recipes.lend((args, kwargs))
    call.used = recipes.are_out()
    try:
        value = target(*args, **kwargs)
        call.value, call.after = snapshot(value), snapshot(given)
        return value
    finally:
        call.harm = {str(thing.recipe): thing.harm for thing in recipes.take_back()}


class WatchedObject:
    """An object made by a student's class: its methods are watched, its attributes are passed on."""

    def __init__(self, target, spec: type, log: Log, part: str, owner: int):
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
    log: Log

    def begin_test(self) -> None:
        """Another test: what was seeded for the one before is forgotten."""
        self.log.test += 1
        recipes.begin_test()


def watch(parts: dict[str, Callable], reference: dict[str, Callable]) -> Watch:
    """Wrap an implementation's parts; `reference` has the specifications under the same names."""
    log = Log()
    return Watch({name: Watched(name, fn, reference[name], log) for name, fn in parts.items()}, log)
