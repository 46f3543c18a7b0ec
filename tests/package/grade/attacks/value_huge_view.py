"""Returns a tensor of a million million entries that takes four bytes."""
# ruff: noqa


# %% exercise="double"
def double(x):
    return torch.zeros(1).expand(10**12)
