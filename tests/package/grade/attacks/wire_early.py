"""Writes a hundred replies before there is a question."""
# ruff: noqa

# %% exercise="double"
# <wire>

for _ in range(100):
    say({"d": [["nonce", {"v": "0" * 16}], ["signatures", {"d": []}], ["value", {"v": True}]]})


def double(x):
    return x
