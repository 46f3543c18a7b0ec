# Generated from chapters/superposition/02_geometry.py by `saelab build`: edit that file, not this one.
"""The geometry of superposition: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # exercises of other sections, solved; `train` is the next section's


def linear_optimum_loss(n: int, m: int, importance: Float[Tensor, "n"], p: float) -> float:
    """Loss of the best linear model with a bias: n features, m hidden dimensions (any m ≥ 0, even m ≥ n).

    The features are independent, on with probability p and then uniform on [0, 1]. Their importances
    come in any order. The loss is the importance-weighted squared error, averaged over all n features.

    >>> round(linear_optimum_loss(5, 2, torch.ones(5), 1.0), 4)
    0.05
    """
    # BEGIN SOLUTION
    dropped = importance.sort(descending=True).values[m:]  # empty when m ≥ n
    variance = p / 3 - p**2 / 4
    return dropped.sum().item() * variance / n
    # END SOLUTION


def gram(W: Float[Tensor, "hidden feats"]) -> Float[Tensor, "feats feats"]:
    """Interference: entry (i, j) is the shadow of W_j on the direction of W_i (Elhage et al. 2022).

    0 on the diagonal and in the row of a feature with no weight. Gradients flow back to W, and a dropped feature (a
    column of zeros) leaves those of the other columns as they would be without it.

    >>> gram(torch.tensor([[2.0, -1.0]]))  # back to back, one twice as long
    tensor([[ 0., -1.],
            [-2.,  0.]])
    """
    # BEGIN SOLUTION
    directions = W / W.norm(dim=0).clamp_min(1e-8)  # hidden feats
    shadows = directions.T @ W  # feats feats: row i is what falls on direction i
    return shadows - torch.diag(shadows.diagonal())
    # END SOLUTION


def dimensionality(W: Float[Tensor, "hidden feats"]) -> Float[Tensor, "feats"]:
    """Fraction of a hidden dimension that each feature gets; 0 for a feature with no weight.

    Gradients flow back to W, and a dropped feature (a column of zeros) leaves those of the other columns as they would
    be without it. Source: Elhage et al. 2022, "The Geometry of Superposition".

    >>> dimensionality(torch.tensor([[1.0, -1.0]]))  # an antipodal pair
    tensor([0.5000, 0.5000])
    """
    # BEGIN SOLUTION
    norms = W.norm(dim=0)  # feats
    directions = W / norms.clamp_min(1e-8)  # hidden feats
    shadows = directions.T @ W  # feats feats: row i is what falls on direction i
    return norms**2 / shadows.pow(2).sum(dim=1).clamp_min(1e-16)
    # END SOLUTION
