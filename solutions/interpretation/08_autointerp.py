# Generated from chapters/interpretation/08_autointerp.py by `saelab build`: edit that file, not this one.
"""Can a machine write the explanation?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict


def balanced_accuracy(said: Bool[Tensor, "question"], true: Bool[Tensor, "question"]) -> float:
    """Mean of two shares: of those that are true, said to be; of those that are not, said not to be. nan if one is 0/0.

    >>> balanced_accuracy(torch.tensor([True, False, False, False]), torch.tensor([True, True, False, False]))
    0.75
    """
    # BEGIN SOLUTION
    found, spared = said[true].double().mean(), (~said[~true]).double().mean()
    return ((found + spared) / 2).item()
    # END SOLUTION


def scoring_set(
    peak: Float[Tensor, "window"],
    shown: Int[Tensor, "shown"],
    n_bands: int,
    per_band: int,
    key: Float[Tensor, "window"],
) -> Int[Tensor, "read"]:
    """Windows to score an explanation on, in rising order, none of those that were `shown` to the explainer.

    `peak` is the latent's largest activation in each window. Of the m windows left with a peak above 0, the one with r
    weaker ones is in band r · n_bands // m, from 0. Each band gives the `per_band` windows with the smallest keys, or
    all if it has fewer. Then as many windows with peak 0 as these are together, again by smallest keys. No two keys are
    the same, and no two peaks above 0.

    >>> peak = torch.tensor([0.0, 3.0, 0.0, 1.0, 2.0, 0.0])
    >>> scoring_set(peak, torch.tensor([1, 5]), 2, 1, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    tensor([0, 2, 3, 4])
    """
    # BEGIN SOLUTION
    fresh = torch.ones(len(peak), dtype=torch.bool)
    fresh[shown] = False
    ranked = (fresh & (peak > 0)).nonzero()[:, 0]
    ranked = ranked[peak[ranked].argsort()]  # weakest first
    band = torch.arange(len(ranked)) * n_bands // max(1, len(ranked))
    on = [ranked[band == which] for which in range(n_bands)]
    on = torch.cat([some[key[some].argsort()][:per_band] for some in on])
    off = (fresh & (peak == 0)).nonzero()[:, 0]
    off = off[key[off].argsort()][: len(on)]
    return torch.cat([on, off]).sort().values
    # END SOLUTION


def detection_score(
    acts: Float[Tensor, "window pos"], says: Bool[Tensor, "window pos"], read: Int[Tensor, "read"]
) -> float:
    """Balanced accuracy, over the windows `read`, of: the latent is on in it where the explanation is true in it.

    On in a window is a latent that is above 0 somewhere in it. `says`: is the explanation true of this token?

    >>> detection_score(torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[True, False]] * 2), torch.tensor([0, 1]))
    0.5
    """
    # BEGIN SOLUTION
    return balanced_accuracy(says[read].any(dim=1), (acts[read] > 0).any(dim=1))
    # END SOLUTION


def fuzzing_score(
    acts: Float[Tensor, "window pos"],
    says: Bool[Tensor, "window pos"],
    read: Int[Tensor, "read"],
    key: Float[Tensor, "window pos"],
) -> float:
    """Balanced accuracy at marked tokens: two in each window read, one where the latent is on and one where it is off.

    Marked are the tokens with the smallest keys of each sort; no two keys are the same. A window where the latent is on
    at all tokens, or at none, is left out.

    >>> acts, says = torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[False, True], [True, True]])
    >>> fuzzing_score(acts, says, torch.tensor([0, 1]), torch.tensor([[0.3, 0.1], [0.2, 0.4]]))
    1.0
    """
    # BEGIN SOLUTION
    on = acts[read] > 0
    both = on.any(dim=1) & ~on.all(dim=1)
    on, says, key = on[both], says[read][both], key[read][both]
    marked = [torch.where(sort, key, torch.inf).argmin(dim=1) for sort in (on, ~on)]
    answers = [says.gather(1, place[:, None])[:, 0] for place in marked]
    return balanced_accuracy(torch.cat(answers), torch.arange(2 * len(on)) < len(on))
    # END SOLUTION
