"""Defines a function whose name looks like the exercise's in another alphabet."""
# ruff: noqa


# %% exercise="double"
def dоuble(x):
    return x + x
