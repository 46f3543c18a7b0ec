"""The grader's side of the warm process: start it, have it fork jailed children, see that they end."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from saelab.apart import Peer, WireError, decode, environment

from .. import jail
from .warm import Control

STARTING = 300.0  # seconds that a warm process may take until it is ready
STARTS = 8  # times that one is tried which ends before it is
PATIENCE = 5.0  # seconds that a child may take to end, once its side of the connection is closed
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # OMP_NUM_THREADS comes with `environment`
MALLOC = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"}


class JailError(Exception):
    """The jail can't be built on this machine; the message says what to do."""


class WarmGone(Exception):
    """The warm process is gone; start another one."""


class Warm:
    """One warm process; forks one child at a time.

    The statements `imports` are run there once; `models` says whether the models of recipes are made there; `hidden`
    are folders that nobody there may see. Raises JailError where it can't be built.
    """

    def __init__(self, imports: list[str], models: bool, hidden: list[Path], limits: jail.Limits, jailed: bool = True):
        hidden = [*hidden, *(Path(p) / "saelab/_course" for p in sys.path)]  # of other installations too
        start = {"jailed": jailed, "hidden": [str(p) for p in hidden], "imports": imports, "models": models}
        until = time.monotonic() + STARTING
        for left in reversed(range(STARTS)):
            try:
                self._start(start | {"limits": asdict(limits)})
                return
            except (WarmGone, OSError) as error:
                self.close()
                if not left or time.monotonic() > until:
                    raise JailError(f"The jail can't be built here: its process did not start ({error}).") from None
            except BaseException:
                self.close()
                raise

    def _start(self, start: dict) -> None:
        ours, theirs = socket.socketpair()
        # large pages: a fork copies one entry for 2 MB instead of 512, which makes it about five times as fast
        command = [sys.executable, "-P", "-m", "saelab.grade.jail.warm", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=environment() | ONE_THREAD | MALLOC, cwd="/",
        )  # fmt: skip
        theirs.close()
        self._control = Control(ours)
        self._child: Child | None = None
        self._leaving = 0  # children let go of whose end was not heard of yet
        self._control.say(**start)
        while "ready" not in (message := self._hear(STARTING)):
            if "failed" in message:
                raise JailError(message["failed"])
            _write_maps(self._process.pid)
            self._control.say(do="mapped")

    @property
    def pid(self) -> int:
        return self._process.pid

    def child(self, seconds: float) -> "Child":
        """A fresh child; `seconds` is the limit of one call. Raises WarmGone."""
        if self._child:
            self._child.let_go()
        while self._leaving:
            self._hear(60)
            self._leaving -= 1
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control.connection, [b'{"do": "fork"}\n'], [theirs.fileno()])
        except OSError:
            ours.close()
            raise WarmGone("it can't be reached") from None
        finally:
            theirs.close()
        self._child = Child(self, ours, seconds)
        return self._child

    def end_child(self, patience: float) -> str:
        """Stop the child if it lives longer than that; how it ended: itself, killed (from outside), stopped (by us)."""
        self.let_go(patience)
        self._leaving -= 1
        return self._hear(60).get("ended", "killed")

    def let_go(self, patience: float = 0.0) -> None:
        """The same, but nobody waits to hear how it ended until there is another child."""
        self._child = None
        self._leaving += 1
        with contextlib.suppress(OSError):
            self._control.say(do="stop", patience=patience)

    def _hear(self, seconds: float) -> dict:
        until = time.monotonic() + seconds
        connection = self._control.connection
        while b"\n" not in self._control.rest:
            ready, _, _ = select.select([connection], [], [], max(0, until - time.monotonic()))
            try:
                data = connection.recv(65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                raise WarmGone("it ended" if ready else "it does not answer")
            self._control.rest += data
        return self._control.hear()

    def close(self) -> None:
        self._control.connection.close()
        self._process.kill()
        self._process.wait()


class Child(Peer):
    """A connection to one jailed child. `layers` says which layers of the jail hold around it."""

    def __init__(self, warm: Warm, connection: socket.socket, seconds: float):
        super().__init__(connection, seconds)
        self._warm, self.ended = warm, ""
        self.layers: dict[str, bool] = {}
        try:
            hello = decode(self._receive(time.monotonic() + seconds))
            self.layers = {str(k): bool(v) for k, v in hello["layers"].items()}
        except (OSError, TimeoutError, WireError, KeyError, AttributeError, TypeError):
            self.close()

    def let_go(self) -> None:
        """End the child and everything it started, without waiting for it."""
        super().close()
        if not self.ended:
            self.ended = "stopped"
            self._warm.let_go()

    def close(self) -> None:
        """End the child and everything it started; `ended` then says how it had ended."""
        patience = PATIENCE if not self.ended and self._is_closed() else 0.0
        super().close()
        if not self.ended:
            self.ended = "killed"
            self.ended = self._warm.end_child(patience)

    def _is_closed(self) -> bool:
        """Is nobody at the other side? A process that ends closes its files some time before its end can be seen."""
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


def _write_maps(pid: int) -> None:
    """Let the process be root inside its own namespace: outside it is this user, or nobody if this user is root."""
    root = os.geteuid() == 0
    user, group = (jail.NOBODY, jail.NOBODY) if root else (os.geteuid(), os.getegid())
    folder = Path(f"/proc/{pid}")
    if not root:
        (folder / "setgroups").write_text("deny")
    (folder / "uid_map").write_text(f"0 {user} 1")
    (folder / "gid_map").write_text(f"0 {group} 1")
