"""A check that ends: code that never does is stopped with a sentence, and so is a check that the student interrupts."""

import contextlib
import signal
import threading
from collections.abc import Iterator

LONGEST = 120.0  # seconds for one check; the slowest takes a few


class Stopped(KeyboardInterrupt):
    """The student's own interrupt: a notebook shows its sentence in place of our frames."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class TooLong(Exception):
    """The student's code did not end in time; the message says where it was."""


@contextlib.contextmanager
def patient(seconds: float = LONGEST) -> Iterator[None]:
    """A block that ends: raises TooLong after these seconds, Stopped when it is interrupted.

    Only Python's main thread can be interrupted; elsewhere the block takes as long as it takes.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_kill"):
        yield
        return
    from saelab.checking import own_line

    late = threading.Event()

    def ring() -> None:
        late.set()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt as error:
        where = own_line(error.__traceback__)
        at = f" It was {where}" if where else ""
        if late.is_set():
            raise TooLong(f"Your code had not ended after {seconds:.0f} s, so it was stopped.{at}") from None
        raise Stopped(f"You stopped the check.{at}") from None
    finally:
        timer.cancel()
