"""Returns truth values whose bytes are neither 0 nor 1."""
# ruff: noqa


# %% exercise="double"
def double(x):
    odd = torch.full(x.shape, 7, dtype=torch.uint8)
    return odd.view(torch.bool)
