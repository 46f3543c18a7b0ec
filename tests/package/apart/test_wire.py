"""Can a process that runs a student's code harm the grader by what it writes to their socket?

Here the process is a thread that says whatever it likes; the grader's side is the real one. A forged reply must end the
exercise with a reason, soon, and as nothing but that.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable

import pytest
import torch

from saelab import apart, content
from saelab.answers import Answer, Piece
from saelab.apart import Peer, RemoteParts
from saelab.checking import Gone


class Forger(threading.Thread):
    """Defines `double` like an honest child, then answers the first call with forge(nonce)."""

    def __init__(self, forge: Callable[[str], bytes], pause: float = 0.0, **defined):
        super().__init__(daemon=True)
        self.connection, self._theirs = socket.socketpair()
        self._forge, self._pause, self._defined = forge, pause, {"signatures": {"double": [["x", 1, False]]}} | defined
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, TypeError), self._theirs:
            apart.send(self._theirs, apart.encode(self._defined | {"nonce": self._asked()}))
            forged = self._forge(self._asked())
            for start in range(0, len(forged), 1 if self._pause else 2**20):
                self._theirs.sendall(forged[start : start + (1 if self._pause else 2**20)])
                time.sleep(self._pause)

    def _asked(self) -> str:
        return apart.decode(apart.receive(self._theirs))["nonce"]


def parts_of(forger: Forger, seconds: float = 20.0) -> RemoteParts:
    return RemoteParts(Answer(content.find("double"), [Piece("cell 1", "")]), Peer(forger.connection, seconds))


def message(header: bytes, blobs: bytes = b"") -> bytes:
    body = struct.pack("<I", len(header)) + header + blobs
    return len(body).to_bytes(8, "little") + body


def reply(nonce: str, value: str, blobs: bytes = b"", after: str = '{"u": [{"v": null}]}', call: str = "1") -> bytes:
    """A whole reply to a call with one argument; `value` and `after` as JSON."""
    entries = f'["nonce", {{"v": "{nonce}"}}], ["after", {after}], ["call", {{"v": {call}}}], ["value", {value}]'
    return message(f'{{"d": [{entries}]}}'.encode(), blobs)


def tensor(shape: list[int], dtype: str = "float32", grad: bool = False) -> str:
    return json.dumps({"t": dtype, "shape": shape, "grad": grad})


FORGED: dict[str, tuple[Callable[[str], bytes], str]] = {
    "nothing": (lambda _: b"", "ended"),
    "half a length": (lambda _: b"\x01\x00", "ended"),
    "less than announced": (lambda _: (100).to_bytes(8, "little") + b"x", "ended"),
    "more than may be": (lambda _: (2**62).to_bytes(8, "little"), "malformed"),
    "no header": (lambda _: bytes(8), "malformed"),
    "a header longer than its message": (lambda _: (8).to_bytes(8, "little") + b"\xff" * 8, "malformed"),
    "no JSON": (lambda _: message(b"{{{{"), "malformed"),
    "no text": (lambda _: message(b"\xff\xfe\xfd"), "malformed"),
    "JSON of another kind": (lambda _: message(b"[1, 2]"), "malformed"),
    "very deep": (lambda _: message(b'{"l":[' * 300_000 + b"]}" * 300_000), "malformed"),
    "a little too deep": (lambda n: reply(n, '{"l":[' * 25 + "]}" * 25), "malformed"),
    "the wrong nonce": (lambda n: reply(n[::-1] + "0", '{"v": 1}'), "malformed"),
    "no nonce": (lambda _: message(b'{"d": [["value", {"v": 1}], ["call", {"v": 1}]]}'), "malformed"),
    "no dictionary": (lambda n: message(f'{{"v": "{n}"}}'.encode()), "malformed"),
    "a verdict": (lambda n: message(f'{{"d": [["nonce", {{"v": "{n}"}}], ["ok", {{"v": 1}}]]}}'.encode()), "malformed"),
    "an unknown dtype": (lambda n: reply(n, tensor([1], "object"), bytes(8)), "malformed"),
    "too few bytes": (lambda n: reply(n, tensor([3]), bytes(8)), "malformed"),
    "too many bytes": (lambda n: reply(n, tensor([1]), bytes(8)), "malformed"),
    "a negative length": (lambda n: reply(n, tensor([-1, -1]), bytes(4)), "malformed"),
    "too many axes": (lambda n: reply(n, tensor([1] * 17), bytes(4)), "malformed"),
    "axes without end": (lambda n: reply(n, tensor([2**40 - 1] * 250_000)), "malformed"),
    "a gradient for whole numbers": (lambda n: reply(n, tensor([1], "int64", True), bytes(8)), "malformed"),
    "a number too long": (lambda n: reply(n, '{"v": ' + "9" * 5000 + "}"), "malformed"),
    "a list for a value": (lambda n: reply(n, '{"v": [1, 2]}'), "malformed"),
    "a handle of text": (lambda n: reply(n, '{"h": "x"}'), "malformed"),
    "no arguments": (lambda n: reply(n, '{"v": 1}', after='{"v": null}'), "malformed"),
    "more arguments": (lambda n: reply(n, '{"v": 1}', after='{"u": [{"v": 1}, {"v": 1}]}'), "malformed"),
    "a call without a number": (lambda n: reply(n, '{"v": 1}', call='"1"'), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(FORGED))
def test_a_forged_reply_is_no_result(what, small_course):
    forge, kind = FORGED[what]
    parts, started = parts_of(Forger(forge)), time.monotonic()
    with pytest.raises(Gone) as gone:
        parts["double"](torch.ones(1, 1))
    assert gone.value.kind == kind and time.monotonic() - started < 15


def test_an_honest_reply_from_there_is_one(small_course):
    """Otherwise the test above could not fail."""
    six = struct.pack("<f", 6.0)
    assert parts_of(Forger(lambda n: reply(n, tensor([1, 1]), six)))["double"](torch.ones(1, 1)).item() == 6


def test_a_reply_that_trickles_is_late(small_course):
    forger = Forger(lambda _: (64).to_bytes(8, "little") + b"{" * 64, pause=0.2)
    parts, started = parts_of(forger, seconds=1), time.monotonic()
    with pytest.raises(Gone) as gone:
        parts["double"](torch.ones(1, 1))
    assert gone.value.kind == "timeout" and time.monotonic() - started < 10


def test_replies_are_limited_altogether(small_course, monkeypatch):
    """The grader keeps them all until the exercise is checked."""
    monkeypatch.setattr("saelab.apart.peer.TOTAL", 30_000)
    with pytest.raises(Gone, match="all replies together are larger"):
        parts_of(Forger(lambda n: reply(n, tensor([7_500]), bytes(30_000))))["double"](torch.ones(1, 1))
    with pytest.raises(Gone, match="all replies together hold more"):
        small = ", ".join([tensor([0])] * 50)
        parts_of(Forger(lambda n: reply(n, f'{{"l": [{small}]}}')))["double"](torch.ones(1, 1))


def several(item: str, count: int) -> str:
    return f'{{"l": [{", ".join([item] * count)}]}}'


MANY = {
    "values": several('{"v": 1}', 250_001),
    "lists": f'{{"l": {"[" * 10}{"[], " * 250_000}1{"]" * 10}}}',
    "tensors": several(tensor([0]), 10_001),
    "tensors under other names": several('{"\\u0074": "bool", "shape": [0], "grad": false}', 10_001),
    "named tuples": several('{"n": ["a"], "u": [{"v": 1}]}', 1_001),
    "named tuples in named tuples": several('{"n": ["a"], "u": [{"n": [], "u": []}]}', 501),
    "tuples in a set": f'{{"s": [{", ".join(f"""{{"u": [{{"v": {n}}}]}}""" for n in range(5_001))}]}}',
    "tuples for keys": f'{{"d": [{", ".join(f"""[{{"u": [{{"v": {n}}}]}}, {{"v": 1}}]""" for n in range(5_001))}]}}',
    "frozen sets in sets": several(f'{{"s": [{", ".join(f"""{{"f": [{{"v": {n}}}]}}""" for n in range(1_000))}]}}', 6),
}


@pytest.mark.parametrize("what", MANY)
def test_a_reply_of_very_many_things_is_refused(what, small_course):
    with pytest.raises(Gone, match="more than the 250000 values|too many") as gone:
        parts_of(Forger(lambda n: reply(n, MANY[what])))["double"](torch.ones(1, 1))
    assert gone.value.kind == "malformed"


def test_as_many_things_as_an_honest_answer_may_have_come_through():
    pairs = {(n, n + 1): float(n) for n in range(2_000)}
    value = [list(range(100_000)), {str(n): n for n in range(20_000)}, pairs, set(pairs), [torch.ones(2)] * 1_000]
    back = apart.decode(apart.encode(value))
    assert back[:4] == value[:4] and len(back[4]) == 1_000 and torch.equal(back[4][999], torch.ones(2))
    with pytest.raises(apart.WireError, match="more than the 250000 values"):
        apart.encode([[1] * 90_000] * 3)


@pytest.mark.parametrize(
    "signature",
    [
        5, "xyz", [5], ["xyz"], [["x", 1]], [["x", 9, False]], [["x", "1", False]], [[["x"], 1, False]],
        [["not a name", 1, False]], [["x", 1, False]] * 2, [["x" * 10**6, 1, False]], torch.ones(3, 3),
        [["x", 1, torch.ones(2)]], [[f"p{i}", 3, False] for i in range(10_000)], {"x": 1}, [["x", 1, None]],
    ],
)  # fmt: skip
def test_a_signature_that_is_none_is_left_out(signature, small_course):
    parts = parts_of(Forger(lambda _: b"", signatures={"double": signature}))
    assert not hasattr(parts["double"], "__signature__")


@pytest.mark.parametrize(
    "name",
    ["Gone", "BaseException", "SystemExit", "KeyboardInterrupt", "exec", "__import__", "UnicodeDecodeError", "", 3],
)
def test_an_error_from_there_is_an_ordinary_one(name, small_course):
    def forge(nonce: str) -> bytes:
        body = apart.encode({"error": name, "message": "m" * 10**6, "line": [torch.ones(2)] * 1000, "nonce": nonce})
        return len(body).to_bytes(8, "little") + body

    with pytest.raises(Exception) as raised:
        parts_of(Forger(forge))["double"](torch.ones(1, 1))
    assert not isinstance(raised.value, OSError) and len(str(raised.value)) < 3000


def test_the_first_question_of_a_test_takes_its_seed_along(small_course):
    asked = []

    class Listener:
        def begin(self):
            pass

        def ask(self, **request):
            asked.append(request)
            return {"signatures": {}, "value": 1, "after": (), "call": 1}

    parts = RemoteParts(Answer(content.find("double"), [Piece("cell 1", "")]), Listener())
    parts.reseed(3)
    parts["double"](), parts["double"]()
    assert [request.get("reseed") for request in asked] == [None, 3, None]


def test_text_and_truth_values_come_out_clean():
    def decoded(value: str, blobs: bytes = b""):
        return apart.decode(struct.pack("<I", len(value)) + value.encode() + blobs)

    assert decoded(r'{"d": [["\ud800", {"v": "a\udfffb"}]]}') == {"?": "a?b"}
    assert decoded('{"t": "bool", "shape": [3], "grad": false}', b"\x00\x07\xff").view(torch.uint8).tolist() == [
        0,
        1,
        1,
    ]
