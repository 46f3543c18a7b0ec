# Generated from chapters/training/11_sanity.py by `saelab build`: edit that file, not this one.
"""Is any of it true?: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, plots, reference  # noqa: F401
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
