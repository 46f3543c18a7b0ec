"""A student's code in a process of its own, behind the same interface as a function here.

The third door: checks call `RemoteParts` like functions. Arguments and results travel as data;
gradients, in-place changes of arguments, exceptions and objects (by handle) come through, so a check
never knows. Nothing of the student's runs or is unpickled here. A separate process is no jail; a child of
the grader's warm process is in one.
"""

import builtins
import inspect
import math
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from saelab.answers import Answer, AnswerError
from saelab.checking import Call, Gone, note, tensors_in
from saelab.content import PACKAGE

from .wire import LIMIT, Handle, WireError, decode, encode, send, weight

SECONDS = 60.0  # for one call
WORDS = 2000  # characters of what the other side says that are kept
TOTAL = 4 * LIMIT  # bytes of all replies about one answer: the log of calls keeps them
PARAMETERS = 50  # of one function
FOLDERS = sorted({str(PACKAGE.parent), sys.prefix, sys.base_prefix}, key=len, reverse=True)  # of the installation


class RemoteError(Exception):
    """The student's code raised something that is no builtin exception."""


class Peer:
    """A connection to a process that runs a student's code. Nothing that comes from there is trusted.

    `until` is the time (of time.monotonic) by which everything has to be done.
    """

    def __init__(self, connection: socket.socket, seconds: float = SECONDS):
        self.connection, self.seconds, self.until, self.left = connection, seconds, math.inf, TOTAL

    def ask(self, **request) -> dict:
        """One request, one reply; raises what the student's code raised, or Gone."""
        nonce = secrets.token_hex(8)
        until = min(time.monotonic() + self.seconds, self.until)
        try:
            self._allow(until)
            send(self.connection, encode(request | {"nonce": nonce}, recipes=True))
            reply = decode(self._receive(until))
        except TimeoutError:
            raise Gone("timeout", f"It took longer than {self.seconds:.0f} s and was stopped.") from None
        except OSError:
            raise Gone("ended", "The process that runs the code ended in the middle of a call.") from None
        except WireError as error:
            raise Gone("malformed", f"The reply can't be used: {error}.") from None
        if not isinstance(reply, dict) or reply.get("nonce") != nonce:
            raise Gone("malformed", "The reply belongs to no question.")
        note(reply.get("things"))
        if "error" in reply:
            name, message, line = (_words(reply.get(key)) for key in ("error", "message", "line"))
            raise _exception(name, message, line, reply.get("kinds"))
        return reply

    def _allow(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(left)

    def _receive(self, until: float) -> bytes:
        size = int.from_bytes(self._exactly(8, until), "little")
        if size > LIMIT:
            raise WireError(f"it is larger than the {LIMIT // 2**20} MB allowed")
        if self.left < size:
            raise WireError(f"all replies together are larger than the {TOTAL // 2**20} MB allowed")
        message = self._exactly(size, until)
        self.left -= weight(message)
        if self.left < 0:
            raise WireError(f"all replies together hold more than the {TOTAL // 2**20} MB allowed")
        return message

    def _exactly(self, count: int, until: float) -> bytes:
        got = bytearray()
        while len(got) < count:
            self._allow(until)
            chunk = self.connection.recv(min(count - len(got), 2**20))
            if not chunk:
                raise ConnectionError
            got += chunk
        return bytes(got)

    def close(self) -> None:
        self.connection.close()


class SeparateProcess(Peer):
    """A process of its own for one answer: apart, but not a jail."""

    def __init__(self, seconds: float = SECONDS):
        ours, theirs = socket.socketpair()
        super().__init__(ours, seconds)
        command = [sys.executable, "-m", "saelab.apart.worker", str(theirs.fileno())]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=quiet, stdout=quiet, stderr=quiet, env=environment()
        )
        theirs.close()

    def close(self) -> None:
        super().close()
        self._process.kill()
        self._process.wait()


class RemoteParts(dict):
    """Part name → callable, run in the process behind a peer.

    `earlier` is what `reference` gives there (see course.earlier). Raises AnswerError when the student's cells can't
    be run, and Gone.
    """

    def __init__(self, answer: Answer, peer: Peer, earlier: Iterable = ()):
        super().__init__()
        self._peer, self._seed, self._seeded = peer, 0, torch.initial_seed()
        peer.left = TOTAL
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
            return _of_kind(_words(reply.get("kind")), self._home, value)
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
    return type(_name(kind), (RemoteObject,), {})(home, handle)


def _name(said: str) -> str:
    """What a class over there is called, if that is a name."""
    return said if said.isidentifier() and len(said) < 80 else "object"


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


def _words(said) -> str:
    """Text from over there, cut, without the folders of this machine that Python's own messages name.

    Nothing where something else came, which might take long to print.
    """
    text = said[:WORDS] if type(said) is str else ""
    for folder in FOLDERS:
        text = text.replace(f"{folder}/", "…/")
    return text


def _exception(name: str, message: str, line: str, kinds=()) -> Exception:
    """What was raised over there: a builtin that is made of a message, or one of the same name.

    That is caught by what would catch it there: `kinds` names the builtin exceptions it is one of.
    """
    kind = getattr(builtins, name, None)
    try:
        error: Exception | None = kind(message) if isinstance(kind, type) and issubclass(kind, Exception) else None
    except TypeError:
        error = None
    error = error or _like(name, message, kinds)
    error.student_line = line  # type: ignore[attr-defined, union-attr]
    return error


def _like(name: str, message: str, kinds) -> Exception:
    """An exception of a class made here, a subclass of the builtin ones named, of which there may be no more than 9."""
    named = kinds[:9] if type(kinds) is list else []
    found = [getattr(builtins, kind, None) for kind in named if type(kind) is str]
    bases: list[Any] = [kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception)]
    bases = [kind for kind in bases if not any(issubclass(other, kind) and other is not kind for other in bases)]
    for parents in ([RemoteError, *dict.fromkeys(bases)], [RemoteError]):
        try:
            made: Any = type(_name(name), tuple(parents), {"__str__": lambda _self: message})
            return made.__new__(made, message)
        except TypeError:  # these can't be one class
            continue
    return RemoteError(message)


def environment() -> dict[str, str]:
    keep = ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "TMPDIR", "SAELAB_COURSE")
    return {key: os.environ[key] for key in keep if key in os.environ} | {"OMP_NUM_THREADS": "1"}
