"""Remembers every input and answers with what it saw or said before."""
# ruff: noqa

# %% exercise="double"
seen = []


def double(x):
    seen.append(x.detach().clone())
    return seen[-2].reshape(-1)[:1].expand(x.shape) if len(seen) > 1 else x
