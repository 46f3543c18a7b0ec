"""Leaves files, settings and a thread for whoever is graded next."""
# ruff: noqa

# %% exercise="double"
import os, threading, time

os.environ["SAELAB_SECRET_SIGN"] = "left behind"
torch.left_behind = "left behind"
with open("left-behind", "w") as _file:
    _file.write("left behind")


def later():
    time.sleep(0.2)
    torch.Tensor.__mul__ = torch.Tensor.__add__ = None


threading.Thread(target=later, daemon=True).start()


def double(x):
    return x
