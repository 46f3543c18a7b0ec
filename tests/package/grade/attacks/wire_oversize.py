"""Announces a reply of 2**63 bytes."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    line().sendall(b"\xff" * 8)
    time.sleep(1000)
