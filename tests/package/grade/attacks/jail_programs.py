"""Runs other programs: a shell, Python, this package's own command."""
# ruff: noqa

# %% exercise="double"
import os, subprocess, sys


def double(x):
    for command in (["/bin/sh", "-c", "id"], [sys.executable, "-c", "1"], [sys.executable, "-m", "saelab.cli"]):
        for run in (
            subprocess.run,
            subprocess.Popen,
            lambda c: os.execv(c[0], c),
            lambda c: os.posix_spawn(c[0], c, {}),
        ):
            try:
                run(command)
            except OSError:
                continue
            raise ValueError(f"LEAK {command}")
    return x
