"""Keeps memory in segments that no limit of the process counts."""
# ruff: noqa

# %% exercise="double"
import ctypes


def double(x):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    kept = 0
    for _ in range(64):
        segment = libc.shmget(0, ctypes.c_size_t(2**20), 0o1600)
        if segment == -1:
            break
        kept += 1
    if kept:
        raise ValueError(f"LEAK {kept} segments")
    return x
