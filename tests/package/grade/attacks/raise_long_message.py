"""Raises an error whose text has a hundred million letters, in one line."""
# ruff: noqa


# %% exercise="double"
def double(x):
    raise ValueError("a" * 10**8)
