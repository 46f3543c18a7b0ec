"""Makes links from its own folder to files outside and writes through them."""
# ruff: noqa

# %% exercise="double"
import os


def double(x):
    for number, target in enumerate(["/etc/passwd", "/", "../../..", "/proc/self/root", os.__file__, torch.__file__]):
        for make in (os.symlink, os.link):
            name = f"link{number}{make.__name__}"
            try:
                make(target, name)
                with open(name, "a") as file:
                    raise ValueError(f"LEAK {target}")
            except OSError:
                pass
    return x
