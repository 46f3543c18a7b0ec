"""What a terminal needs: signs that it can show, and a Ctrl-C that nothing swallows."""

import codecs
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator

# What a terminal that knows only letters shows in place of our signs.
PLAIN = {"✓": "+", "✗": "x", "·": "-", "…": "...", "■": "#", "□": ".", "●": "*", "○": "o", "–": "-", "→": "->"}
PLAIN |= {"│": "|", "─": "-", "┼": "+", "›": ">"}
PATIENCE = 3  # times that Ctrl-C comes before everything ends at once


def speak_plainly() -> None:
    """Where standard output can't show a sign, show a plain one or its number, and go on."""
    codecs.register_error("saelab", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="saelab")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign, ascii(sign)[1:-1]) for sign in signs), error.end


@contextlib.contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Gives what to call between two exercises: it raises KeyboardInterrupt where Ctrl-C came and was swallowed.

    A student's `except:` can swallow it, or a finaliser, in which Python must. Whoever presses it again and again
    is let go at once.
    """
    came = 0

    def stop(number, frame):
        nonlocal came
        came += 1
        if came >= PATIENCE:
            os.write(2, b"Stopped.\n")
            os._exit(130)
        signal.default_int_handler(number, frame)

    def go_on() -> None:
        if came:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # whoever started us has other plans for it
        yield go_on
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield go_on
    finally:
        signal.signal(signal.SIGINT, before)
