"""Returns a whole number of a million digits."""
# ruff: noqa


# %% exercise="double"
def double(x):
    return 10**1_000_000
