# Generated from chapters/superposition/04_phases.py by `saelab build`: edit that file, not this one.
"""Phases: which feature gets the dimension, and which ones share it: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


class Fresh:
    """The batches that `toy.train` asks for: `steps` of them, each made by draw() when its turn comes."""

    def __init__(self, steps, draw):
        self.steps, self.draw = steps, draw

    def __len__(self):
        return self.steps

    def __iter__(self):
        return (self.draw() for _ in range(self.steps))


def phase(importance: float, p: float) -> int:
    """The cheapest of three ways to keep two features in one dimension, by the expected weighted loss.

    The features are on with probability p, independently, with U[0, 1] magnitudes; the first has importance 1,
    the second `importance`. 0: the second is dropped, 1: the first is dropped, 2: both are stored back to back.
    Of ways that tie, take any: no check stands on a boundary.
    See Elhage et al. 2022, "Superposition as a Phase Change".

    >>> phase(0.5, 0.1), phase(0.5, 0.9), phase(2.0, 0.9)
    (2, 0, 1)
    """
    # BEGIN SOLUTION
    dropped = p / 3 - p**2 / 4  # the variance of a feature
    collision = p**2 / 6  # E[min(x1, x2)²]
    losses = [importance * dropped, dropped, (1 + importance) * collision]
    return losses.index(min(losses))
    # END SOLUTION


def observed_phase(
    W: Float[Tensor, "inst hidden feats"],
    b: Float[Tensor, "inst feats"],
    x: Float[Tensor, "inst batch feats"],
    importance: Float[Tensor, "inst feats"],
) -> int:
    """What trained models with hidden = 1 and feats = 2 did, numbered as in `phase`.

    An instance is one start. The one with the lowest weighted loss on its batch x (mean over batch and features,
    reconstruction ReLU(WᵀWx + b)) decides for all. Of its weights w = W[best, 0] those with |w_i| > max|w| / 2 are
    stored. 2: both are stored, with opposite signs. Otherwise (same sign, or only one stored) the feature
    with the larger |w| has the dimension. 0: that is the first; 1: that is the second. Of starts or sizes that
    tie, take any.

    >>> W = torch.tensor([[[1.0, -0.9]], [[1.0, 0.9]]])  # two starts
    >>> x = torch.tensor([[0.5, 0.0], [0.0, 0.5]]).repeat(2, 1, 1)  # never both on
    >>> observed_phase(W, torch.zeros(2, 2), x, torch.ones(2, 2))
    2
    """
    # BEGIN SOLUTION
    error = (x - toy.forward(x, W, b)) ** 2
    losses = (importance[:, None, :] * error).mean(dim=(1, 2))  # inst
    w = W[losses.argmin(), 0]  # feats
    size = w.abs()
    if size.min() > size.max() / 2 and w[0] * w[1] < 0:
        return 2
    return int(size.argmax())
    # END SOLUTION


def generate_correlated(
    n_inst: int, batch: int, p: Float[Tensor, "#inst pairs"]
) -> Float[Tensor, "n_inst batch feats"]:
    """Data with feats = 2·pairs features, where features 2k and 2k+1 are both on (probability p[·, k]) or both off.

    p has one row per instance, or one row for all. Magnitudes are U[0, 1], one for every feature; everything is
    drawn afresh from torch's global random numbers, for every instance and every row, in the dtype of p.

    >>> x = generate_correlated(1, 1000, torch.tensor([[0.3, 0.8]]))
    >>> x.shape, bool(((x[..., 0] > 0) == (x[..., 1] > 0)).all())
    (torch.Size([1, 1000, 4]), True)
    """
    # BEGIN SOLUTION
    shape = (n_inst, batch, p.shape[-1], 2)
    on = torch.rand(shape[:3], dtype=p.dtype) < p[:, None, :]  # one coin per pair
    return (torch.rand(shape, dtype=p.dtype) * on[..., None]).flatten(start_dim=2)
    # END SOLUTION


def generate_anticorrelated(
    n_inst: int, batch: int, p: Float[Tensor, "#inst pairs"]
) -> Float[Tensor, "n_inst batch feats"]:
    """The same, but features 2k and 2k+1 are never on in the same row; each is still on with probability p[·, k].

    Raises ValueError with a sentence that says why, if any p is above 1/2.

    >>> x = generate_anticorrelated(1, 1000, torch.tensor([[0.3, 0.5]]))
    >>> x.shape, bool((x[..., 0] * x[..., 1] == 0).all())
    (torch.Size([1, 1000, 4]), True)
    """
    # BEGIN SOLUTION
    if (p > 0.5).any():
        raise ValueError("Features that never meet can each be on half of the time at most: p must be ≤ 1/2.")
    coin = torch.rand(n_inst, batch, p.shape[-1], dtype=p.dtype)
    on = torch.stack([coin < p[:, None, :], coin >= 1 - p[:, None, :]], dim=-1)  # the two ends of one coin
    return (torch.rand(on.shape, dtype=p.dtype) * on).flatten(start_dim=2)
    # END SOLUTION
