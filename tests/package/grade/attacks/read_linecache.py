"""Searches the cached source lines for the solution."""
# ruff: noqa

# %% exercise="double"
import linecache


def double(x):
    for name, (_, _, lines, _) in linecache.cache.items():
        if any("x + x" in line for line in lines) and "cell" not in name:
            raise ValueError("LEAK " + "".join(lines))
    return x
