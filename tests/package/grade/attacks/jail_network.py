"""Sends what it finds to somebody outside, by every kind of socket."""
# ruff: noqa

# %% exercise="double"
import socket


def double(x):
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 16, 17, 40):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind)
            except OSError:
                continue
            raise ValueError(f"LEAK {family} {kind}")
    return x
