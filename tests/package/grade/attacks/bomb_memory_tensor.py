"""Asks for a tensor of a terabyte, then for as many as there is room for."""
# ruff: noqa


# %% exercise="double"
def double(x):
    try:
        return torch.ones(2**38)
    except RuntimeError:
        hoard = []
        while True:
            hoard.append(torch.empty(2**24))
