"""Several processes that train one dictionary: each sees its share of every batch, and all keep the same weights.

Under `torchrun` (see `__main__.py`) every process calls `train` with its own rows of each batch. Gradients are averaged
by torch's DistributedDataParallel; the few other numbers that depend on the whole batch are exchanged here. In a
process by itself nothing is sent.
"""

import torch
from torch import Tensor, distributed, nn

from .architectures import SAE, Loss


def processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def is_first() -> bool:
    """Is this the process that shows progress and writes files?"""
    return processes() == 1 or distributed.get_rank() == 0


def wait() -> None:
    """Until all processes have come here."""
    if processes() > 1:
        distributed.barrier()


def gathered(x: Tensor) -> Tensor:
    """The rows of all processes, one process after the other, [processes · n, …]; every process has n of them."""
    if processes() == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(processes())]
    distributed.all_gather(parts, x.contiguous())
    return torch.cat(parts)


def mean(values: dict[str, float]) -> dict[str, float]:
    """The mean of each value over the processes."""
    if processes() == 1:
        return values
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    rows = gathered(torch.tensor([list(values.values())], dtype=torch.float64, device=device))
    return dict(zip(values, rows.mean(0).tolist()))


class _Step(nn.Module):
    """An SAE whose forward pass is its loss, which is what DistributedDataParallel can wrap."""

    def __init__(self, sae: SAE):
        super().__init__()
        self.sae = sae

    def forward(self, *batch: Tensor, **more) -> Loss:
        return self.sae.loss(*batch, **more)


def averaging(sae: SAE):
    """`sae.loss`, with gradients that are averaged over the processes when they are computed."""
    if processes() == 1:
        return sae.loss
    return nn.parallel.DistributedDataParallel(_Step(sae))
