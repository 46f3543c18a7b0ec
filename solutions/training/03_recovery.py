# Generated from chapters/training/03_recovery.py by `saelab build`: edit that file, not this one.
"""Finding the true features: the exercises of this section, solved."""

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # chapter 1, solved
encode, decode = reference("training").encode, reference("training").decode  # section 1, all components at once


def loss(x, W_enc, b_enc, W_dec, b_dec, lam: Float[Tensor, "comp"]) -> Float[Tensor, ""]:
    """‖x − x̂‖² + λ Σ f, mean over the batch, *sum* over components: each has the gradient it would have alone."""
    f = encode(x, W_enc, b_enc, b_dec)
    x_hat = decode(f, W_dec, b_dec)
    return ((x - x_hat).square().sum(dim=-1) + lam * f.sum(dim=-1)).mean(dim=0).sum()


def start(W_dec: Float[Tensor, "comp d_sae d_in"]):
    """W_enc, b_enc, W_dec, b_dec to start from: rows of length 1, the encoder their transpose, no biases."""
    W_dec = W_dec / W_dec.norm(dim=-1, keepdim=True)
    return W_dec.mT.clone(), torch.zeros(W_dec.shape[:2]), W_dec, torch.zeros(len(W_dec), W_dec.shape[2])


def train_sae(
    W_enc: Float[Tensor, "comp d_in d_sae"],
    b_enc: Float[Tensor, "comp d_sae"],
    W_dec: Float[Tensor, "comp d_sae d_in"],
    b_dec: Float[Tensor, "comp d_in"],
    batches: Float[Tensor, "steps batch comp d_in"],
    lam: Float[Tensor, "comp"],
    lr: float,
) -> tuple[
    Float[Tensor, "comp d_in d_sae"],
    Float[Tensor, "comp d_sae"],
    Float[Tensor, "comp d_sae d_in"],
    Float[Tensor, "comp d_in"],
]:
    """Train SAEs side by side from these parameters; returns the trained four, detached (requires_grad False).

    Step t = 0, 1, … of T = len(batches), in this order: the gradients of loss(batches[t], …, lam), of this batch alone;
    out of W_dec's gradient, the part along each row; one step of torch.optim.Adam on all four (one optimiser for the
    whole run, its defaults besides lr) with the learning rate lr·(1 − t/T); each row of W_dec divided by its length.
    The W_dec passed in has rows of length 1. (Bricken et al. 2023)

    >>> one, zero = torch.ones(1, 1, 1), torch.zeros(1, 1)
    >>> train_sae(one, zero, one, zero, torch.ones(1, 1, 1, 1), torch.ones(1), 0.1)  # x̂ = x: the penalty alone pulls
    (tensor([[[0.9000]]]), tensor([[-0.1000]]), tensor([[[1.]]]), tensor([[0.1000]]))
    """
    # BEGIN SOLUTION
    params = [w.detach().clone().requires_grad_() for w in (W_enc, b_enc, W_dec, b_dec)]
    W, adam = params[2], torch.optim.Adam(params, lr=lr)
    for t, x in enumerate(batches):
        adam.param_groups[0]["lr"] = lr * (1 - t / len(batches))
        adam.zero_grad()
        loss(x, *params, lam).backward()
        with torch.no_grad():
            W.grad -= (W.grad * W).sum(dim=-1, keepdim=True) * W
            adam.step()
            W /= W.norm(dim=-1, keepdim=True)
    return tuple(w.detach() for w in params)
    # END SOLUTION


def match(
    W: Float[Tensor, "d_sae d_in"], truth: Float[Tensor, "feats d_in"]
) -> tuple[Int[Tensor, "feats"], Float[Tensor, "feats"]]:
    """A latent of its own for every feature: its index (row of W), and the cosine between the two directions.

    min(d_sae, feats) pairs, no latent and no feature twice, with the largest possible sum of signed cosines. A feature
    for which no latent is left has index −1 and cosine 0. Rows have lengths between 0.01 and 1000, or 0; a row of
    zeros has cosine 0 with every other row.

    >>> match(torch.tensor([[0.0, 3.0], [-1.0, 0.0], [2.0, 0.0]]), torch.eye(2))  # latent 1 points backwards
    (tensor([2, 0]), tensor([1., 1.]))
    """
    # BEGIN SOLUTION
    W, truth = (M / M.norm(dim=1, keepdim=True).clamp_min(1e-12) for M in (W, truth))
    cosines = truth @ W.T  # feats d_sae
    feature, latent = map(torch.as_tensor, linear_sum_assignment(cosines.detach().numpy(), maximize=True))
    index, cosine = torch.full((len(truth),), -1), cosines.new_zeros(len(truth))
    index[feature], cosine[feature] = latent, cosines[feature, latent]
    return index, cosine
    # END SOLUTION


def shrinkage(lam: float, p: Float[Tensor, "feats"]) -> Float[Tensor, "feats"]:
    """The law: a − f of features that overlap with no other and are on with probability p (0 ≤ p < 1), b_dec free.

    >>> shrinkage(0.2, torch.tensor([0.0, 0.5]))
    tensor([0.1000, 0.2000])
    """
    # BEGIN SOLUTION
    return lam / (2 * (1 - p))
    # END SOLUTION


def measured_shrinkage(
    a: Float[Tensor, "batch feats"], f: Float[Tensor, "batch d_sae"], index: Int[Tensor, "feats"]
) -> Float[Tensor, "feats"]:
    """Mean of a − f for each feature, over the examples where both the feature (a > 0) and its latent (f > 0) are on.

    Feature i's latent is index[i] (see `match`). NaN where that is −1, and where there is no such example.

    >>> a, f = torch.tensor([[1.0], [2.0], [0.5], [0.0]]), torch.tensor([[9, 0.9], [9, 1.7], [9, 0.0], [9, 0.1]])
    >>> measured_shrinkage(a, f, torch.tensor([1]))  # latent 1; the first two examples count
    tensor([0.2000])
    """
    # BEGIN SOLUTION
    f = f[:, index] * (index >= 0)  # batch feats; a feature without a latent reads 0
    on = (a > 0) & (f > 0)
    return ((a - f) * on).sum(dim=0) / on.sum(dim=0)
    # END SOLUTION
