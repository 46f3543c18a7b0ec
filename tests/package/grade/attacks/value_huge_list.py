"""Returns a million numbers, nested as deep as it goes."""
# ruff: noqa


# %% exercise="double"
def double(x):
    nest = []
    for _ in range(100_000):
        nest = [nest]
    return nest if x.numel() == 1 else [0.5] * 1_000_000
