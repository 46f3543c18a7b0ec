"""A thread changes the result after it was given back."""
# ruff: noqa

# %% exercise="double"
import threading


def double(x):
    result = x.clone()

    def later():
        for _ in range(1000):
            result.data.fill_(float(x.numel()))

    threading.Thread(target=later, daemon=True).start()
    return result
