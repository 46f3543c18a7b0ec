# Generated from chapters/training/02_data.py by `saelab build`: edit that file, not this one.
"""What the dictionary eats: the exercises of this section, solved."""

import time

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict
from saelab.sae import StandardSAE, train


def run(model, site: str, tokens: Int[Tensor, "seq pos"]) -> Float[Tensor, "seq pos d_in"]:
    """The activations of a model (a TransformerBridge) at the hook point `site`, for all tokens."""
    found = []
    model.run_with_hooks(tokens, fwd_hooks=[(site, lambda x, hook: found.append(x))])
    return found[0]


def harvest(
    model, site: str, tokens: Int[Tensor, "seq pos"], mask: Bool[Tensor, "seq pos"], batch_size: int
) -> Float[Tensor, "rows d_in"]:
    """The activations where `mask` is True, one per row: sequence by sequence, and within each by position.

    Calls run(model, site, …) on `batch_size` whole sequences at a time, in their order; the last batch may have fewer.
    A batch may have no True at all, `mask` as a whole has at least one. The result has no history (requires_grad
    False), also when the model's weights have one.

    >>> tokens = torch.tensor([[0, 5, 7], [0, 8, 1]])  # 0 is <bos>, 1 is <pad>
    >>> harvest(lab("pocket").model, "blocks.1.hook_resid_post", tokens, tokens > 1, 2).shape
    torch.Size([3, 128])
    """
    # BEGIN SOLUTION
    kept = []
    with torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            part = slice(start, start + batch_size)  # may reach beyond the end
            kept.append(run(model, site, tokens[part])[mask[part]])
    return torch.cat(kept)
    # END SOLUTION


class ShuffleBuffer:
    """Rows go in as they are harvested and come out in mixed batches: each row once, whole, and none is lost.

    `add` takes rows, any number of them. Whenever the buffer then holds `capacity` rows or more, a batch leaves:
    `batch_size` of its rows, drawn at random without replacement (capacity ≥ batch_size ≥ 1). `finish` gives out what
    is left, in random order, and leaves the buffer empty, ready for more rows. Rows keep their dtype. Random numbers
    come from the buffer's own `generator`: the same seed and the same rows give the same batches.

    >>> buffer = ShuffleBuffer(capacity=5, batch_size=2, seed=0)
    >>> [len(batch) for batch in buffer.add(torch.randn(4, 3)) + buffer.add(torch.randn(3, 3))]
    [2, 2]
    >>> [len(batch) for batch in buffer.finish()]
    [2, 1]
    """

    def __init__(self, capacity: int, batch_size: int, seed: int):
        self.capacity, self.batch_size = capacity, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.rows = torch.empty(0, dtype=torch.bool)  # torch.cat takes shape and dtype from what is joined to it

    def add(self, rows: Float[Tensor, "rows d_in"]) -> list:
        """Take in rows (0 or more); a list of the batches [batch_size, d_in] that leave, possibly empty."""
        # BEGIN SOLUTION
        self.rows, batches = torch.cat([self.rows, rows]), []
        while len(self.rows) >= self.capacity:
            order = torch.randperm(len(self.rows), generator=self.generator)
            batches.append(self.rows[order[: self.batch_size]])
            self.rows = self.rows[order[self.batch_size :]]
        return batches
        # END SOLUTION

    def finish(self) -> list:
        """The rows left, in a list of batches: all of batch_size, only the last may have fewer; [] if none is left."""
        # BEGIN SOLUTION
        order = torch.randperm(len(self.rows), generator=self.generator)
        rows, self.rows = self.rows[order], self.rows[:0]
        return [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        # END SOLUTION


def l1_from_deviation(acts: Float[Tensor, "seq pos d_in"], mask: Bool[Tensor, "seq pos"], lam_unit: float) -> float:
    """λ = lam_unit times the mean over real tokens of ‖x − x̄‖, x̄ being the mean of the real tokens' activations.

    `mask` is True at the real tokens (there is at least one); the others count nowhere. ‖·‖ is the Euclidean norm over
    d_in, not squared.

    >>> acts = torch.tensor([[[99.0, 0.0], [1.0, 1.0], [7.0, 1.0]]])  # BOS, and two tokens 3 away from their mean
    >>> round(l1_from_deviation(acts, torch.tensor([[False, True, True]]), 0.5), 4)
    1.5
    """
    # BEGIN SOLUTION
    x = acts[mask]  # rows d_in
    return lam_unit * (x - x.mean(dim=0)).norm(dim=-1).mean().item()
    # END SOLUTION
