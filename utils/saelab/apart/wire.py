"""Values as bytes and back, for talking to the process that runs a student's code.

Only data travels: None, truth values, numbers, text, lists, tuples, sets, dictionaries, tensors and numpy's arrays of
the listed dtypes (what is of a class made from one of these travels as that one; a named tuple keeps its names),
handles (numbers that name objects which stay in the other process), and, towards the student's code only, recipes (a
name and plain options, from which the other side makes the thing itself). The format is a JSON header and the
tensors' bytes behind it; nothing that is read is ever executed or unpickled, and what is read can't be much larger in
memory than it was as bytes.
"""

import json
import math
import socket
import struct
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saelab.checking import Recipe, recipe_of

DTYPES = {
    name: getattr(torch, name)
    for name in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
}
KINDS: dict[type, str] = {list: "l", tuple: "u", set: "s", frozenset: "f"}
LIMIT = 128 * 2**20  # bytes in one message
HEADER = 4 * 2**20  # bytes of its header
VALUES, VALUE = 250_000, 1000  # values in a header; bytes that one of them may take, with what it is read through
TENSORS, NAMED, HASHED = 10_000, 1_000, 5_000  # in one message: tensors, named tuples, tuples as keys or in sets
DEPTH, ITEMS = 20, 100_000
NAMES = 50  # of one named tuple
LARGEST = 2**63  # of whole numbers: what a tensor can hold


class WireError(Exception):
    """A message that is too large, of an unknown kind, or malformed."""


@dataclass(frozen=True)
class Handle:
    """An object or function that stays in the other process."""

    number: int


def encode(value, recipes: bool = False) -> bytes:
    """A value as one message (without its length); raises WireError for what may not travel.

    With `recipes`, in place of a thing that a recipe made here goes its recipe.
    """
    blobs: list[bytes] = []
    header = json.dumps(_pack(value, blobs, 0, recipes)).encode()
    if len(header) > HEADER:
        raise WireError(f"{len(header) / 2**20:.0f} MB of numbers and text, more than the {HEADER // 2**20} MB allowed")
    _look_at(header)
    message = struct.pack("<I", len(header)) + header + b"".join(blobs)
    if len(message) > LIMIT:
        raise WireError(f"a value of {len(message) / 2**20:.0f} MB is larger than the {LIMIT // 2**20} MB allowed")
    return message


def decode(message: bytes, recipes: bool = False):
    """The value in a message; raises WireError on anything malformed. A `Recipe` may be in it only with `recipes`."""
    try:
        (length,) = struct.unpack_from("<I", message)
        if length > HEADER:
            raise WireError(f"a header of {length} bytes")
        header = message[4 : 4 + length]
        _look_at(header)
        reader = _Reader(memoryview(message)[4 + length :], recipes)
        value = reader.value(json.loads(header), 0)
        reader.end()
        return value
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"malformed message ({type(error).__name__}: {str(error)[:200]})") from None


def _look_at(header: bytes) -> None:
    """Refuse a header that comes to very many values, before it does; each has its brackets."""
    if max(header.count(b"{"), header.count(b"[")) > VALUES:
        raise WireError(f"more than the {VALUES} values allowed")


def weight(message: bytes) -> int:
    """Bytes that the value in a message may take in memory, at most and about."""
    (length,) = struct.unpack_from("<I", message) if len(message) >= 4 else (0,)
    return len(message) + VALUE * message.count(b"{", 4, 4 + length)


def _pack(value, blobs: list[bytes], depth: int, recipes: bool):
    if depth > DEPTH:
        raise WireError("nested too deeply")
    value = plain(value)
    kind = type(value)
    if kind is int and not -LARGEST <= value < LARGEST:
        raise WireError("a whole number of more than 64 bits")
    if value is None or kind in (bool, int, float, str):
        return {"v": value}
    if isinstance(value, Handle):
        return {"h": value.number}
    if kind in KINDS:
        if len(value) > ITEMS:
            raise WireError(f"a {kind.__name__} of {len(value)} items is longer than the {ITEMS} allowed")
        return {KINDS[kind]: [_pack(item, blobs, depth + 1, recipes) for item in value]}
    if isinstance(value, tuple):  # with names: what else is a tuple is a plain one by now
        names = [name for name in value._fields if type(name) is str]  # type: ignore[attr-defined]
        return {"n": names, "u": [_pack(item, blobs, depth + 1, recipes) for item in value]}
    if kind is dict:
        pairs = [[_pack_key(key, blobs, depth, recipes), item] for key, item in value.items()]
        return {"d": [[key, _pack(item, blobs, depth + 1, recipes)] for key, item in pairs]}
    if isinstance(value, Tensor):
        return _pack_tensor(value, blobs)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return {"a": _pack_tensor(torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape)), blobs)}
    if recipes and (made := recipe_of(value)):
        return {"r": made.name, "o": dict(made.options)}
    raise WireError(f"a {kind.__name__}, which is not data")


def plain(value):
    """A value of a class that is made from a builtin one (enumerations, numpy's numbers, counters …) as that one.

    The names of a named tuple are kept: what a check reads off a result here, it reads off there.
    """
    if isinstance(value, np.generic) and not isinstance(value, (np.void, np.object_)):
        value = value.item()
    if type(value) is bool:  # which Python counts among the whole numbers
        return value
    base: Any = next(
        (base for base in (int, float, str, list, tuple, set, frozenset, dict) if isinstance(value, base)), None
    )
    if base in (None, type(value)) or (base is tuple and len(getattr(value, "_fields", ())) == len(value) > 0):
        return value
    return str.__str__(value) if base is str else base(value)


def _pack_key(key, blobs: list[bytes], depth: int, recipes: bool):
    """The key of a dictionary: text as it is, other numbers and words as nodes."""
    key = plain(key)
    if type(key) is str:
        return key
    if not isinstance(key, (bool, int, float, tuple, type(None))):
        raise WireError(f"a dictionary with a {type(key).__name__} for a key")
    return _pack(key, blobs, depth + 1, recipes)


def _named(names: list, items: list) -> tuple:
    """A tuple whose items have names as well; raises WireError for what are no names."""
    if len(names) != len(items) or len(names) > NAMES or not all(type(n) is str and n.isidentifier() for n in names):
        raise WireError("a tuple with names that are none")
    made = {name: property(itemgetter(place)) for place, name in enumerate(names) if not name.startswith("_")}
    return type("Named", (tuple,), made)(items)


def _pack_tensor(value: Tensor, blobs: list[bytes]) -> dict:
    name = str(value.dtype).removeprefix("torch.")
    if name not in DTYPES or value.layout != torch.strided:
        raise WireError(f"a tensor of dtype {name} and layout {value.layout}")
    flat = torch.empty(value.numel(), dtype=value.dtype).copy_(value.detach().reshape(-1))
    blob = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    blobs.append(blob)
    return {"t": name, "shape": list(value.shape), "grad": bool(value.requires_grad)}


def _text(value: str) -> str:
    """Text that can be written to a file: halves of characters (lone surrogates) become question marks."""
    return str(value).encode(errors="replace").decode()


class _Reader:
    """Values out of a header and the bytes behind it, each byte used once."""

    def __init__(self, blobs: memoryview, recipes: bool):
        self.blobs, self.at, self.recipes = blobs, 0, recipes
        self.left = {"tensors": TENSORS, "named tuples": NAMED, "tuples as keys or in sets": HASHED}

    def count(self, kind: str, number: int = 1) -> None:
        """One more of these; raises WireError where there are too many."""
        self.left[kind] -= number
        if self.left[kind] < 0:
            raise WireError(f"too many {kind}")

    def value(self, node: dict, depth: int):
        if depth > DEPTH:
            raise WireError("nested too deeply")
        if "v" in node:
            if type(node["v"]) not in (type(None), bool, int, float, str):
                raise WireError("malformed value")
            if type(node["v"]) is int and not -LARGEST <= node["v"] < LARGEST:
                raise WireError("a whole number of more than 64 bits")
            return _text(node["v"]) if type(node["v"]) is str else node["v"]
        if "h" in node:
            return Handle(int(node["h"]))
        if "a" in node:
            return self.value(node["a"], depth + 1).numpy()
        if "n" in node:
            self.count("named tuples")
            return _named(node["n"], [self.value(item, depth + 1) for item in node["u"]])
        for kind, key in KINDS.items():
            if key in node:
                items = [self.value(item, depth + 1) for item in node[key]]
                if kind in (set, frozenset):  # where hashes of tuples can be made to collide, which takes long
                    self.count("tuples as keys or in sets", sum(isinstance(item, (tuple, frozenset)) for item in items))
                return kind(items)  # what can't be in a set is malformed
        if "r" in node:
            if not self.recipes:
                raise WireError("a recipe, where none may come")
            return Recipe(_text(node["r"]), tuple(sorted(node["o"].items())))
        if "d" in node:
            return {self.key(key, depth): self.value(item, depth + 1) for key, item in node["d"]}
        return self.tensor(DTYPES[node["t"]], [int(size) for size in node["shape"]], bool(node["grad"]))

    def key(self, node: str | dict, depth: int):
        if isinstance(node, str):
            return _text(node)
        found = self.value(node, depth + 1)
        self.count("tuples as keys or in sets", isinstance(found, tuple))
        return found

    def tensor(self, dtype: torch.dtype, shape: list[int], grad: bool) -> Tensor:
        self.count("tensors")
        if len(shape) > 16 or any(not 0 <= size < 2**40 for size in shape):  # before they are multiplied
            raise WireError("a tensor of an impossible shape")
        count = math.prod(shape)
        length = count * dtype.itemsize
        if self.at + length > len(self.blobs):
            raise WireError("a tensor whose bytes don't fit its shape")
        raw = bytearray(self.blobs[self.at : self.at + length])
        self.at += length
        if not count:
            return torch.empty(shape, dtype=dtype, requires_grad=grad)
        flat = torch.frombuffer(raw, dtype=torch.uint8)
        # a truth value is one byte, and only 0 and 1 may be one
        flat = flat != 0 if dtype == torch.bool else flat.view(dtype)
        return flat.reshape(shape).requires_grad_(grad)

    def end(self) -> None:
        if self.at != len(self.blobs):
            raise WireError(f"{len(self.blobs) - self.at} bytes that belong to nothing")


def receive(connection: socket.socket) -> bytes | None:
    """One message, or None when the other side is gone."""
    head = _exactly(connection, 8)
    return _exactly(connection, int.from_bytes(head, "little")) if head else None


def send(connection: socket.socket, message: bytes) -> None:
    """A message with its length before it."""
    connection.sendall(len(message).to_bytes(8, "little") + message)


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        chunk = connection.recv(min(count - len(parts), 2**20))
        if not chunk:
            return None
        parts += chunk
    return bytes(parts)
