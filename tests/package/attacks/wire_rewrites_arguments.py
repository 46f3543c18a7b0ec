"""Says that its arguments are other ones now, so that what is expected becomes wrong."""
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


from saelab import worker

honest = worker.Worker._call


def call(self, fn, args, kwargs, is_class=False):
    reply = honest(self, fn, args, kwargs, is_class)
    return reply | {"after": tuple(torch.zeros_like(a) for a in args)}


worker.Worker._call = call


def double(x):
    return x * 0
