"""Gradients of an implementation under test, asked for so that a diagnosis can see them too."""

import torch
from torch import Tensor

from .contract import NotDifferentiable
from .watched import Watched


def gradients(fn, *args, weights: Tensor | None = None) -> tuple[Tensor | None, ...]:
    """d(sum of fn(*args) · weights) / d(each float tensor in args); None for other arguments.

    Raises NotDifferentiable when the result has lost its history (`detach`, `.item()`,
    `torch.no_grad()`, a round trip through numpy).
    """
    leaves = [a.detach().clone().requires_grad_() if _differentiable(a) else a for a in args]
    value = fn(*leaves)
    if not isinstance(value, Tensor) or not value.requires_grad:
        name = getattr(fn, "__name__", "the function")
        raise NotDifferentiable(
            f"The result of `{name}` carries no gradient back to its input, so nothing could be trained through "
            "it. Look for `.detach()`, `.data`, `.item()`, `torch.no_grad()`, a new tensor made from numbers, or "
            "a comparison used as a number."
        )
    call = fn.log[-1] if isinstance(fn, Watched) else None
    if call:  # noted, for a misconception may differ from what is right in its gradients alone
        call.weights, call.grads = weights, ()
    grads = pulled(value, leaves, weights)
    if call:
        call.grads = grads
    return grads


def pulled(value: Tensor, leaves, weights: Tensor | None) -> tuple[Tensor | None, ...]:
    """d(sum of value · weights) / d(each float tensor in leaves); None for the others."""
    (value if weights is None else value * weights).sum().backward()
    return tuple(
        (a.grad if a.grad is not None else torch.zeros_like(a)) if _differentiable(a) else None for a in leaves
    )


def _differentiable(value) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
