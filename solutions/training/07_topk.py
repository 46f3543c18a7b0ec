# Generated from chapters/training/07_topk.py by `saelab build`: edit that file, not this one.
"""Counting instead of paying: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from saelab import check, hint, plots, predict
from saelab.sae import BatchTopKSAE, TopKSAE, calibrate, train


def sparse_batch(truth: Float[Tensor, "feats d_in"], p: Float[Tensor, "#batch"], batch: int) -> Tensor:
    """x [batch, d_in], sums of features: each is on with the probability of its row, between 0.5 and 1.5 strong."""
    on = torch.rand(batch, len(truth)) < p[:, None]
    return (on * (0.5 + torch.rand(batch, len(truth)))) @ truth


def keep_top(h: Float[Tensor, "batch d_sae"], k: int) -> Float[Tensor, "batch d_sae"]:
    """ReLU of the k largest entries (not: largest in size) of each row, 0 elsewhere; k ≥ d_sae keeps all (Gao et al.).

    Gradients flow through what is kept. Of several equal entries at the edge only as many are kept as there is room
    for, no matter which.

    >>> keep_top(torch.tensor([[3.0, -1.0, 2.0, 1.0], [3.0, -1.0, -4.0, -2.0]]), 2)
    tensor([[3., 0., 2., 0.],
            [3., 0., 0., 0.]])
    """
    # BEGIN SOLUTION
    values, indices = h.topk(min(k, h.shape[1]), dim=1)
    return torch.zeros_like(h).scatter(1, indices, values.relu())
    # END SOLUTION


def topk_loss(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    b_enc: Float[Tensor, "d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
    dead: Bool[Tensor, "d_sae"],
    k: int,
    k_aux: int,
    aux: float,
) -> Float[Tensor, ""]:
    """|x − x_hat|² + aux · |e − e_hat|², each summed over d_in and averaged over the batch (Gao et al. 2024).

    x_hat comes from the k largest of all latents, whether marked dead or not; e = x − x_hat without its gradient;
    e_hat from the k_aux largest of the dead ones (all of them if there are fewer), without b_dec. Where no latent is
    dead there is no second term.

    >>> x, W, zero = torch.tensor([[3.0, 2.0]]), torch.eye(2), torch.zeros(2)  # x_hat = (3, 0), e = (0, 2)
    >>> topk_loss(x, W, zero, W, zero, torch.tensor([True, False]), 1, 1, 0.1)  # e_hat = (3, 0): 4 + 0.1 · 13
    tensor(5.3000)
    """
    # BEGIN SOLUTION
    h = (x - b_dec) @ W_enc + b_enc
    x_hat = keep_top(h, k) @ W_dec + b_dec
    loss = (x - x_hat).square().sum(dim=1).mean()
    if not dead.any():
        return loss
    e = (x - x_hat).detach()
    e_hat = keep_top(h[:, dead], k_aux) @ W_dec[dead]
    return loss + aux * (e - e_hat).square().sum(dim=1).mean()
    # END SOLUTION


def batch_topk(h: Float[Tensor, "batch d_sae"], k: int, theta: float | None = None) -> Float[Tensor, "batch d_sae"]:
    """BatchTopK of the pre-activations h: by their rank in the batch (theta None), or by a threshold (Bussmann et al.).

    Without theta: ReLU of the k · batch largest entries of the whole of h, 0 elsewhere; of all entries if there are
    not more. Of several equal entries at the edge only as many are kept as there is room for, no matter which. With a
    theta ≥ 0: h where h > theta, 0 elsewhere; k plays no part. Gradients flow through what is kept.

    >>> h = torch.tensor([[5.0, 4.0, 3.0], [2.0, 1.0, -1.0]])
    >>> batch_topk(h, 1)
    tensor([[5., 4., 0.],
            [0., 0., 0.]])
    >>> batch_topk(h, 1, 2.0)
    tensor([[5., 4., 3.],
            [0., 0., 0.]])
    """
    # BEGIN SOLUTION
    if theta is not None:
        return torch.where(h > theta, h, 0.0)
    flat = h.flatten()
    values, indices = flat.topk(min(k * len(h), len(flat)))
    return torch.zeros_like(flat).scatter(0, indices, values.relu()).view_as(h)
    # END SOLUTION


def inference_threshold(h: Float[Tensor, "batches batch d_sae"], k: int) -> float:
    """theta: the smallest positive entry of batch_topk(h[j], k), averaged over the batches j (Bussmann et al. 2024).

    Every batch has a positive entry.

    >>> h = torch.tensor([[[5.0, 4.0], [2.0, 1.0]], [[3.0, -1.0], [1.0, -2.0]]])
    >>> inference_threshold(h, 1)  # 4 and 1 just get in
    2.5
    """
    # BEGIN SOLUTION
    kept = [batch_topk(batch, k) for batch in h]
    return torch.stack([f[f > 0].min() for f in kept]).mean().item()
    # END SOLUTION
