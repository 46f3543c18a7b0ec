"""Never ends when its result is thrown away."""
# ruff: noqa


# %% exercise="double"
class Sticky:
    def __del__(self):
        while True:
            pass


def double(x):
    Sticky()
    return x
