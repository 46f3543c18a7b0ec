"""Says that it isn't written yet, with the name that the starter says."""
# ruff: noqa


# %% exercise="double"
def double(x):
    raise NotImplementedError("double")
