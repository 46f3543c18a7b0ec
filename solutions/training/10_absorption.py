# Generated from chapters/training/10_absorption.py by `saelab build`: edit that file, not this one.
"""Absorption: a latent with holes: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saelab import check, hint, plots, predict  # noqa: F401
from saelab.sae import SAE, BatchTopKSAE, StandardSAE, train

P_PARENT, P_CHILD = 0.3, 0.2  # how often the parent is on, and how often the child is where its parent is


def family(rows: int, seed: int, others: int = 0) -> Float[Tensor, "rows feats"]:
    """Features: a parent, its child (which needs the parent), both of size 1, and independent others.

    The others are on with probability 3.64 / others, so that on average four features are on, and have sizes between
    0.2 and 1.2.
    """
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(rows, 2 + 2 * others, generator=generator)
    parent = u[:, 0] < P_PARENT
    child = parent & (u[:, 1] < P_CHILD)
    on = u[:, 2 : 2 + others] < 3.64 / max(others, 1)
    rest = on * (0.2 + u[:, 2 + others :])
    return torch.cat([parent[:, None], child[:, None], rest], dim=1)


@torch.no_grad()
def start_near(sae: SAE, truth: Float[Tensor, "d_sae d_in"], seed: int, noise: float = 0.1) -> None:
    """Put the rows of W_dec near the true directions, and W_enc at its transpose."""
    rows = truth + noise * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
    sae.W_dec.copy_(torch.nn.functional.normalize(rows, dim=1))
    sae.W_enc.copy_(sae.W_dec.T)


def find_parent(
    x: Float[Tensor, "tokens d_in"],
    f: Float[Tensor, "tokens d_sae"],
    parent: Bool[Tensor, "tokens"],
    child: Bool[Tensor, "tokens"],
) -> tuple[int, Float[Tensor, "d_in"]]:
    """The parent's own latent and the parent's direction, judged by the tokens given.

    The latent: of all the one whose being on (f > 0) has the highest F1 with `parent`, over all these tokens.
    F1 = 2 · hits / (tokens where it is on + parent tokens), hits being tokens where it is on and the parent is too.
    The direction: the mean of x over tokens with the parent but not the child, minus the mean of x over tokens
    without the parent, scaled to length 1.

    >>> x = torch.tensor([[0.0, 1.0], [3.0, 1.0], [3.0, 1.0], [3.0, 5.0]])
    >>> f = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.2, 0.0], [1.0, 0.2, 0.0], [1.0, 0.2, 9.0]])
    >>> find_parent(x, f, torch.tensor([False, True, True, True]), torch.tensor([False, False, False, True]))
    (1, tensor([1., 0.]))
    """
    # BEGIN SOLUTION
    on = (f > 0).to(x.dtype)
    hits = parent.to(x.dtype) @ on  # d_sae
    f1 = 2 * hits / (on.sum(dim=0) + parent.sum())
    direction = x[parent & ~child].mean(dim=0) - x[~parent].mean(dim=0)
    return int(f1.argmax()), direction / direction.norm()
    # END SOLUTION


def absorption_rate(
    x: Float[Tensor, "tokens d_in"],
    f: Float[Tensor, "tokens d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    parent: Bool[Tensor, "tokens"],
    child: Bool[Tensor, "tokens"],
    fit: Bool[Tensor, "tokens"],
    cosine: float,
) -> float:
    """Share of the child tokens outside `fit` on which the parent is absorbed; NaN if there is no such token.

    The parent's latent and direction come from `find_parent` on all tokens in `fit`, and from these only. A token is
    absorbed if the parent's latent is off on it (f = 0) and at least one other latent is on (f > 0) whose row of W_dec
    has a cosine > `cosine` with the parent's direction; `cosine` is 0 or more. Latents are never negative, rows of
    W_dec may have any length but 0, and a child token is always a parent token too.

    Simpler than the metric of Chanin et al. 2024, "A is for Absorption", which uses ablations too.

    >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).repeat(2, 1)
    >>> f = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.4]]).repeat(2, 1)
    >>> W_dec, child = torch.tensor([[1.0, 0.0], [0.7, 0.7]]), x[:, 1] > 0
    >>> absorption_rate(x, f, W_dec, x[:, 0] > 0, child, torch.arange(8) < 4, 0.3)
    1.0
    """
    # BEGIN SOLUTION
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    cosines = W_dec @ direction / W_dec.norm(dim=1)  # d_sae
    on = f[child & ~fit] > 0  # scored tokens, d_sae; where the main latent is off, it is no absorber either
    absorbed = ~on[:, main] & on[:, cosines > cosine].any(dim=1)
    return absorbed.float().mean().item()  # the mean of nothing is NaN
    # END SOLUTION
