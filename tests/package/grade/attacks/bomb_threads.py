"""Starts threads until none can be started, each busy."""
# ruff: noqa

# %% exercise="double"
import threading


def busy():
    while True:
        pass


def double(x):
    for _ in range(10_000):
        threading.Thread(target=busy, daemon=True).start()
    return x
