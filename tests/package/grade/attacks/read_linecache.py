"""Searches the cached source lines for the solution."""
# ruff: noqa

# %% exercise="double"
import linecache

OWN = "<cell", "<read_linecache"


def double(x):
    for name, (_, _, lines, _) in linecache.cache.items():
        if any("x + x" in line for line in lines) and not name.startswith(OWN):
            raise ValueError("LEAK " + "".join(lines))
    return x
