# Generated from chapters/superposition/05_limits.py by `saelab build`: edit that file, not this one.
"""How much fits?: the exercises of this section, solved."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


def sums_to(total, values, low, high, steps=50):
    """The x between low and high at which values(x), which fall with x, sum to total (by bisection)."""
    for _ in range(steps):
        x = (low + high) / 2
        low, high = (x, high) if values(x).sum() > total else (low, x)
    return high


def minimise(losses, parameters, steps, lr):
    """Adam on the sum of `losses()`, one loss per instance."""
    optimizer = torch.optim.Adam(parameters, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        losses().sum().backward()
        optimizer.step()


def coherence(W: Float[Tensor, "hidden feats"]) -> float:
    """Largest |cosine| between two different features; dropped ones (zero columns) are left out.

    0.0 when fewer than two features are left.

    >>> angle = torch.arange(3) * 2 * torch.pi / 3
    >>> round(coherence(torch.stack([angle.cos(), angle.sin()])), 4)  # a triangle
    0.5
    """
    # BEGIN SOLUTION
    kept = W[:, W.norm(dim=0) > 0]  # hidden kept
    if kept.shape[1] < 2:
        return 0.0
    directions = kept / kept.norm(dim=0)
    cosines = directions.T @ directions  # kept kept
    return cosines.abs().fill_diagonal_(0).max().item()
    # END SOLUTION


def welch(n: int, m: int) -> float:
    """Welch's lower bound on the coherence of n features in m dimensions; 0.0 for n ≤ m (Welch 1974).

    >>> round(welch(3, 2), 4)  # three in a plane: the triangle meets it
    0.5
    """
    # BEGIN SOLUTION
    return math.sqrt((n - m) / (m * (n - 1))) if n > m else 0.0
    # END SOLUTION


def allocate(importance: Float[Tensor, "feats"], kurtosis: Float[Tensor, "feats"], m: int) -> Float[Tensor, "feats"]:
    """Capacities C_i between 0 and 1, with sum m, that minimise the sum of l_i(C_i); each accurate to 1e-4.

    l_i(C) = 2 (K_i - 1) v_i² (1 - C) / (2 + (K_i - 3) C), where v_i > 0 is the importance and K_i > 3 the kurtosis
    of feature i, and 1 ≤ m ≤ feats. After Scherlis et al. 2022; `sums_to` above may help.

    >>> allocate(torch.tensor([2.0, 1.0]), torch.tensor([9.0, 9.0]), 1)
    tensor([0.7778, 0.2222])
    """
    # BEGIN SOLUTION
    v, K = importance.double(), kurtosis.double()

    def capacities(tau):
        return (((K - 1) * v / tau - 2) / (K - 3)).clamp(0, 1)

    all_full, all_empty = v.min(), (v * (K - 1) / 2).max()
    tau = sums_to(m, capacities, all_full, all_empty)
    return capacities(tau).to(importance.dtype)
    # END SOLUTION
