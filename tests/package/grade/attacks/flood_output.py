"""Prints forty megabytes, to all three standard streams and below them."""
# ruff: noqa

# %% exercise="double"
import os, sys


def double(x):
    for _ in range(20):
        print("passed " * 150_000)
        for descriptor in (0, 1, 2):
            try:
                os.write(descriptor, b"passed " * 150_000)
            except OSError:
                pass
    sys.__stdout__.write("passed")
    return x
