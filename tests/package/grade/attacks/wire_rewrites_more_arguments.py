"""Says that there were more arguments than there were, and strange ones."""
# ruff: noqa

# %% exercise="double"
# <wire>

from saelab.apart import worker

honest = worker.Worker._call


def call(self, fn, args, kwargs, is_class=False):
    reply = honest(self, fn, args, kwargs, is_class)
    return reply | {"after": (*args, *args, "x", None, [args])}


worker.Worker._call = call


def double(x):
    return x
