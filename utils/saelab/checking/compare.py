"""The `assert_close` that checks run with: torch.testing's, but what was compared can be told afterwards.

Check files import `assert_close` from torch.testing, as any test would. Whoever runs them gives them this one in its
place, so that a failure can be put into a student's words without looking into torch's frames.
"""

import types

import torch


class Differs(AssertionError):
    """Two values that should agree and don't: `actual`, `expected`, and what the check said of them (`told`)."""

    def __init__(self, actual, expected, told: str, message: str):
        super().__init__(message)
        self.actual, self.expected, self.told = actual, expected, told


def assert_close(actual, expected, *, msg=None, **how) -> None:
    """See torch.testing.assert_close, which decides; raises Differs where that raises AssertionError."""
    try:
        torch.testing.assert_close(actual, expected, msg=msg, **how)
    except AssertionError as error:
        raise Differs(actual, expected, msg if isinstance(msg, str) else "", str(error)) from None


def give_ours(module: types.ModuleType) -> None:
    """Put this `assert_close` where a check file has torch's."""
    for name, value in vars(module).items():
        if value is torch.testing.assert_close:
            setattr(module, name, assert_close)
