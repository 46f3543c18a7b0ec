"""What `train` makes of a batch before it learns from it: tensors that fit the dictionary, outliers shortened."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import parallel
from .architectures import SAE

FAR = 20  # a row more than so many times as long as the median row is an outlier …
FEW = 25  # … where at most one in so many rows is: if there are more, they are no exception but the data


def taken(batch: Any, sae: SAE, where: str) -> tuple[Tensor, Tensor]:
    """x [batch, *in_shape] and y [batch, *out_shape] on the dictionary's device, in its dtype; without a pair y is x.

    Tensors and numpy arrays of any dtype will do. Raises ValueError for another shape, for NaN and for infinite values;
    `where` says which batch it was ("the batch of step 3").
    """
    if isinstance(batch, tuple | list) != sae.pairs or (sae.pairs and len(batch) != 2):
        wanted = "a pair: the activations at its input and at its output" if sae.pairs else "one tensor of activations"
        raise ValueError(f"The batch of a {type(sae).__name__} is {wanted}; {where} is {_told(batch)}.")
    if not sae.pairs:
        x = _tensor(batch, sae, sae.in_shape, where)
        return x, x
    x, y = _tensor(batch[0], sae, sae.in_shape, where), _tensor(batch[1], sae, sae.out_shape, where)
    if len(x) != len(y):
        raise ValueError(f"A pair has as many inputs as outputs; {where} has {len(x)} and {len(y)}.")
    return x, y


def inputs(values: Any, sae: SAE, where: str) -> Tensor:
    """Activations [n, *in_shape] as the encoder takes them, looked at as `taken` does."""
    return _tensor(values, sae, sae.in_shape, where)


def _tensor(values: Any, sae: SAE, shape: tuple[int, ...], where: str) -> Tensor:
    if not isinstance(values, Tensor | np.ndarray):
        raise ValueError(f"Activations are a tensor or a numpy array; {where} is {_told(values)}.")
    x = torch.as_tensor(values).detach().to(sae.W_dec)
    if x.shape[1:] != shape or not len(x):
        wanted = ", ".join(["rows", *map(str, shape)])
        raise ValueError(f"{type(sae).__name__} takes activations [{wanted}] here; {where} is {list(x.shape)}.")
    if not x.isfinite().all():
        bad = (~x.isfinite()).flatten(1).any(1).nonzero()[:, 0].tolist()
        rows = f"rows {', '.join(map(str, bad[:5]))}{', …' if bad[5:] else ''} of {len(x)}"
        raise ValueError(
            f"NaN or infinite activations in {where} ({rows}): nothing was learnt from it. Look at these rows, and at "
            "the model that gave them; in half precision it may overflow."
        )
    return x.clone() if x.is_inference() else x


def _told(values: Any) -> str:
    if isinstance(values, tuple | list):
        return f"a {type(values).__name__} of {len(values)}"
    return f"one {type(values).__name__}"


def shortened(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """x and y with outliers as long as the longest other row, and which rows are none [batch] (bool); None if all.

    Outliers are at most a twenty-fifth of the rows (of all processes together), each more than 20 times as long as the
    median row that is not 0. Where there are none, x and y are returned as they are.
    """
    short_x, keep_x = _capped(x)
    short_y, keep_y = (short_x, keep_x) if y is x else _capped(y)
    masks = [mask for mask in (keep_x, keep_y) if mask is not None]
    return short_x, short_y, torch.stack(masks).all(0) if masks else None


def _capped(x: Tensor) -> tuple[Tensor, Tensor | None]:
    length = x.flatten(1).norm(dim=1)
    everyone = parallel.gathered(length)
    limit = FAR * everyone[everyone > 0].median()
    if not 0 < int((everyone > limit).sum()) <= len(everyone) // FEW:
        return x, None
    keep = length <= limit
    return x * torch.where(keep, 1.0, everyone[everyone <= limit].max() / length).reshape(-1, *[1] * (x.ndim - 1)), keep


def scale_of(x: Tensor) -> float:
    """What to multiply x [batch, …] by for a mean variance of 1."""
    size = (x - x.mean(0)).square().mean().sqrt()
    if not 1e-8 < float(size) < 1e15:  # squares may have under- or overflown
        wide = x.double()
        size = (wide - wide.mean(0)).square().mean().sqrt()
    if size == 0:
        raise ValueError(
            f"The {len(x)} rows of the first batch are all the same, so they have no variance to scale by: give "
            "batches of different rows, or train with normalise=False."
        )
    return float(1 / size)
