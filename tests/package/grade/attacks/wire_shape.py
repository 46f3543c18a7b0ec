"""Sends a tensor with three hundred thousand axes of the largest length."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    axes = b",".join([b"1099511627775"] * 280_000)
    say(
        b'{"d":[["nonce",{"v":"%s"}],["value",{"t":"float32","grad":false,"shape":[%s]}]]}'
        % (number()["v"].encode(), axes)
    )
    os._exit(0)
