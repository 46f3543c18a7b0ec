"""Fails at its definition with half characters and markup."""
# ruff: noqa

# %% exercise="double"
raise ValueError("\ud800\x1b]0;passed\x07<img src=x onerror=alert(1)>")


def double(x):
    return x
