# Generated from chapters/training/04_metrics.py by `saelab build`: edit that file, not this one.
"""Is it any good?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, lab, plots, predict, sae, scores


def evaluate(
    x: Float[Tensor, "batch pos d_in"],
    x_hat: Float[Tensor, "batch pos d_in"],
    f: Float[Tensor, "batch pos d_sae"],
    mask: Bool[Tensor, "batch pos"],
) -> tuple[float, float, float, Float[Tensor, "d_sae"]]:
    """(L0, FVU, fraction of latents that are dead, frequency of each latent) over the tokens whose mask is True.

    A latent is on where f > 0. FVU is one ratio of two sums over tokens and dimensions, about the mean of x over the
    same tokens. Frequency is a fraction of these tokens. At least two tokens count, and x is not the same at all.

    >>> x, x_hat = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[[1.0], [2.0], [0.0]]])
    >>> f = torch.tensor([[[1.0, 0.0], [0.5, -2.0], [0.0, 4.0]]])
    >>> evaluate(x, x_hat, f, torch.tensor([[True, True, False]]))  # the last token is padding
    (1.0, 0.5, 0.5, tensor([1., 0.]))
    """
    # BEGIN SOLUTION
    x, x_hat, on = x[mask], x_hat[mask], (f[mask] > 0).to(f.dtype)  # token d_in, token d_in, token d_sae
    fvu = (x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum()
    dead = (on.sum(dim=0) == 0).double().mean()
    return on.sum(dim=1).mean().item(), fvu.item(), dead.item(), on.mean(dim=0)
    # END SOLUTION


def mcc(W_dec: Float[Tensor, "d_sae d_in"], truth: Float[Tensor, "feats d_in"]) -> float:
    """Mean over the features of the signed cosine with the latent that a one-to-one matching gives to each.

    Rows are directions, of any length; a row of zeros in W_dec has cosine 0 with everything. min(d_sae, feats) pairs
    are made, no row in two of them, so that the sum of their cosines is the largest possible, and a feature that is
    left without a latent counts 0. `linear_sum_assignment(C, maximize=True)` gives the rows and columns of C matched.

    >>> round(mcc(torch.tensor([[0.0, 2.0], [0.6, 0.8]]), torch.eye(2)), 4)  # cosines 0.6 and 1
    0.8
    """
    # BEGIN SOLUTION
    cosines = normalize(truth, dim=1) @ normalize(W_dec, dim=1).T  # feats d_sae
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return cosines[rows, columns].sum().item() / len(truth)
    # END SOLUTION


def best_f1(f: Float[Tensor, "token d_sae"], labels: Bool[Tensor, "token factor"]) -> Float[Tensor, "factor"]:
    """F1 of the best latent for each factor, where f > 0 means yes; nan for a factor that is never true.

    A latent that is never on when the factor is true, dead or not, has F1 0.

    >>> f = torch.tensor([[0.3, 1.0], [0.0, 2.0], [0.0, 3.0]])
    >>> best_f1(f, torch.tensor([[True], [False], [True]]))  # the latents have 2/3 and 4/5
    tensor([0.8000])
    """
    # BEGIN SOLUTION
    yes, true = (f > 0).to(f.dtype), labels.to(f.dtype)
    f1 = 2 * (yes.T @ true) / (yes.sum(dim=0)[:, None] + true.sum(dim=0))  # d_sae factor
    return f1.amax(dim=0).masked_fill(~labels.any(dim=0), torch.nan)
    # END SOLUTION
