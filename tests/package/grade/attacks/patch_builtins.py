"""Replaces builtins and the exception that a failed `assert` raises."""
# ruff: noqa

# %% exercise="double"
import builtins


class Silent(Exception):
    def __init__(self, *_):
        pass


builtins.AssertionError = Silent
builtins.abs = builtins.max = lambda *_, **__: 0
builtins.all = builtins.any = builtins.isinstance = lambda *_: True


def double(x):
    return x
