"""Lets a list grow for ever."""
# ruff: noqa


# %% exercise="double"
def double(x):
    hoard = []
    while True:
        hoard.append(bytearray(2**26))
