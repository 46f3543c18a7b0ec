# Generated from chapters/superposition/06_computation.py by `saelab build`: edit that file, not this one.
"""Computing in superposition: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference  # noqa: F401

toy = reference("superposition")  # the exercises of earlier sections, solved


class AbsModel(torch.nn.Module):
    """One hidden layer of ReLU neurons that should give |x|: y = ReLU(W2 ReLU(W1 x) + b).

    (Elhage et al. 2022, "Computation in Superposition")

    >>> pair = AbsModel(torch.tensor([[[2.0], [-2.0]]]), torch.tensor([[[0.5, 0.5]]]), torch.zeros(1, 1))
    >>> pair(torch.tensor([[[-0.5], [0.25]]])).flatten().tolist()  # one instance, two samples, one feature
    [0.5, 0.25]
    """

    def __init__(
        self,
        W1: Float[Tensor, "inst hidden feats"],
        W2: Float[Tensor, "inst feats hidden"],
        b: Float[Tensor, "inst feats"],
    ):
        super().__init__()
        self.W1 = torch.nn.Parameter(W1.detach().clone())
        self.W2 = torch.nn.Parameter(W2.detach().clone())
        self.b = torch.nn.Parameter(b.detach().clone())

    def forward(self, x: Float[Tensor, "inst batch feats"]) -> Float[Tensor, "inst batch feats"]:
        """y = ReLU(W2 h + b) with h = ReLU(W1 x); the hidden layer has no bias."""
        # BEGIN SOLUTION
        h = torch.relu(x @ self.W1.transpose(1, 2))  # inst batch hidden
        return torch.relu(h @ self.W2.transpose(1, 2) + self.b[:, None, :])
        # END SOLUTION

    def loss(self, x: Float[Tensor, "inst batch feats"], importance: Float[Tensor, "inst feats"]) -> Float[Tensor, ""]:
        """Importance-weighted squared error of self(x) against |x|: mean over batch and features, sum over inst."""
        return toy.weighted_loss(x.abs(), self(x), importance)


def features_per_neuron(W1: Float[Tensor, "hidden feats"]) -> Float[Tensor, "hidden"]:
    """How many features share a neuron's squared weights: 1 when one has all, n when n have equal parts.

    For each neuron it is (Σ_i w_i²)² / Σ_i w_i⁴ over its row of W1; 0 for a neuron that has no weights.

    >>> features_per_neuron(torch.tensor([[0.0, -3.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    tensor([1., 2., 0.])
    """
    # BEGIN SOLUTION
    squares = W1.square()
    total = squares.sum(dim=1)  # hidden
    shares = squares / total.where(total > 0, 1.0)[:, None]  # of a neuron's squared weights; they sum to 1
    return torch.where(total > 0, 1 / shares.square().sum(dim=1), 0.0)
    # END SOLUTION
