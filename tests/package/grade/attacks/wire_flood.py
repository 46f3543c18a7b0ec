"""Fills the socket with replies of the largest size, for ever."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    while True:
        line().sendall((128 * 2**20).to_bytes(8, "little") + bytes(2**20))
