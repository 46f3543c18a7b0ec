"""Sends open files along with its replies, and none with the last."""
# ruff: noqa

# %% exercise="double"
# <wire>


def double(x):
    pipe = os.pipe()
    for _ in range(50):
        socket.send_fds(line(), [(1).to_bytes(8, "little") + b"x"], list(pipe) * 20)
    return x
