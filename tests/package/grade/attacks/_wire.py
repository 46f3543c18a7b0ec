"""What the attacks on the wire share, put in place of their line `# <wire>`: the grader's socket, and words on it."""
# ruff: noqa

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
