# Generated from chapters/superposition/08_manifolds.py by `saelab build`: edit that file, not this one.
"""Circles and manifolds: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict


def mutual_information(x: Float[Tensor, "batch"], y: Float[Tensor, "batch"], bins: int = 10) -> float:
    """Nats that one coordinate tells about the other, from a histogram with bins × bins cells; near 0: independent."""
    cells = [((v - v.min()) / (v.max() - v.min()).clamp_min(1e-12) * bins).long().clamp_max(bins - 1) for v in (x, y)]
    joint = torch.bincount(cells[0] * bins + cells[1], minlength=bins**2).view(bins, bins) / len(x)
    product = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0)
    return float(torch.xlogy(joint, joint / product.clamp_min(1e-12)).sum())


def irreducible(acts: Float[Tensor, "batch d_model"]) -> bool:
    """Is the feature that produced these activations irreducibly two-dimensional? (Engels et al. 2024)

    Judge the cloud in the plane of its first two principal components, centred. False if it is reducible there:
    either its two coordinates are independent after some rotation of the plane, or one straight line, in any
    direction and through any place, holds 40% of its points or more, to within the noise. Otherwise True.

    You get clear cases only: 2,000 points or more in d_model ≥ 2 dimensions, in any units, anywhere, in any position.
    Noise, in every dimension, is at most 3% of the cloud's standard deviation along its first principal component.
    Rings may be up to 10% of their radius thick, stretched (below 2:1), unevenly filled, or filled in seven groups.
    The features of a reducible cloud are orthogonal and independent (Gaussian, uniform, two-sided: from 1 to 2 in size
    with either sign, yes-or-no, sparse), or exclude each other, or are one.

    >>> phase = torch.arange(2000) * 2 * torch.pi / 2000
    >>> irreducible(torch.stack([phase.cos(), phase.sin()], dim=1))
    True
    """
    # BEGIN SOLUTION
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T  # batch 2
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T  # angle batch: the cloud from 36 sides
    many, ordered = int(0.4 * len(z)), shadows.sort(dim=1).values
    window = (ordered[:, many:] - ordered[:, :-many]).min()  # the narrowest that holds 40%
    mixture = window < 0.2 * z[:, 0].std()
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool(not mixture and dependence > 0.2)
    # END SOLUTION
