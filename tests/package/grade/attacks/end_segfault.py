"""Reads the address 0."""
# ruff: noqa

# %% exercise="double"
import ctypes


def double(x):
    return ctypes.string_at(0)
