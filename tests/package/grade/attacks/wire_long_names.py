"""Sends parameter names of a megabyte in its signature."""
# ruff: noqa

# %% exercise="double"
# <wire>

names = [{"l": [{"v": chr(97 + i) * 10**6}, {"v": 1}, {"v": False}]} for i in range(3)]
say({"d": [["nonce", number()], ["signatures", {"d": [["double", {"l": names}]]}]]})
time.sleep(1000)
