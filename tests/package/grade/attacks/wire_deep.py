"""Sends a header that is nested a million times."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    say(b'{"l":[' * 500_000 + b"]}" * 500_000)
    os._exit(0)
