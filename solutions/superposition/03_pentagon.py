# Generated from chapters/superposition/03_pentagon.py by `saelab build`: edit that file, not this one.
"""Pentagons and plateaus: the exercises of this section, solved."""

import sys

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


class Batches(Dataset):
    """`steps` batches of sparse features, each made when it is asked for; `batches[t]` is the same every time."""

    def __init__(self, steps: int, batch: int, p: Float[Tensor, "inst feats"], first: int = 0, progress: bool = False):
        self.steps, self.batch, self.p, self.first = steps, batch, p, first
        bar = {"mininterval": 1, "leave": False, "file": sys.stdout}  # a notebook shows stderr in red
        self.bar = tqdm(total=steps, unit="step", disable=not progress, **bar)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, t: int) -> Float[Tensor, "inst batch feats"]:
        if not 0 <= t < self.steps:
            self.bar.close()
            raise IndexError(t)  # this is what ends `for x in batches`
        self.bar.update(t + 1 - self.bar.n)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.first + t)
            return toy.generate_batch(len(self.p), self.batch, self.p)


def train(
    W: Float[Tensor, "inst hidden feats"],
    b: Float[Tensor, "inst feats"],
    batches: Float[Tensor, "steps inst batch feats"],
    importance: Float[Tensor, "inst feats"],
    lr: float,
) -> tuple[Float[Tensor, "inst hidden feats"], Float[Tensor, "inst feats"]]:
    """Train all instances at once from the start W, b; returns the trained W and b, detached (requires_grad False).

    One step of Adam (torch.optim.Adam, its defaults besides lr) for each batch, in order; step t = 0, 1, … of T uses
    the learning rate lr·(1 − t/T). The loss is toy.weighted_loss(x, toy.forward(x, W, b), importance). The W and b
    that were passed in stay as they are. `batches` is a tensor, a list of tensors or a `Batches`: len(batches) is T,
    at least 1, and `for x in batches` or batches[t] gives x [inst, batch, feats].

    >>> start = torch.full((1, 1, 1), 0.5), torch.zeros(1, 1)
    >>> train(*start, torch.ones(1, 1, 1, 1), torch.ones(1, 1), 0.1)  # a single step: every number moves by lr
    (tensor([[[0.6000]]]), tensor([[0.1000]]))
    """
    # BEGIN SOLUTION
    W, b = W.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
    adam = torch.optim.Adam([W, b], lr=lr)
    for t, x in enumerate(batches):
        adam.param_groups[0]["lr"] = lr * (1 - t / len(batches))
        loss = toy.weighted_loss(x, toy.forward(x, W, b), importance)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return W.detach(), b.detach()
    # END SOLUTION


def is_pentagon(W: Float[Tensor, "2 5"], tol: float = 0.1) -> bool:
    """Are the five columns of W the corners of a regular pentagon about the origin, in any order?

    True if every length differs from the mean length by at most tol · mean length, and every angle between
    neighbours (going round, all five of them) from 2π/5 by at most tol · 2π/5. False if a column is shorter than 1e-6
    (it has no direction) or anything in W is NaN or infinite.

    >>> turn = torch.arange(5) * 2 * torch.pi / 5
    >>> is_pentagon(torch.stack([turn.cos(), turn.sin()]))
    True
    """
    # BEGIN SOLUTION
    lengths = W.norm(dim=0)
    if not W.isfinite().all() or lengths.min() < 1e-6:
        return False
    angles = torch.atan2(W[1], W[0]).sort().values
    gaps = torch.diff(angles, append=angles[:1] + 2 * torch.pi)  # the last one goes round past ±π
    away = torch.stack([lengths / lengths.mean() - 1, gaps / (2 * torch.pi / 5) - 1])
    return bool((away.abs() <= tol).all())
    # END SOLUTION


def dimensions_per_feature(
    W: Float[Tensor, "inst hidden feats"], p: Float[Tensor, "inst"]
) -> tuple[Float[Tensor, "inst"], Float[Tensor, "inst"]]:
    """x = 1/p = 1/(1 − S) and y = m/‖W‖_F² of each instance (Elhage et al. 2022, "The Geometry of Superposition").

    m is the number of hidden dimensions, p the probability that a feature of the instance is on.

    >>> dimensions_per_feature(torch.tensor([[[1.0, -1.0, 0.0]]]), torch.tensor([0.25]))  # a pair shares one dimension
    (tensor([4.]), tensor([0.5000]))
    """
    # BEGIN SOLUTION
    learned = W.square().sum(dim=(1, 2))  # inst: about the number of features that have a place
    return 1 / p, W.shape[1] / learned
    # END SOLUTION
