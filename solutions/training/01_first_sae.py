# Generated from chapters/training/01_first_sae.py by `saelab build`: edit that file, not this one.
"""A first sparse autoencoder: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, lab, plots, predict, reference
from saelab.sae import StandardSAE, train

toy = reference("superposition")  # the exercises of chapter 1, solved


def encode(
    x: Float[Tensor, "*batch comp d_in"],
    W_enc: Float[Tensor, "comp d_in d_sae"],
    b_enc: Float[Tensor, "comp d_sae"],
    b_dec: Float[Tensor, "comp d_in"],
) -> Float[Tensor, "*batch comp d_sae"]:
    """Latents ReLU((x − b_dec) W_enc + b_enc), each component by its own weights (Bricken et al. 2023).

    x has any number of axes before the last two, possibly none. Gradients flow back to all four arguments.

    >>> encode(torch.tensor([[2.5]]), torch.tensor([[[1.0, -1.0]]]), torch.zeros(1, 2), torch.ones(1, 1))  # one row
    tensor([[1.5000, 0.0000]])
    """
    # BEGIN SOLUTION
    h = torch.einsum("...ci,cij->...cj", x - b_dec, W_enc) + b_enc
    return torch.relu(h)
    # END SOLUTION


def decode(
    f: Float[Tensor, "*batch comp d_sae"], W_dec: Float[Tensor, "comp d_sae d_in"], b_dec: Float[Tensor, "comp d_in"]
) -> Float[Tensor, "*batch comp d_in"]:
    """Reconstructions f W_dec + b_dec, each component by its own weights; f has axes as x has above.

    >>> decode(torch.tensor([[1.5, 0.0]]), torch.tensor([[[1.0], [-1.0]]]), torch.ones(1, 1))
    tensor([[2.5000]])
    """
    # BEGIN SOLUTION
    return torch.einsum("...cj,cji->...ci", f, W_dec) + b_dec
    # END SOLUTION


def sae_loss(
    x: Float[Tensor, "batch d_in"], f: Float[Tensor, "batch d_sae"], x_hat: Float[Tensor, "batch d_in"], lam: float
) -> Float[Tensor, ""]:
    """Squared error plus lam times the latents' strength: sums over d_in and d_sae, a mean over the batch.

    f is never negative. Gradients flow back to f and x_hat. (Bricken et al. 2023)

    >>> sae_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.0, 0.0]]), torch.tensor([[0.5, 0.0]]), 0.2)
    tensor(0.3500)
    """
    # BEGIN SOLUTION
    error = (x - x_hat).square().sum(dim=1)  # batch
    return (error + lam * f.sum(dim=1)).mean()
    # END SOLUTION


def project_gradient(
    W_dec: Float[Tensor, "*comp d_sae d_in"], grad: Float[Tensor, "*comp d_sae d_in"]
) -> Float[Tensor, "*comp d_sae d_in"]:
    """Each row of grad without its part along the same row of W_dec (Bricken et al. 2023).

    Rows of W_dec have lengths between 0.01 and 1000. There may be axes before the last two, with a decoder for each.

    >>> project_gradient(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[0., 4.]])
    """
    # BEGIN SOLUTION
    directions = renormalise(W_dec)
    return grad - (grad * directions).sum(dim=-1, keepdim=True) * directions
    # END SOLUTION


def renormalise(W_dec: Float[Tensor, "*comp d_sae d_in"]) -> Float[Tensor, "*comp d_sae d_in"]:
    """Each row (last axis) at norm 1, its direction kept; a row of zeros has no direction and stays as it is.

    Rows have lengths between 0.01 and 1000, or 0.

    >>> renormalise(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    # BEGIN SOLUTION
    return W_dec / W_dec.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    # END SOLUTION


def decoder_steps(
    W_dec: Float[Tensor, "d_sae d_in"], grads: Float[Tensor, "steps d_sae d_in"], lr: float
) -> Float[Tensor, "d_sae d_in"]:
    """W_dec, its rows of norm 1, after one step for each of the gradients in order; detached.

    A step: project the gradient at W_dec as it is by then; a step of Adam (one torch.optim.Adam for all steps, its
    defaults besides lr), which gets the projected gradient and nothing else; renormalise.

    >>> decoder_steps(torch.tensor([[0.6, 0.8]]), torch.tensor([[[1.0, 1.0]]]), 0.2)  # to (0.4, 1), then norm 1
    tensor([[0.3714, 0.9285]])
    """
    # BEGIN SOLUTION
    W = W_dec.detach().clone().requires_grad_()
    adam = torch.optim.Adam([W], lr=lr)
    for grad in grads:
        W.grad = project_gradient(W.detach(), grad)
        adam.step()
        W.data = renormalise(W.data)
    return W.detach()
    # END SOLUTION
