"""A connection to a process that runs a student's code; what it says is checked and never trusted."""

import builtins
import math
import os
import secrets
import socket
import subprocess
import sys
import time
from typing import Any

from saelab.checking import Gone, note
from saelab.content import PACKAGE

from .wire import LIMIT, WireError, decode, encode, send, weight

SECONDS = 60.0  # for one call
WORDS = 2000  # characters of what the other side says that are kept
TOTAL = 4 * LIMIT  # bytes of all replies about one answer: the log of calls keeps them
FOLDERS = sorted({str(PACKAGE.parent), sys.prefix, sys.base_prefix}, key=len, reverse=True)  # of the installation


class RemoteError(Exception):
    """The student's code raised something that is no builtin exception."""


class Peer:
    """A connection to a process that runs a student's code. Nothing that comes from there is trusted.

    `until` is the time (of time.monotonic) by which everything has to be done.
    """

    def __init__(self, connection: socket.socket, seconds: float = SECONDS):
        self.connection, self.seconds, self.until = connection, seconds, math.inf
        self.begin()

    def begin(self) -> None:
        """Here begins another answer: replies about it may hold TOTAL bytes."""
        self.left = TOTAL

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
            name, message, line = (words_of(reply.get(key)) for key in ("error", "message", "line"))
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


def name_of(said: str) -> str:
    """What a class over there is called, if that is a name."""
    return said if said.isidentifier() and len(said) < 80 else "object"


def words_of(said) -> str:
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
            made: Any = type(name_of(name), tuple(parents), {"__str__": lambda _self: message})
            return made.__new__(made, message)
        except TypeError:  # these can't be one class
            continue
    return RemoteError(message)


def environment() -> dict[str, str]:
    keep = ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "TMPDIR", "SAELAB_COURSE")
    return {key: os.environ[key] for key in keep if key in os.environ} | {"OMP_NUM_THREADS": "1"}
