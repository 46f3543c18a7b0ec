"""What check files use besides pytest and torch.testing: randomness, gradients, and trials."""

import hashlib

import torch
from torch import Tensor

from .contract import NotDifferentiable
from .implementation import Watched


class Rng:
    """The only source of randomness in a check: the same seed and test give the same numbers.

    Grading runs the same checks with a secret seed, so nothing may depend on a constant.
    """

    def __init__(self, seed: int | str):
        digest = hashlib.sha256(str(seed).encode()).digest()
        self.seed = int.from_bytes(digest[:6], "little")
        self.generator = torch.Generator().manual_seed(self.seed)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, float32, of this shape."""
        return torch.randn(*shape, generator=self.generator)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Numbers between `low` and `high`, float32, of this shape."""
        return low + (high - low) * torch.rand(*shape, generator=self.generator)

    def integer(self, low: int, high: int) -> int:
        """One whole number, `low` ≤ number < `high`."""
        return int(torch.randint(low, high, (1,), generator=self.generator))

    def permutation(self, n: int) -> Tensor:
        """The numbers 0 … n-1 in random order."""
        return torch.randperm(n, generator=self.generator)

    def rotation(self, n: int) -> Tensor:
        """A random orthogonal matrix, [n, n]."""
        return torch.linalg.qr(self.normal(n, n)).Q


def seed_of_student(seed: int | str) -> int:
    """Seed of the student's own random numbers: it tells nothing of the numbers that `Rng(seed)` gives."""
    return Rng(f"{seed}/student").seed


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
