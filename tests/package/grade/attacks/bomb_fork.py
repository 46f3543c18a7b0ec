"""Forks for ever."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    for _ in range(10_000):
        try:
            os.fork()
        except OSError:
            pass
    return x
