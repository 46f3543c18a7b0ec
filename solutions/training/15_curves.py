# Generated from chapters/training/15_curves.py by `saelab build`: edit that file, not this one.
"""Which of these runs would you keep?: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, plots, predict
from saelab.sae import StandardSAE, train


def levels(curve: Float[Tensor, "points"]) -> Float[Tensor, "5"]:
    """The median of each fifth of a curve, in the order of time: points 0 to n/5 − 1 first.

    The number of points is five times an odd number, so each fifth has a point in its middle.

    >>> levels(torch.tensor([9.0, 1.0, 2.0, 3.0, 3.0, 3.0, 5.0, 4.0, 6.0, 7.0, 7.0, 0.0, 1.0, 8.0, 2.0]))
    tensor([2., 3., 5., 7., 2.])
    """
    # BEGIN SOLUTION
    return curve.reshape(5, -1).median(dim=1).values
    # END SOLUTION


def signs(
    train: Float[Tensor, "points"],
    held_out: Float[Tensor, "points"],
    l0: Float[Tensor, "points"],
    dead: Float[Tensor, "points"],
    d_in: int,
) -> Float[Tensor, "7"]:
    """Gap, density, rebound, late, drop, dead and lost of a run, in this order: the middle column of the table.

    `train` and `held_out` are curves of the FVU, `dead` is one of shares. All but `dead` are above 0.

    >>> H, L = torch.tensor([0.8, 0.4, 0.2, 0.1, 0.08]), torch.tensor([8.0, 6.0, 4.0, 4.0, 4.0])
    >>> signs(H / 2, H, L, torch.zeros(5), d_in=16)
    tensor([2.0000, 0.2500, 0.5000, 0.5000, 0.8000, 0.0000, 0.0800])
    """
    # BEGIN SOLUTION
    T, H, L, D = (levels(curve) for curve in (train, held_out, l0, dead))
    return torch.stack([H[4] / T[4], L[4] / d_in, L[4] / L[0], H[3] / H[2], H[4] / H[3], D[4], H[4]])
    # END SOLUTION


def read_curves(
    train: Float[Tensor, "points"],
    held_out: Float[Tensor, "points"],
    l0: Float[Tensor, "points"],
    dead: Float[Tensor, "points"],
    d_in: int,
) -> str:
    """What is wrong with a run: the name in the table of the first sign that is ill, or "healthy".

    The names are "data ran out", "penalty too weak", "penalty too sudden", "too short", "rate too high",
    "latents die", "penalty too strong".

    >>> H, L = torch.tensor([0.8, 0.4, 0.2, 0.1, 0.08]), torch.tensor([8.0, 6.0, 4.0, 4.0, 4.0])
    >>> read_curves(H, H, L, torch.zeros(5), d_in=16)
    'too short'
    """
    # BEGIN SOLUTION
    gap, density, rebound, late, drop, dead_at_the_end, lost = signs(train, held_out, l0, dead, d_in).tolist()
    ill = {
        "data ran out": gap > 1.5,
        "penalty too weak": density > 1,
        "penalty too sudden": rebound > 1.5,
        "too short": late < 0.75,
        "rate too high": drop < 0.85,
        "latents die": dead_at_the_end > 0.1,
        "penalty too strong": lost > 0.5,
        "healthy": True,
    }
    return next(name for name, is_so in ill.items() if is_so)
    # END SOLUTION
