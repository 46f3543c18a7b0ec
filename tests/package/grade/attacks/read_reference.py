"""Asks for the reference solution of the exercise that it should solve."""
# ruff: noqa

# %% exercise="double"
import saelab


def double(x):
    return saelab.reference("small").double(x)
