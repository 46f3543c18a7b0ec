"""Returns a module where a tensor is expected, and a handle that belongs to nobody."""
# ruff: noqa

# %% exercise="double"
from saelab.apart.wire import Handle


class Model(torch.nn.Module):
    shape, dtype = (1, 1), torch.float32

    def forward(self, *_):
        return self


calls = 0


def double(x):
    global calls
    calls += 1
    return Model() if calls % 2 else Handle(10**9)
