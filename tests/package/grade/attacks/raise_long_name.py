"""Raises an error of a class whose name has ten million letters."""
# ruff: noqa


# %% exercise="double"
def double(x):
    raise type("A" * 10**7, (Exception,), {})("x")
