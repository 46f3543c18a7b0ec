"""Returns infinities of both signs."""
# ruff: noqa


# %% exercise="double"
def double(x):
    return torch.where(x > 0, float("inf"), float("-inf")) + 0 * x
