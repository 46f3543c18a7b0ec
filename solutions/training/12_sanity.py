# Generated from chapters/training/12_sanity.py by `saelab build`: edit that file, not this one.
"""Is any of it true?: the exercises of this section, solved."""

import math

import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from scipy.special import betainc
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, lab, plots, predict, reference, scores  # noqa: F401
from saelab.sae import BatchTopKSAE, StandardSAE, train


def explained(
    x: Float[Tensor, "tokens d_in"], f: Float[Tensor, "tokens d_sae"], W_dec: Float[Tensor, "d_sae d_in"]
) -> float:
    """Share of the variance of x that f @ W_dec explains, with the best bias and the best gain: the formula above.

    Means are over tokens, sums over tokens and dimensions together. 0 if no latent is on. x is not constant.

    >>> x, f = torch.tensor([[5.0], [6.0], [7.0]]), torch.tensor([[0.0], [1.0], [2.0]])
    >>> round(explained(x, f, torch.tensor([[0.5]])), 4)
    1.0
    """
    # BEGIN SOLUTION
    r = f @ W_dec
    x, r = (t - t.mean(dim=0) for t in (x, r))
    cosine = normalize(x.flatten(), dim=0) @ normalize(r.flatten(), dim=0)  # of two long vectors; 0 where r is 0
    return cosine.square().item()
    # END SOLUTION


def partners(W: Float[Tensor, "rows d_in"], V: Float[Tensor, "others d_in"]) -> Float[Tensor, "rows"]:
    """For each row of W, in order, the cosine (with its sign) with its partner, a row of V.

    Every row of W gets a partner of its own, so that the sum of these cosines is as large as it can be; V has at least
    as many rows as W. A row of zeros has cosine 0 with everything.

    >>> partners(torch.eye(2), torch.tensor([[0.0, 2.0], [3.0, 4.0]]))
    tensor([0.6000, 1.0000])
    """
    # BEGIN SOLUTION
    cosines = normalize(W, dim=1) @ normalize(V, dim=1).T  # rows others
    return cosines[linear_sum_assignment(-cosines)]
    # END SOLUTION


def sanity_suite(
    x: Float[Tensor, "tokens d_in"],
    f: Float[Tensor, "tokens d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    other: Float[Tensor, "d_sae d_in"],
    noise: Float[Tensor, "d_sae d_in"],
) -> tuple[float, float, float]:
    """(explained, null, shared) of a dictionary W_dec with latents f on x; `other` is W_dec of a second seed.

    explained: explained(x, f, W_dec).
    null: the same for random directions, the rows of `noise` scaled to length 1. Their pre-activations are
    h = (x − mean of x over tokens) · directions [tokens, d_sae]. As many entries of h as f has entries > 0 (possibly
    none) are the null's latents: the largest of the whole table. They are positive, since far fewer than half of f are
    on. All others are 0. Row i of the null's decoder is direction i, as long as row i of W_dec.
    shared: share of the rows of W_dec whose partner in `other` has a cosine ≥ 0.9.

    >>> x = torch.tensor([[4.0, 0.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    >>> other, noise = torch.tensor([[0.0, 1.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    >>> [round(value, 2) for value in sanity_suite(x, x, torch.eye(2), other, noise)]
    [1.0, 0.82, 0.5]
    """
    # BEGIN SOLUTION
    directions = normalize(noise, dim=1)
    h = (x - x.mean(dim=0)) @ directions.T
    threshold = h.flatten().topk(int((f > 0).sum()) + 1).values[-1]  # the largest that is off
    null = explained(x, h * (h > threshold), directions * W_dec.norm(dim=1, keepdim=True))
    shared = (partners(W_dec, other) >= 0.9).float().mean().item()
    return explained(x, f, W_dec), null, shared
    # END SOLUTION


def found_by_chance(d_in: int, d_sae: int, tau: float) -> float:
    """The share of features that d_sae random rows find on average: the chance that any has a cosine ≥ tau with one.

    Rows are independent, of every direction alike; d_in ≥ 2 and 0 ≤ tau < 1. The sign of a cosine counts.

    >>> round(found_by_chance(3, 2, 0.5), 4)  # one row has 1/4, and misses with 3/4
    0.4375
    """
    # BEGIN SOLUTION
    cap = betainc((d_in - 1) / 2, 0.5, 1 - tau**2) / 2
    return float(1 - (1 - cap) ** d_sae)
    # END SOLUTION


def random_twin(
    x: Float[Tensor, "tokens d_in"], f: Float[Tensor, "tokens d_sae"], noise: Float[Tensor, "d_sae d_in"]
) -> Bool[Tensor, "tokens d_sae"]:
    """Where the random twins of latents f (≥ 0) are on.

    Twin i is on at exactly as many tokens as latent i (possibly none, or all): those with the largest products of x and
    noise[i]. No two of these products tie.

    >>> x, f = torch.tensor([[1.0], [3.0], [2.0]]), torch.tensor([[0.7, 0.0], [0.2, 0.1], [0.0, 0.0]])
    >>> random_twin(x, f, torch.tensor([[1.0], [-1.0]])).T
    tensor([[False,  True,  True],
            [ True, False, False]])
    """
    # BEGIN SOLUTION
    order = (x @ noise.T).argsort(dim=0, descending=True)
    rank = order.argsort(dim=0)  # tokens d_sae; 0 for the largest product of each latent
    return rank < (f > 0).sum(dim=0)
    # END SOLUTION


def above_chance(score: float, nulls: Float[Tensor, "draws"]) -> tuple[float, float]:
    """(p-value, share above chance) of a score of which more is better and 1 is perfect, beside those of random draws.

    p is the share of all draws + 1 scores, yours among them, that are at least as good as yours. The share above chance
    is 0 at the mean of the nulls (which isn't 1) and 1 at a perfect score; below chance it is negative.

    >>> [round(value, 4) for value in above_chance(0.6, torch.tensor([0.1, 0.2, 0.3]))]
    [0.25, 0.5]
    """
    # BEGIN SOLUTION
    p = (1 + int((nulls >= score).sum())) / (1 + len(nulls))
    chance = nulls.mean().item()
    return p, (score - chance) / (1 - chance)
    # END SOLUTION
