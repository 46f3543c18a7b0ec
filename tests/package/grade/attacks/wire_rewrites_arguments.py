"""Says that its arguments are other ones now, so that what is expected becomes wrong."""
# ruff: noqa

# %% exercise="double"
# <wire>

from saelab.apart import worker

honest = worker.Worker._call


def call(self, fn, args, kwargs, is_class=False):
    reply = honest(self, fn, args, kwargs, is_class)
    return reply | {"after": tuple(torch.zeros_like(a) for a in args)}


worker.Worker._call = call


def double(x):
    return x * 0
