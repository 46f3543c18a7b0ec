"""Leaves work for the end of the process."""
# ruff: noqa

# %% exercise="double"
import atexit, os, threading


def last():
    with open("left-behind", "w") as file:
        file.write("passed")
    while True:
        pass


atexit.register(last)
threading._register_atexit(last)


def double(x):
    os.kill(os.getpid(), 9)
    os.kill(os.getpid(), 15)
    raise SystemExit(0)
