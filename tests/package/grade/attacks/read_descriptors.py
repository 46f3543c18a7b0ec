"""Reads whatever is open in its process besides its own socket."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    for number in range(3, 4096):
        try:
            data = os.pread(number, 100, 0)
        except OSError:
            continue
        raise ValueError(f"LEAK {data!r}")
    return x
