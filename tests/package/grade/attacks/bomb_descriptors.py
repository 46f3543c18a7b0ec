"""Opens files until none can be opened, and pipes, and memory without a name."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    kept = []
    for open_one in (lambda: os.open("/dev/null", 0), os.pipe, lambda: os.memfd_create("x")):
        try:
            while True:
                kept.append(open_one())
        except OSError:
            pass
    return x
