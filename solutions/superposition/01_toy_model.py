# Generated from chapters/superposition/01_toy_model.py by `saelab build`: edit that file, not this one.
"""A toy model of superposition: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict


def generate_batch(n_inst: int, batch: int, p: Float[Tensor, "#inst feats"]) -> Float[Tensor, "n_inst batch feats"]:
    """Sparse data: each entry is on with its probability p and then U[0, 1]; an entry that is off is exactly 0.

    `p` has one row per instance, or a single row that all instances share. Every entry is independent of all
    others (instances, rows, features), and how large it is of whether it is on. Each call draws anew from torch's
    global random numbers. (Elhage et al. 2022, "Demonstrating Superposition")

    >>> x = generate_batch(2, 3, torch.tensor([[0.0, 1.0]]))
    >>> (x[1] > 0).tolist()  # the first feature is never on, the second always
    [[False, True], [False, True], [False, True]]
    """
    # BEGIN SOLUTION
    shape = (n_inst, batch, p.shape[-1])
    on = torch.rand(shape, dtype=p.dtype) < p[:, None, :]  # an instance's p serves all rows of its batch
    return torch.where(on, torch.rand(shape, dtype=p.dtype), 0.0)
    # END SOLUTION


def forward(
    x: Float[Tensor, "inst batch feats"], W: Float[Tensor, "inst hidden feats"], b: Float[Tensor, "inst feats"]
) -> Float[Tensor, "inst batch feats"]:
    """ReLU(WᵀW x + b) for each row of x, by the W and b of its instance (Elhage et al. 2022, "Demonstrating
    Superposition").

    >>> back_to_back = torch.tensor([[[1.0, -1.0]]])  # one instance, one hidden number, two features
    >>> forward(torch.tensor([[[0.5, 0.0]]]), back_to_back, torch.zeros(1, 2))
    tensor([[[0.5000, 0.0000]]])
    """
    # BEGIN SOLUTION
    h = x @ W.transpose(1, 2)  # inst batch hidden
    return torch.relu(h @ W + b[:, None, :])
    # END SOLUTION


def weighted_loss(
    x: Float[Tensor, "inst batch feats"],
    x_hat: Float[Tensor, "inst batch feats"],
    importance: Float[Tensor, "inst feats"],
) -> Float[Tensor, ""]:
    """Importance-weighted squared error I (x − x̂)²: mean over batch and features, sum over instances.

    There is no other division, neither by the importances nor by the instances. The weighting is that of Elhage et al.
    2022, "Demonstrating Superposition"; the mean is this course's.

    >>> x = torch.tensor([[[1.0, 2.0]]])  # one instance, one row, two features
    >>> weighted_loss(x, torch.zeros(1, 1, 2), importance=torch.tensor([[1.0, 0.5]]))
    tensor(1.5000)
    """
    # BEGIN SOLUTION
    cost = importance[:, None, :] * (x - x_hat) ** 2  # inst batch feats
    return cost.mean(dim=(1, 2)).sum()
    # END SOLUTION
