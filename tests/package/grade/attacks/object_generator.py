"""Returns generators and coroutines that end when they are looked into."""
# ruff: noqa


# %% exercise="double"
def double(x):
    def rows():
        for row in x:
            yield row
        raise SystemExit(0)

    return rows()
