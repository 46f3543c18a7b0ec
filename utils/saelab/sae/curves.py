"""What a training run records of itself."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import parallel
from .architectures import Loss, squared_error


@dataclass
class History:
    """What was recorded every `log_every` steps: each curve has one number for each of `steps`.

    The curves are the loss's terms in training units (see `train`), `l0` (latents on per sample), `fvu` (fraction
    of variance unexplained, on the training batch but for rows more than 20 times as long as the median row, if they
    are few) and `dead` (share of latents silent for `dead_after` steps).
    """

    steps: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)

    def record(self, step: int, **values: float) -> None:
        self.steps.append(step)
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[float]:
        return self.curves[name]


def numbers(loss: Loss, y: Tensor, keep: Tensor | None) -> dict[str, float]:
    """Terms, l0 and fvu of a batch; of the whole batch, where several processes have a part of it each.

    The fvu is that of the rows to `keep` [batch] (bool), if they aren't all.
    """
    weights = torch.ones_like(y[:, :1]) if keep is None else keep.to(y).reshape(-1, *[1] * (y.ndim - 1))
    y, x_hat = y * weights, loss.x_hat * weights  # rows that are left out become 0 on both sides
    share = parallel.gathered(weights.flatten(1).mean(0, keepdim=True)).mean()
    mean = parallel.gathered(y.mean(0, keepdim=True)).mean(0) / share
    error, variance = squared_error(y, x_hat), squared_error(y, mean * weights)
    found = {name: float(term) for name, term in loss.terms.items()}
    found |= {"l0": float((loss.f > 0).sum()) / len(loss.f), "error": float(error), "variance": float(variance)}
    found = parallel.mean(found)
    lost, total = found.pop("error"), found.pop("variance")
    return found | {"fvu": lost / total if total else float("nan")}
