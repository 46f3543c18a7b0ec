"""A student's code in a process of its own, behind the same interface as a function here.

The third door: checks call `RemoteParts` like functions. Arguments and results travel as data;
gradients, in-place changes of arguments, exceptions and objects (by handle) come through, so a check
never knows. Nothing of the student's runs or is unpickled here. A separate process is no jail; a child of
the grader's warm process is in one.
"""

import inspect
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from saelab.answers import Answer, AnswerError
from saelab.checking import Call, Gone, tensors_in

from .peer import Peer, name_of, words_of
from .wire import Handle

PARAMETERS = 50  # of one function


class RemoteParts(dict):
    """Part name → callable, run in the process behind a peer.

    `earlier` is what `reference` gives there (see course.earlier). Raises AnswerError when the student's cells can't
    be run, and Gone.
    """

    def __init__(self, answer: Answer, peer: Peer, earlier: Iterable = ()):
        super().__init__()
        self._peer, self._seed, self._seeded = peer, 0, torch.initial_seed()
        peer.begin()
        pieces = [[piece.label, piece.code, piece.line, piece.own, piece.place] for piece in answer.pieces]
        try:
            reply = self.ask(do="define", pieces=pieces, parts=list(answer.exercise.parts), earlier=list(earlier))
        except Exception as error:
            raise AnswerError(str(error)) from None
        for name in answer.exercise.parts:
            signature = reply["signatures"].get(name) if isinstance(reply.get("signatures"), dict) else None
            self[name] = RemoteFunction(self, "call", {"part": name}, signature)

    def ask(self, **request) -> dict:
        """See Peer.ask; the first question of a test brings its seed along, the first after a manual_seed that one."""
        if (given := torch.initial_seed()) != self._seeded:
            self._seeded, request["seed"] = given, given
        seed, self._seed = self._seed, 0
        return self._peer.ask(**request, **({"reseed": seed} if seed else {}))

    def reseed(self, number: int) -> None:
        """At the next call, seed the student's random numbers, and forget what was made in the test before."""
        self._seed, self._seeded = number, torch.initial_seed()


class RemoteFunction:
    """A function over there; `do` and `target` say which."""

    def __init__(self, home: RemoteParts, do: str, target: dict, signature: list | None = None):
        self._home, self._do, self._target = home, do, target
        if rebuilt := _rebuild(signature):
            self.__signature__ = rebuilt

    def __call__(self, *args, **kwargs):
        leaves = [a for a in args if isinstance(a, Tensor) and a.requires_grad]
        with torch.no_grad():
            sent = [a.detach().requires_grad_() if _is(a, leaves) else a for a in args]
        try:
            reply = self._home.ask(do=self._do, **self._target, args=tuple(sent), kwargs=kwargs)
        except Gone as gone:
            name = str(self._target.get("part", self._target.get("name")))
            raise Gone(gone.kind, f"{gone}\nCalled    {Call(name, None, args, kwargs)}") from None
        after, value, call = reply.get("after"), reply.get("value"), reply.get("call")
        given = tensors_in((args, kwargs))
        if not isinstance(after, tuple) or len(after) != len(given) or not isinstance(call, int):
            raise Gone("malformed", "The reply is none to a call.")
        for mine, theirs in zip(given, after):
            if isinstance(theirs, Tensor):
                _write_back(mine, theirs)
        if isinstance(value, Handle):
            return _of_kind(words_of(reply.get("kind")), self._home, value)
        return _with_history(self._home, call, value, leaves)


class RemoteObject:
    """An object over there: methods run there, attributes come as copies."""

    def __init__(self, home: RemoteParts, handle: Handle):
        self._home, self._handle = home, handle

    def __bool__(self) -> bool:
        raise TypeError("what came back is an object of a class, neither true nor false")

    def __call__(self, *args, **kwargs):
        return RemoteFunction(self._home, "method", {"owner": self._handle, "name": "__call__"})(*args, **kwargs)

    def __getattr__(self, name: str):
        if name.startswith("__"):  # Python looking for what an object may have; not the check
            raise AttributeError(name)
        reply = self._home.ask(do="attribute", owner=self._handle, name=name)
        if reply.get("routine"):
            return _bound_method(self._home, self._handle, name)
        value, grad = reply.get("value"), reply.get("grad")
        if isinstance(value, Handle):
            return RemoteObject(self._home, value)
        if isinstance(value, Tensor) and isinstance(grad, Tensor) and grad.shape == value.shape:
            value.grad = grad.to(value.dtype)
        return value


def _of_kind(kind: str, home: RemoteParts, handle: Handle) -> RemoteObject:
    """An object over there, under the name of its class, for messages."""
    return type(name_of(kind), (RemoteObject,), {})(home, handle)


def _bound_method(home: RemoteParts, handle: Handle, name: str) -> Callable:
    remote = RemoteFunction(home, "method", {"owner": handle, "name": name})

    def method(*args, **kwargs):
        return remote(*args, **kwargs)

    return method


class _Call(torch.autograd.Function):
    """Gives results that came as data the history they have over there."""

    @staticmethod
    def forward(ctx, home: RemoteParts, call: int, outputs: list[Tensor], _anchor: Tensor, *leaves: Tensor):
        ctx.home, ctx.call, ctx.leaves = home, call, leaves
        return tuple(out.detach().clone() for out in outputs)

    @staticmethod
    def backward(ctx, *grads):
        sent = [g if g is None else g.detach() for g in grads]
        found = ctx.home.ask(do="backward", call=ctx.call, grads=sent).get("grads")
        if not isinstance(found, list) or len(found) != len(ctx.leaves):
            raise Gone("malformed", "The reply is none to a question for gradients.")
        fits = [g if isinstance(g, Tensor) and g.shape == leaf.shape else None for g, leaf in zip(found, ctx.leaves)]
        return (None, None, None, None, *fits)


def _with_history(home: RemoteParts, call: int, value, leaves: list[Tensor]):
    """The value, its tensors that require a gradient replaced by ones that can give it."""
    outputs = [t for t in tensors_in(value) if t.requires_grad]
    if not outputs:
        return value
    anchor = torch.zeros((), requires_grad=True)  # so that there is a history even where only parameters have one
    joined = iter(_Call.apply(home, call, outputs, anchor, *leaves))
    return _map(value, lambda t: next(joined) if t.requires_grad else t)


def _map(value, change: Callable):
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _map(item, change) for key, item in value.items()}
    return type(value)(_map(item, change) for item in value) if isinstance(value, (list, tuple)) else value


def _is(value, among: list[Tensor]) -> bool:
    return any(value is item for item in among)


def _write_back(mine: Tensor, theirs: Tensor) -> None:
    if mine.dtype == theirs.dtype and mine.shape != theirs.shape:  # as after `unsqueeze_`
        mine.data = theirs.detach()
    elif mine.dtype == theirs.dtype and not torch.equal(mine.detach(), theirs.detach()):
        with torch.no_grad():
            mine.copy_(theirs)


def _rebuild(signature) -> inspect.Signature | None:
    """The signature that was sent as names, kinds and whether there is a default; None if it is none."""
    if type(signature) is not list or len(signature) > PARAMETERS:
        return None
    try:
        return inspect.Signature([_parameter(*entry) for entry in signature])
    except (TypeError, ValueError):
        return None


def _parameter(name: str, kind: int, default: bool) -> inspect.Parameter:
    if not (type(name) is str and len(name) < 80 and type(kind) is int and type(default) is bool):
        raise TypeError("these are no name, kind and default")
    return inspect.Parameter(name, inspect._ParameterKind(kind), default=None if default else inspect.Parameter.empty)
