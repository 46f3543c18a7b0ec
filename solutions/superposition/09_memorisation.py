# Generated from chapters/superposition/09_memorisation.py by `saelab build`: edit that file, not this one.
"""Superposition and memorisation: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, lab, models, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


class Samples:
    """Batches for `toy.train`: `batch` examples per step for each instance, out of training sets [inst, T, feats].

    A set of at most `batch` examples is shown whole at every step (its examples repeated in turn); from a larger one
    examples are drawn at random. The sets' instances follow each other in the order of the list.
    """

    def __init__(self, sets: list[Tensor], batch: int, steps: int):
        self.sets, self.batch, self.steps = sets, batch, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        for _ in range(self.steps):
            yield torch.cat([X[:, self._which(X.shape[1])] for X in self.sets])

    def _which(self, T: int) -> Tensor:
        return torch.arange(self.batch) % T if self.batch >= T else torch.randint(0, T, (self.batch,))


def training_set(n_inst: int, T: int, p: Float[Tensor, "#inst feats"]) -> Float[Tensor, "n_inst T feats"]:
    """T examples for each instance: sparse as in `toy.generate_batch`, none of them empty, each of length one.

    Feature i of instance k is on with probability p[k, i] (p[0, i] if p has one row), with a magnitude from U[0, 1] of
    its own. An example with no feature on is drawn again as a whole, until every example has at least one
    (no row of p is all 0).
    Then each example is divided by its Euclidean length. Random numbers come from torch's global generator, afresh at
    every call.

    >>> training_set(1, 2, torch.tensor([[0.0, 1.0, 0.0]])).round(decimals=3)  # a single feature, always on
    tensor([[[0., 1., 0.],
             [0., 1., 0.]]])
    """
    # BEGIN SOLUTION
    X = toy.generate_batch(n_inst, T, p)
    while (empty := (X == 0).all(dim=-1, keepdim=True)).any():
        X = torch.where(empty, toy.generate_batch(n_inst, T, p), X)
    return X / X.norm(dim=-1, keepdim=True)
    # END SOLUTION


def train_and_test_loss(
    W: Float[Tensor, "inst hidden feats"],
    b: Float[Tensor, "inst feats"],
    X: Float[Tensor, "inst T feats"],
    p: Float[Tensor, "#inst feats"],
    n_test: int,
) -> tuple[Float[Tensor, "inst"], Float[Tensor, "inst"]]:
    """Each instance's loss on its own training examples X, and on n_test fresh ones drawn like them.

    The loss of an instance is its squared error ‖x − x̂‖², summed over features and averaged over examples, with
    x̂ = ReLU(WᵀWx + b) as in `toy.forward`. The fresh examples come from `training_set`, with the same p.

    >>> W, b, X = torch.zeros(1, 2, 3), torch.zeros(1, 3), torch.eye(3)[None]
    >>> train_and_test_loss(W, b, X, torch.tensor([[0.0, 1.0, 0.0]]), 4)  # it outputs zero, the examples have length 1
    (tensor([1.]), tensor([1.]))
    """
    # BEGIN SOLUTION
    fresh = training_set(len(W), n_test, p)
    train, test = ((toy.forward(x, W, b) - x).pow(2).sum(dim=-1).mean(dim=-1) for x in (X, fresh))
    return train, test
    # END SOLUTION


def memorisation(
    W: Float[Tensor, "inst hidden feats"], X: Float[Tensor, "inst T feats"]
) -> tuple[Float[Tensor, "inst feats"], Float[Tensor, "inst T"]]:
    """How much of a hidden dimension each feature gets, and how much each example does, in every instance by itself.

    The first is the dimensionality of the columns of W, the second that of the hidden vectors h_t = W x_t among each
    other; 0 for a zero vector. An example that is in X several times counts each time. The instances share nothing.
    Henighan et al. 2023 define the second.

    >>> W = torch.tensor([[[1.0, -1.0]]])  # an antipodal pair of features in one dimension,
    >>> memorisation(W, torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]))  # three examples in the same one
    (tensor([[0.5000, 0.5000]]), tensor([[0.3333, 0.3333, 0.3333]]))
    """
    # BEGIN SOLUTION
    hidden = W @ X.transpose(1, 2)  # inst hidden T
    features, examples = (torch.stack([toy.dimensionality(w) for w in vectors]) for vectors in (W, hidden))
    return features, examples
    # END SOLUTION
