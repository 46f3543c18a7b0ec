"""Hands out objects where data are expected, in every place of the reply."""
# ruff: noqa

# %% exercise="double"
# <wire>

from saelab.apart import worker
from saelab.apart.wire import Handle


def call(self, part, args, kwargs):
    return {key: Handle(0) for key in ("value", "after", "call", "nonce", "error", "message")}


worker.Worker.do_call = call


def double(x):
    return x
