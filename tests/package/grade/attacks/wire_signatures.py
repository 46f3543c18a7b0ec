"""Replies to its definition with signatures that are none."""
# ruff: noqa

# %% exercise="double"
# <wire>

odd = {"l": [{"l": [{"v": "x"}, {"v": 1}, {"t": "float32", "shape": [2], "grad": False}]}]}
say({"d": [["nonce", number()], ["signatures", {"d": [["double", odd]]}]]}, bytes(8))
os._exit(0)
