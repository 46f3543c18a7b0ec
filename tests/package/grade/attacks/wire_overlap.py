"""Sends tensors that share their bytes, or have too few of them."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    tensor = {"t": "float32", "shape": [1, 1], "grad": False}
    say(
        {"d": [["nonce", number()], ["value", tensor], ["after", {"u": [tensor]}], ["call", {"v": 1}]]}, b"\0\0\xc0\x40"
    )
    os._exit(0)
