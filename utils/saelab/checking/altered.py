"""A right part made wrong in a known way: its results changed, their form kept."""

import functools
import inspect
from collections.abc import Callable

import torch
from torch import Tensor

Change = Callable[[Tensor, tuple], Tensor]  # (a right result as floats, the arguments) → a wrong one of the same shape


def alter(part: Callable, change: Change) -> Callable:
    """The same part, each result changed: every tensor and number in it; of a class, the results of its methods."""
    if inspect.isclass(part):
        methods = {name: fn for name, fn in vars(part).items() if inspect.isfunction(fn) and not name.startswith("__")}
        return type(part.__name__, (part,), {name: alter(fn, change) for name, fn in methods.items()})

    @functools.wraps(part)
    def wrong(*args, **kwargs):
        return _like(part(*args, **kwargs), args, change)

    return wrong


def _like(value, arguments: tuple, change: Change):
    if isinstance(value, Tensor):
        number = value if value.is_floating_point() else value.float().nan_to_num()
        return change(number.nan_to_num(), arguments).to(value.dtype)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_like(item, arguments, change) for item in value)
    if isinstance(value, dict):
        return {key: _like(item, arguments, change) for key, item in value.items()}
    if isinstance(value, (bool, int, float)):
        changed = change(torch.tensor(float(value)), ()).item()
        return changed > 0.5 if isinstance(value, bool) else type(value)(changed)
    return value


# Empty answers, and odd ones that no misconception describes.


def zeros(value: Tensor, _arguments: tuple) -> Tensor:
    return 0 * value


def ones(value: Tensor, _arguments: tuple) -> Tensor:
    return 0 * value + 1


def noise(value: Tensor, _arguments: tuple) -> Tensor:
    return torch.randn(value.shape, generator=torch.Generator().manual_seed(0)) + 0 * value


def echo(value: Tensor, arguments: tuple) -> Tensor:
    """The first argument of the same shape."""
    alike = [a for a in arguments if isinstance(a, Tensor) and a.shape == value.shape]
    return alike[0] + 0 * value if alike else 0 * value


EMPTY = (zeros, ones, noise, echo)


def stretched(value: Tensor, _arguments: tuple) -> Tensor:
    return 1.37 * value + 3.11


def flattened(value: Tensor, _arguments: tuple) -> Tensor:
    return value.sign() * (value.abs() + 1e-3) ** 0.6


def now_and_then() -> Change:
    """Right, but stretched at every third result."""
    count = 0

    def change(value: Tensor, arguments: tuple) -> Tensor:
        nonlocal count
        count += 1
        return stretched(value, arguments) if count % 3 == 0 else value

    return change
