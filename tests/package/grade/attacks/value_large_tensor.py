"""Returns 100 MB of zeros for every call."""
# ruff: noqa


# %% exercise="double"
def double(x):
    return torch.zeros(25_000_000)
