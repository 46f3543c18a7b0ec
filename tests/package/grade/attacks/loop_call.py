"""Never comes back from the call."""
# ruff: noqa


# %% exercise="double"
def double(x):
    while True:
        pass
