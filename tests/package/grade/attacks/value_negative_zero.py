"""Returns zeros with a sign, in another dtype each time."""
# ruff: noqa

# %% exercise="double"
calls = 0


def double(x):
    global calls
    calls += 1
    return (x * -0.0).to([torch.float16, torch.bfloat16, torch.float64, torch.int64][calls % 4])
