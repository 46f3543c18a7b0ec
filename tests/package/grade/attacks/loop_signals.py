"""Ignores every signal, makes itself hard to end, and sleeps."""
# ruff: noqa

# %% exercise="double"
import ctypes, signal, time

for _number in range(1, 65):
    try:
        signal.signal(_number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # don't die with the parent


def double(x):
    while True:
        time.sleep(1000)
