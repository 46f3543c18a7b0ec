# Generated from chapters/training/09_metrics.py by `saelab build`: edit that file, not this one.
"""Is it any good?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

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


def next_token_loss(
    logits: Float[Tensor, "batch pos vocab"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch next"]:
    """Cross-entropy in nats: entry s is -log softmax(logits at s) of token s + 1, for s = 0 … pos - 2.

    Gradients flow back to the logits.

    >>> next_token_loss(torch.tensor([[[2.0, 2.0], [0.0, 9.0]]]), torch.tensor([[0, 1]]))  # a coin: log 2
    tensor([[0.6931]])
    """
    # BEGIN SOLUTION
    return -logits[:, :-1].log_softmax(dim=-1).gather(-1, tokens[:, 1:, None])[..., 0]
    # END SOLUTION


def loss_recovered(
    clean: Float[Tensor, "batch next"],
    spliced: Float[Tensor, "batch next"],
    ablated: Float[Tensor, "batch next"],
    mask: Bool[Tensor, "batch pos"],
) -> float:
    """(ablated - spliced) / (ablated - clean): one ratio of means over all the predictions that count.

    Given are three results of `next_token_loss`. Entry s, made at token s of token s + 1, counts if mask is True at
    both. The result may be below 0 or above 1; it is nan if ablation does not raise the mean loss.

    >>> clean, spliced, ablated = torch.tensor([[1.0, 9.0]]), torch.tensor([[2.0, 9.0]]), torch.tensor([[5.0, 0.0]])
    >>> loss_recovered(clean, spliced, ablated, torch.tensor([[True, True, False]]))
    0.75
    """
    # BEGIN SOLUTION
    counts = mask[:, :-1] & mask[:, 1:]
    clean, spliced, ablated = (loss[counts].mean().item() for loss in (clean, spliced, ablated))
    return (ablated - spliced) / (ablated - clean) if ablated > clean else float("nan")
    # END SOLUTION


def kl(
    clean: Float[Tensor, "batch pos vocab"], spliced: Float[Tensor, "batch pos vocab"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, ""]:
    """KL(clean ‖ spliced) in nats of the forecasts that two sets of logits make: the mean over positions in the mask.

    Finite where a model is sure of itself (logits hundreds apart). Gradients flow back to the spliced logits.

    >>> kl(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]]), torch.tensor([[True]]))
    tensor(0.1201)
    """
    # BEGIN SOLUTION
    log_p, log_q = clean.log_softmax(dim=-1), spliced.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)[mask].mean()
    # END SOLUTION


def mean_ablation(
    acts: Float[Tensor, "batch pos d_in"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos d_in"]:
    """acts with each vector in the mask replaced by the mean of those in the mask; the others stay what they were.

    >>> mean_ablation(torch.tensor([[[9.0], [1.0], [3.0]]]), torch.tensor([[False, True, True]])).flatten()
    tensor([9., 2., 2.])
    """
    # BEGIN SOLUTION
    return torch.where(mask[..., None], acts[mask].mean(dim=0), acts)
    # END SOLUTION
