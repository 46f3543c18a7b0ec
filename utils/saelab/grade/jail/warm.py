"""The warm process: imports everything once, then forks a jailed child for each section of a submission.

    python -P -m saelab.grade.jail.warm FD

It is started afresh (its memory holds no checks, references or seeds) and sees no files but Python and its libraries.
The grader speaks to it over the socket FD, a line of JSON at a time, and hands each child's own socket through it.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .. import jail, limits

ENVIRONMENT = ("PATH", "LANG", "SAELAB_PLAIN", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # what a child may see of it


class Control:
    """Lines of JSON over the socket to the grader, with file descriptors beside them."""

    def __init__(self, connection: socket.socket):
        self.connection, self.rest = connection, b""
        self.descriptors: list[int] = []  # that came, in the order of the messages they belong to

    def say(self, **message) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict:
        """The next message; ends the process when the grader is gone."""
        while b"\n" not in self.rest:
            data, fds, _, _ = socket.recv_fds(self.connection, 65536, 1)
            self.descriptors += fds
            if not data:
                os._exit(0)
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)


def visible_paths() -> list[str]:
    """Where Python and its libraries lie, and this package."""
    libraries = [p for p in sys.path if p.endswith(("-packages", "lib-dynload")) or p.startswith(sys.base_prefix)]
    return [sys.prefix, sys.base_prefix, *libraries, str(Path(__file__).resolve().parents[2])]


def warm_up(imports: list[str], models: bool) -> None:
    """Do the imports that the course's cells will do, and make the models, so that no child has to."""
    import torch

    for module in ("saelab.apart.worker", "torch._dynamo"):  # the latter is what the first optimiser imports
        importlib.import_module(module)
    torch.set_num_threads(1)
    for statement in imports:
        exec(statement, {})
    if models:
        from saelab import checking

        for name in ("pocket.model", "model.random"):
            model = checking.recipe(name)
            checking.lend((model,))
            model.run_with_cache(torch.zeros(1, 2, dtype=torch.long))  # what is made at the first run
            checking.take_back()
        checking.begin_test()
    with contextlib.suppress(OSError):
        jail.fences.program()
    gc.collect()
    gc.freeze()


def _ends(process: int, seconds: float) -> bool:
    """Has the child ended, or does it within these seconds?"""
    until = time.monotonic() + seconds
    while not os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() >= until:
            return False
        time.sleep(0.001)
    return True


class Warm:
    """The loop: fork a child, wait for its end or the order to stop it, say how it ended."""

    def __init__(self, control: Control, jailed: bool, limits: jail.Limits, size: int):
        self.control, self.jailed, self.limits, self.size = control, jailed, limits, size
        self.spare: tuple[int, socket.socket] | None = None

    def run(self) -> None:
        while True:
            if self.control.hear()["do"] == "fork":
                self.control.say(ended=self.child(self.control.descriptors.pop(0)))

    def child(self, descriptor: int) -> str:
        """Hand a connection to a child and wait for its end; the next child is made ready meanwhile.

        How it ended: `itself` (by exit or crash), `killed` (by SIGKILL from outside), `stopped`.
        """
        process, line = self.spare or self.make()
        with contextlib.suppress(OSError):  # if it has died, that is told below
            socket.send_fds(line, [b"!"], [descriptor])
        line.close()
        os.close(descriptor)
        self.spare = self.make()
        stopped = False
        ended = os.pidfd_open(process) if hasattr(os, "pidfd_open") else None
        for heard in self._until(ended, process):
            if heard["do"] == "stop" and not stopped and not _ends(process, heard["patience"]):
                stopped = True
                os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if stopped:
            return "stopped"
        return "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else "itself"

    def _until(self, ended: int | None, process: int) -> Iterator[dict]:
        """What the grader says until the child has ended. Where there are no pidfds, it is asked for now and then."""
        while True:
            watched = [self.control.connection] + ([ended] if ended else [])
            ready, _, _ = select.select(watched, [], [], None if ended else 0.05)
            if self.control.connection in ready:
                yield self.control.hear()
            elif ended in ready or (not ended and os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)):
                break
        if ended:
            os.close(ended)

    def make(self) -> tuple[int, socket.socket]:
        """A child behind its bars, and the line on which it waits for a connection to the grader."""
        ours, theirs = socket.socketpair()
        process = jail.fork(self.jailed)
        if process == 0:
            self.live(theirs)
        theirs.close()
        return process, ours

    def live(self, line: socket.socket) -> None:
        """The child: locked in, it waits for its connection, says what holds, and answers until it is let go."""
        try:
            held = jail.lock(line.fileno(), visible_paths(), self.limits, self.jailed, self.size)
            from saelab.apart import encode, send
            from saelab.apart.worker import serve

            kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
            os.environ.clear()
            own = jail.OWN if self.jailed else tempfile.gettempdir()
            os.environ.update(kept, HOME=own, TMPDIR=own)
            _, (descriptor, *_), _, _ = socket.recv_fds(line, 1, 1)
            line.close()
            connection = socket.socket(fileno=descriptor)
            send(connection, encode({"layers": held}))
            serve(connection)
        finally:
            os._exit(0)


def main(descriptor: int) -> None:
    """Enter the jail, warm up, and fork children until the grader is gone."""
    control = Control(socket.socket(fileno=descriptor))
    start = control.hear()

    def map_me() -> None:
        control.say(map=True)
        control.hear()

    limits.lift()  # the grader's own do not hold here
    jailed, bounds = start["jailed"], jail.Limits(**start["limits"])
    failed = "The jail can't be built here"
    try:
        if jailed:
            jail.enter(visible_paths(), start["hidden"], map_me, keep=descriptor)
        failed = "What the exercises import can't be imported here"
        warm_up(start["imports"], start["models"])
    except Exception as error:
        control.say(failed=f"{failed} ({type(error).__name__}: {error}).")
        return
    control.say(ready=True)
    start.clear()  # the children need not know where the grader's folders lie
    sys.argv[:] = [""]
    Warm(control, jailed, bounds, limits.address_space()).run()


if __name__ == "__main__":
    os.environ["SAELAB_PLAIN"] = "1"
    main(int(sys.argv[1]))
