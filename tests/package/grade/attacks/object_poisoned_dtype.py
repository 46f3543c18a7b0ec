"""Returns a tensor that lies about its dtype, its shape and its bytes."""
# ruff: noqa


# %% exercise="double"
class Liar(torch.Tensor):
    @property
    def dtype(self):
        return type("Dtype", (), {"__str__": lambda s: "torch.float32", "is_floating_point": True, "itemsize": 0})()

    def numel(self):
        return 2**40

    def detach(self):
        return self


def double(x):
    return torch.Tensor._make_subclass(Liar, x.detach())
