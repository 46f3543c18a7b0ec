# Generated from chapters/training/11_matryoshka.py by `saelab build`: edit that file, not this one.
"""Dictionaries inside dictionaries: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict


def matryoshka_loss(
    x: Float[Tensor, "batch d_in"],
    f: Float[Tensor, "batch d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
    prefixes: list[int],
) -> Float[Tensor, ""]:
    """Squared error (sum over d_in, mean over batch) of the first m latents, summed over all m in prefixes.

    prefixes increase, from 1 or more to d_sae. Every reconstruction has all latents before m and b_dec once; gradients
    flow through all of them (Bussmann et al. 2025).

    >>> x = torch.tensor([[3.0, 4.0]])
    >>> matryoshka_loss(x, x, torch.eye(2), torch.zeros(2), [1, 2])
    tensor(16.)
    """
    # BEGIN SOLUTION
    loss = x.new_zeros(())
    for m in prefixes:
        x_hat = f[:, :m] @ W_dec[:m] + b_dec
        loss = loss + (x - x_hat).square().sum(dim=1).mean()
    return loss
    # END SOLUTION
