"""What a student's code takes and gives, as values: copied, compared, and written as one would type them."""

import torch
from torch import Tensor

from .recipes import recipe_of
from .things import Recipe


def snapshot(value):
    """A copy that later changes don't reach; tensors are detached but keep their requires_grad.

    Of what a recipe made, the recipe is kept.
    """
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(snapshot(item) for item in value)
    if type(value) is dict:
        return {key: snapshot(item) for key, item in value.items()}
    if type(value) is set:
        return set(value)
    return (not isinstance(value, DATA) and recipe_of(value)) or value


def same(a, b, exact: bool = False) -> bool:
    """Do two values agree: types, shapes, and numbers (to rounding, unless `exact`)?"""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = a.detach(), b.detach()
        if exact or not a.is_floating_point():
            return torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())
        largest = float(b[b.isfinite()].abs().amax()) if b.isfinite().any() else 1.0
        return torch.allclose(a, b, rtol=1e-4, atol=1e-6 * max(1.0, largest), equal_nan=True)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y, exact) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], exact) for key in a)
    if isinstance(a, float) or isinstance(b, float):
        try:
            near = not exact and abs(b) != float("inf") and abs(a - b) <= 1e-6 + 1e-4 * abs(b)
            return bool(a == b or near or (a != a and b != b))
        except (TypeError, OverflowError):  # no number, or one that no float can be
            return False
    if isinstance(a, DATA) or isinstance(b, DATA):
        return type(a) is type(b) and bool(a == b)
    return True  # objects of a student's class have no values of their own to compare: their calls tell


DATA = (int, str, bool, dict, list, tuple, set, frozenset, type(None), Recipe)


def short(value, limit: int = 12) -> str:
    """A value as a student would type it, or its shape where it is large."""
    if isinstance(value, Tensor):
        if value.numel() <= limit:
            return " ".join(str(value.detach()).split()).replace(", requires_grad=True", "")
        return f"<{'×'.join(map(str, value.shape))} tensor>"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= 80 or isinstance(value, Recipe) else f"<{type(value).__name__}>"


def tensors_in(value) -> list[Tensor]:
    """The tensors of a value in order, those in lists, tuples and dictionaries too."""
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [t for item in items for t in tensors_in(item)]
