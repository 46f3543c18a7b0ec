"""Leaves by os._exit before anything is defined."""
# ruff: noqa

# %% exercise="double"
import os

os._exit(0)


def double(x):
    return x
