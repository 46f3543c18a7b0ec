"""Which tokens fit, which are scored, and of which the question is asked."""

import torch
from torch import Tensor


def halves(n: int, fit: Tensor | None) -> tuple[Tensor, Tensor]:
    """Two masks [n]: the tokens to choose and fit on (the first half, unless `fit` says otherwise), and the others."""
    if fit is None:
        fit = torch.arange(n) < n // 2
    if fit.shape != (n,) or fit.dtype != torch.bool:
        raise ValueError(f"`fit` says for each of the {n} tokens whether to fit on it; give a bool tensor [{n}].")
    if fit.all() or not fit.any():
        raise ValueError(f"One half of {n} tokens fits and the other is scored, but one is empty; give more tokens.")
    return fit, ~fit


def check_labels(labels: Tensor) -> None:
    """Raise ValueError unless labels are bool [N, F]."""
    if labels.ndim != 2 or labels.dtype != torch.bool:
        got = f"{labels.dtype} {list(labels.shape)}"
        raise ValueError(f"Labels say for each token which factors are true; give a bool tensor [N, F], not {got}.")


def check_rows(name: str, values: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless `values` has one row for each token of labels [N, F]."""
    check_labels(labels)
    if len(values) != len(labels):
        raise ValueError(
            f"There are {len(values)} rows of {name} and {len(labels)} of labels; give one a token in both."
        )


def asked_tokens(labels: Tensor, mask: Tensor | None) -> Tensor:
    """The mask as [N, F], from None (everywhere), [N] or [N, F]."""
    check_labels(labels)
    if mask is None:
        return torch.ones_like(labels)
    mask = mask[:, None] if mask.ndim == 1 else mask
    if mask.dtype != torch.bool or mask.shape not in (labels.shape, (len(labels), 1)):
        raise ValueError(f"The mask must be bool, [{len(labels)}] or {list(labels.shape)}, as the labels are.")
    return mask.expand_as(labels)
