# Generated from chapters/training/08_jumprelu.py by `saelab build`: edit that file, not this one.
"""Jumps: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict


def jumprelu(
    h: Float[Tensor, "batch d_sae"], theta: Float[Tensor, "d_sae"], bandwidth: float
) -> Float[Tensor, "batch d_sae"]:
    """h where h > θ (not where they are equal), 0 elsewhere, and the two gradients of the text (Rajamanoharan et al.).

    Gradients are ∂loss/∂output times the slopes above; θ serves the whole batch, so its gradient is summed over it.
    θ ≥ 0 and bandwidth ε > 0; the kernel is 1 where |h − θ| < ε/2.

    >>> theta = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> f = jumprelu(torch.tensor([[1.1, 1.9], [0.4, 5.0]]), theta, 0.5)  # 1.1 and 5 are on
    >>> torch.autograd.grad(f.sum(), theta)[0]
    tensor([-2., -4.])
    """
    # BEGIN SOLUTION
    on = step(h, theta, bandwidth)
    jump = theta.detach() * (on - on.detach())  # 0, but its gradient is that of a step as high as θ
    return h * on.detach() + jump
    # END SOLUTION


def step(
    h: Float[Tensor, "batch d_sae"], theta: Float[Tensor, "d_sae"], bandwidth: float
) -> Float[Tensor, "batch d_sae"]:
    """1 where h > θ (not where they are equal), 0 elsewhere, in h's dtype; h gets no gradient, θ that of the text.

    >>> step(torch.tensor([[1.1, 1.9], [0.4, 5.0]]), torch.tensor([1.0, 2.0]), 0.5)  # gradients of θ, summed: −2, −2
    tensor([[1., 0.],
            [0., 1.]])
    """

    # BEGIN SOLUTION
    class Step(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h, theta):
            ctx.save_for_backward(h, theta)
            return (h > theta).to(h.dtype)

        @staticmethod
        def backward(ctx, grad_output):
            h, theta = ctx.saved_tensors
            near = (h - theta).abs() < bandwidth / 2
            return None, -(grad_output * near).sum(dim=0) / bandwidth

    return Step.apply(h, theta)
    # END SOLUTION
