"""Returns sparse, complex, quantised and bodyless tensors in turn."""
# ruff: noqa

# %% exercise="double"
calls = 0


def double(x):
    global calls
    calls += 1
    strange = [
        lambda: x.to_sparse(),
        lambda: x.to(torch.complex64),
        lambda: x.to("meta"),
        lambda: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8),
        lambda: torch.nested.nested_tensor([x, x]),
    ]
    return strange[calls % len(strange)]()
