"""Calls itself until the stack is gone."""
# ruff: noqa

# %% exercise="double"
import sys

sys.setrecursionlimit(10**9)


def double(x):
    return double(x) + sorted([x], key=double)[0]
