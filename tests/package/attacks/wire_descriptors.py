"""Sends open files along with its replies, and none with the last."""
# ruff: noqa

# %% exercise="double"
import gc, json, os, socket, struct, time


def line():
    return next(s for s in gc.get_objects() if isinstance(s, socket.socket) and s.fileno() >= 0)


def say(header, blobs=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    message = struct.pack("<I", len(text)) + text + blobs
    line().sendall(len(message).to_bytes(8, "little") + message)


def number():
    import sys

    frame = sys._getframe()
    while frame and "nonce" not in frame.f_locals:
        frame = frame.f_back
    return {"v": frame.f_locals["nonce"]}


def double(x):
    pipe = os.pipe()
    for _ in range(50):
        socket.send_fds(line(), [(1).to_bytes(8, "little") + b"x"], list(pipe) * 20)
    return x
