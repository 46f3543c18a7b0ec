"""Leaves by sys.exit, as if all were well."""
# ruff: noqa

# %% exercise="double"
import sys


def double(x):
    sys.exit(0)
