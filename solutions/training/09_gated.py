# Generated from chapters/training/09_gated.py by `saelab build`: edit that file, not this one.
"""Gates: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict


def gated_loss(
    x: Float[Tensor, "batch d_in"],
    f: Float[Tensor, "batch d_sae"],
    gate: Float[Tensor, "batch d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
    lam: float,
) -> Float[Tensor, ""]:
    """The loss of the text, of f and gate = ReLU(π); ‖·‖² and Σ are sums over a sample, averaged over the batch.

    The last term sends gradients to the gate only, none to W_dec and b_dec (Rajamanoharan et al. 2024, Gated).

    >>> x, W_dec = torch.tensor([[2.0, 0.0]]), torch.eye(2)
    >>> gated_loss(x, torch.tensor([[2.0, 0.0]]), torch.tensor([[1.5, 0.0]]), W_dec, torch.zeros(2), 0.1)  # .15 + .25
    tensor(0.4000)
    """
    # BEGIN SOLUTION
    x_hat = f @ W_dec + b_dec
    by_gate = gate @ W_dec.detach() + b_dec.detach()
    error = (x - x_hat).square() + (x - by_gate).square()  # batch d_in
    return (error.sum(dim=1) + lam * gate.sum(dim=1)).mean()
    # END SOLUTION


def gated_encode(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    b_gate: Float[Tensor, "d_sae"],
    r_mag: Float[Tensor, "d_sae"],
    b_mag: Float[Tensor, "d_sae"],
    b_dec: Float[Tensor, "d_in"],
) -> tuple[Float[Tensor, "batch d_sae"], Float[Tensor, "batch d_sae"]]:
    """f = 1[π > 0] · ReLU(m) and gate = ReLU(π), with π and m as in the text.

    >>> one, zero = torch.ones(1, 1), torch.zeros(1)
    >>> gated_encode(3 * one, one, zero - 2, (2 * one[0]).log(), zero, zero)  # π = 3 − 2 and m = 3 · 2
    (tensor([[6.]]), tensor([[1.]]))
    """
    # BEGIN SOLUTION
    h = (x - b_dec) @ W_enc  # one matrix product serves both paths
    gate = (h + b_gate).relu()
    return (gate > 0) * (h * r_mag.exp() + b_mag).relu(), gate
    # END SOLUTION


def annealed_penalty(f: Float[Tensor, "batch d_sae"], p: float) -> Float[Tensor, ""]:
    """Σᵢ fᵢ^p over the latents that are on (f ≥ 0, 0 < p ≤ 1), averaged over the batch; gradient 0 where f = 0.

    >>> annealed_penalty(torch.tensor([[0.0, 4.0], [9.0, 0.0]]), 0.5)
    tensor(2.5000)
    """
    # BEGIN SOLUTION
    return f[f > 0].pow(p).sum() / len(f)
    # END SOLUTION
