"""Leaves by os._exit, as if all were well."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    os._exit(0)
