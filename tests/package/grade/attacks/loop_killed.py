"""Has the kernel kill it after a second, again and again, as if the machine were short of memory."""
# ruff: noqa


# %% exercise="double"
def double(x):
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    while True:
        pass
