"""The process that runs a student's code: `python -m saelab.apart.worker FD`, or a child of the grader's warm process.

It holds no checks and no seeds. It answers one request at a time with data only (see wire.py): `define`, `call`,
`method`, `attribute`, `backward`; a new test begins with a seed. A reply carries its request's nonce, which nobody
can guess.
"""

import inspect
import os
import socket
import sys
import types
from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from functools import cache, partial
from itertools import islice

import torch
from torch import Tensor

import saelab
from saelab import checking
from saelab.answers import Piece, define, quiet, student_line
from saelab.checking import tensors_in
from saelab.content import Solved

from .wire import ITEMS, Handle, WireError, decode, encode, receive, send

LISTED = (Iterator, range, KeysView, ValuesView, ItemsView)  # results that a check goes through once: sent as lists


class Worker:
    """The student's functions, the objects they made, and the results that may still be differentiated."""

    def __init__(self) -> None:
        self.parts: dict = {}
        self.kept: list = []  # objects spoken to by handle
        self.calls: dict[int, tuple[list[Tensor], list[Tensor]]] = {}  # number → inputs and outputs with a history
        self.count = 0

    def answer(self, request: dict) -> dict:
        """One reply; what the student's code raises is part of it, never of this process."""
        try:
            if seed := request.pop("reseed", 0):
                self.reseed(seed)
            if (given := request.pop("seed", None)) is not None:  # a check has called torch.manual_seed
                torch.default_generator.manual_seed(given)
            return getattr(self, f"do_{request.pop('do')}")(**request)
        except (Exception, SystemExit, RecursionError) as error:
            said = {"error": type(error).__name__, "message": _message(error), "line": student_line(error)}
            return said | {"kinds": _kinds(error)} | {"things": checking.told()}

    def do_define(self, pieces: list, parts: list, earlier: list) -> dict:
        if earlier:
            saelab.reference = _references(earlier)
        self.parts = define([Piece(*piece) for piece in pieces], parts)
        checking.settle()  # what a cell has set holds for its own code, not for the next answer
        return {"signatures": {name: _signature(fn) for name, fn in self.parts.items()}}

    def reseed(self, number: int) -> None:
        """Seed the random numbers, forget the objects and results of the test before."""
        checking.seed_everything(number)
        self.kept, self.calls = [], {}
        checking.begin_test()

    def do_call(self, part: str, args: tuple, kwargs: dict) -> dict:
        return self._call(self.parts[part], args, kwargs, is_class=inspect.isclass(self.parts[part]))

    def do_method(self, owner: Handle, name: str, args: tuple, kwargs: dict) -> dict:
        target = self.kept[owner.number]
        return self._call(target if name == "__call__" else getattr(target, name), args, kwargs)

    def do_attribute(self, owner: Handle, name: str) -> dict:
        value = getattr(self.kept[owner.number], name)
        if inspect.isroutine(value):
            return {"routine": True}
        if isinstance(value, Tensor):
            return {"value": value, "grad": value.grad}
        return {"value": self._portable(value)}

    def do_backward(self, call: int, grads: list) -> dict:
        """Gradients of the inputs of an earlier call; parameters of kept objects gather theirs."""
        inputs, outputs = self.calls[call]
        pairs = [(out, grad) for out, grad in zip(outputs, grads, strict=True) if grad is not None]
        before = [leaf.grad for leaf in inputs]
        for leaf in inputs:
            leaf.grad = None
        torch.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs], retain_graph=True)
        found = [leaf.grad for leaf in inputs]
        for leaf, old in zip(inputs, before):
            leaf.grad = old
        return {"grads": found}

    def _call(self, fn, args: tuple, kwargs: dict, is_class: bool = False) -> dict:
        args, kwargs = checking.made_of(args), checking.made_of(kwargs)
        given = tensors_in((args, kwargs))
        checking.lend((args, kwargs))
        try:
            with quiet():
                value = fn(*args, **kwargs)
        finally:
            checking.settle()
            checking.take_back()
        self.count += 1
        self.calls[self.count] = (_leaves(args), [t for t in tensors_in(value) if t.requires_grad])
        sent = self._keep(value) if is_class else self._portable(value)
        kind = type(value).__name__ if isinstance(sent, Handle) else ""
        return {"value": sent, "kind": kind, "after": tuple(given), "call": self.count, "things": checking.told()}

    def _portable(self, value):
        if isinstance(value, LISTED) and not callable(value):
            value = list(islice(value, ITEMS + 1))
        try:
            encode(value)
            return value
        except WireError:
            return self._keep(value) if not isinstance(value, (Tensor, list, tuple, dict, int)) else _refuse(value)

    def _keep(self, value) -> Handle:
        self.kept.append(value)
        return Handle(len(self.kept) - 1)


def _references(earlier: list) -> Callable[[str], Solved]:
    """`reference` where there is no course: the sections that were sent, and no others."""

    @cache
    def made(text: str) -> dict:
        module = types.ModuleType("saelab_reference")
        exec(compile(text, "<solution>", "exec"), module.__dict__)
        return module.__dict__

    def sections(chapter: str) -> list:
        return [(parts, partial(made, text)) for its, parts, text in earlier if its == chapter]

    return lambda chapter: Solved(chapter, partial(sections, chapter))


def _refuse(value):
    if isinstance(value, int):
        raise OverflowError("the result is a whole number of more than 64 bits")
    raise WireError(f"the result holds something that is not data (in a {type(value).__name__})")


def _leaves(args) -> list[Tensor]:
    return [t for t in tensors_in(args) if t.requires_grad and t.is_leaf]


def _signature(fn) -> list | None:
    """Parameter names, kinds and whether they have a default, as data."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, int(p.kind), p.default is not inspect.Parameter.empty] for p in parameters]


def _message(error: BaseException) -> str:
    """What it says; of a KeyError the key, for which that is quoted."""
    is_key = isinstance(error, KeyError) and len(error.args) == 1 and isinstance(error.args[0], str)
    return str(error.args[0] if is_key else error)[:2000]


def _kinds(error: BaseException) -> list[str]:
    """Python's own exceptions that it is one of, the nearest first."""
    return [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins" and kind is not object]


def serve(connection: socket.socket) -> None:
    """Answer until the other side is gone."""
    torch.set_num_threads(1)
    worker = Worker()
    while (message := receive(connection)) is not None:
        request = decode(message, recipes=True)
        nonce = request.pop("nonce")
        reply = worker.answer(request) | {"nonce": nonce}
        try:
            send(connection, encode(reply))
        except WireError as error:
            send(connection, encode({"error": "WireError", "message": str(error), "line": "", "nonce": nonce}))


if __name__ == "__main__":
    os.environ["SAELAB_PLAIN"] = "1"
    serve(socket.socket(fileno=int(sys.argv[1])))
