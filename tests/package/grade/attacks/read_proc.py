"""Reads memory, descriptors and environments of processes through /proc."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    for process in ("self", "1", "2", str(os.getppid()), *map(str, range(3, 300))):
        for name in ("environ", "mem", "maps", "cmdline", "fd"):
            try:
                path = f"/proc/{process}/{name}"
                raise ValueError(f"LEAK {os.listdir(path) if name == 'fd' else open(path, 'rb').read(100)}")
            except OSError:
                pass
    return x
