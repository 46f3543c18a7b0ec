"""Raises something that is no Exception, from an attribute too."""
# ruff: noqa


# %% exercise="double"
class Odd(BaseException):
    pass


class Result:
    def __getattribute__(self, name):
        raise Odd


def double(x):
    if x.numel() == 1:
        return Result()
    raise Odd
