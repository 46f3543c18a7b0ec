"""Sends its reply a byte a second."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    for byte in (60).to_bytes(8, "little") + b"{" * 60:
        line().sendall(bytes([byte]))
        time.sleep(1)
    return x
