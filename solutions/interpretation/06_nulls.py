# Generated from chapters/interpretation/06_nulls.py by `saelab build`: edit that file, not this one.
"""Against which null?: the exercises of this section, solved."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, lab, plots, predict, scores


def matched_null(
    x: Float[Tensor, "token d_in"], f: Float[Tensor, "token d_sae"], directions: Float[Tensor, "d_sae d_in"]
) -> Float[Tensor, "token d_sae"]:
    """Activations of random directions on the same tokens, as many above 0 as f has, and as long as f at each token.

    Steps 2 and 3 above; rows of `directions` may have any length. No two of the numbers h are the same, and the K
    largest of them are above 0.

    >>> x = torch.tensor([[4.0, 0.0], [0.0, 3.0], [-4.0, -3.0]])
    >>> f = torch.tensor([[0.0, 7.0], [0.5, 0.0], [0.0, 0.0]])  # K is 2
    >>> matched_null(x, f, torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([[7.0000, 0.0000],
            [0.0000, 0.5000],
            [0.0000, 0.0000]])
    """
    # BEGIN SOLUTION
    h = (x - x.mean(dim=0)) @ normalize(directions, dim=1).T
    K = int((f > 0).sum())
    kept = torch.zeros(h.numel(), dtype=torch.bool)
    kept[h.flatten().topk(K).indices] = True
    g = torch.where(kept.view_as(h), h, 0.0)
    return normalize(g, dim=1) * f.norm(dim=1, keepdim=True)
    # END SOLUTION


def statistics(
    f: Float[Tensor, "token d_sae"], share: float
) -> tuple[Int[Tensor, "token"], Float[Tensor, "d_sae"], Float[Tensor, "d_sae"]]:
    """(how many latents are strong at each token, how often each latent is on, how strong it is on average where on).

    A latent is on where f > 0, and strong where it is also above `share` times its own maximum over these tokens.
    Frequency is a fraction of the tokens, in f's dtype. The strength of a latent that is never on is nan.

    >>> statistics(torch.tensor([[1.0, 0.0], [4.0, 0.0]]), share=0.5)
    (tensor([0, 1]), tensor([1., 0.]), tensor([2.5000,    nan]))
    """
    # BEGIN SOLUTION
    on = f > 0
    strong = on & (f > share * f.amax(dim=0))
    return strong.sum(dim=1), on.to(f.dtype).mean(dim=0), (f * on).sum(dim=0) / on.sum(dim=0)
    # END SOLUTION


def excess_by_kind(
    score: Float[Tensor, "factor"], null: Float[Tensor, "factor"], kind: Int[Tensor, "factor"], n_kinds: int
) -> Float[Tensor, "n_kinds"]:
    """Mean of score - null over the factors of each kind, 0 to n_kinds - 1; nan for a kind without any.

    Only factors that have both figures count: nan says that there was nothing to measure.

    >>> score, null = torch.tensor([0.9, 0.5, float("nan")]), torch.tensor([0.7, 0.0, 0.1])
    >>> excess_by_kind(score, null, torch.tensor([0, 0, 1]), 2)
    tensor([0.3500,    nan])
    """
    # BEGIN SOLUTION
    excess = score - null  # nan if either is
    return torch.stack([excess[kind == which].nanmean() for which in range(n_kinds)])
    # END SOLUTION


def sigma_over_mu(f: Float[Tensor, "token d_sae"]) -> Float[Tensor, "d_sae"]:
    """Standard deviation over mean of each latent, over all tokens; nan for a latent that is never on.

    >>> sigma_over_mu(torch.tensor([[0.0, 3.0, 0.0], [2.0, 3.0, 0.0]]))
    tensor([1., 0., nan])
    """
    # BEGIN SOLUTION
    return f.std(dim=0, correction=0) / f.mean(dim=0)  # 0/0 is nan
    # END SOLUTION


def rarity_law(f: Float[Tensor, "token d_sae"]) -> Float[Tensor, "d_sae"]:
    """What the law says of σ/μ, from the share p of tokens where a latent is on and the c of its activations there.

    nan for a latent that is never on.

    >>> rarity_law(torch.tensor([[0.0, 1.0], [0.0, 0.0], [4.0, 3.0], [0.0, 0.0]]))  # p is 1/4 and 1/2, c is 0 and 1/2
    tensor([1.7321, 1.2247])
    """
    # BEGIN SOLUTION
    on = (f > 0).to(f.dtype)
    p = on.mean(dim=0)
    m = f.sum(dim=0) / on.sum(dim=0)
    c_squared = ((f - m).square() * on).sum(dim=0) / on.sum(dim=0) / m.square()
    return ((1 + c_squared - p) / p).sqrt()
    # END SOLUTION


def by_ratio(ratio: Float[Tensor, "d_sae"]) -> Int[Tensor, "d_sae"]:
    """Numbers of the latents from the largest ratio to the smallest; those with nan come last, in rising order.

    >>> by_ratio(torch.tensor([1.0, float("nan"), 3.0, float("nan")]))
    tensor([2, 0, 1, 3])
    """
    # BEGIN SOLUTION
    return ratio.nan_to_num(-torch.inf, posinf=torch.inf).sort(descending=True, stable=True).indices
    # END SOLUTION
