"""Writes results, tests and modules wherever it may."""
# ruff: noqa

# %% exercise="double"
import os, sys


def double(x):
    wrote = []
    folders = ["/", "/usr", "/usr/lib", "/etc", "/dev", "/var/tmp", "/home", sys.prefix, *sys.path]
    folders += [os.path.dirname(m.__file__) for m in (torch, os, sys.modules["saelab"])]
    for folder in folders:
        for name in ("sitecustomize.py", "conftest.py", "results.json", "test_double.py"):
            try:
                with open(os.path.join(folder, name), "a") as file:
                    file.write("passed")
                wrote.append(file.name)
            except OSError:
                pass
    if wrote:
        raise ValueError(f"LEAK {wrote}")
    return x
