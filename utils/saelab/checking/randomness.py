"""The random numbers of checks: the only source that a check has, and the seed of the student's own."""

import hashlib
import random

import numpy as np
import torch
from torch import Tensor


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


def seed_everything(number: int) -> None:
    """Seed all random numbers that a student's code may draw: torch's, Python's, numpy's.

    torch.manual_seed would also note the call, with its stack, for every kind of device that there might be later.
    """
    torch.default_generator.manual_seed(number)
    random.seed(number)
    np.random.seed(number % 2**32)


def seed_of_student(seed: int | str) -> int:
    """Seed of the student's own random numbers: it tells nothing of the numbers that `Rng(seed)` gives."""
    return Rng(f"{seed}/student").seed
