"""Replies to the question for gradients with other shapes, kinds and numbers."""
# ruff: noqa

# %% exercise="double"
# <wire>

from saelab.apart import worker

worker.Worker.do_backward = lambda self, call, grads: {"grads": [torch.full((7, 7), 2.0), "x"]}


def double(x):
    return x
