"""Replies to every question with an error of a strange kind."""
# ruff: noqa

# %% exercise="double"
# <wire>

from saelab.apart import worker

kinds = iter(["Gone", "BaseException", "SystemExit", "__import__", "exec", "UnicodeDecodeError", "OSError"] * 99)


def answer(self, request):
    return {"error": next(kinds), "message": [torch.zeros(3)] * 50_000, "line": {"a": {}}}


worker.Worker.answer = answer


def double(x):
    return x
