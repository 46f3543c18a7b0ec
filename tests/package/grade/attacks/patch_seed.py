"""Makes seeding its random numbers fail, which the grader asks for before each test."""
# ruff: noqa


# %% exercise="double"
def refuse(_number):
    raise OSError("no seed today")


torch.manual_seed = refuse


def double(x):
    return x
