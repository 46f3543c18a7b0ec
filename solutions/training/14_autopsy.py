# Generated from chapters/training/14_autopsy.py by `saelab build`: edit that file, not this one.
"""Autopsy: the exercises of this section, solved."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from saelab import check, hint, lab, plots, predict  # noqa: F401


def prepare(
    rows: list[list[str]], vocab: dict[str, int], length: int
) -> tuple[Int[Tensor, "row length"], Bool[Tensor, "row length"]]:
    """Texts as the model wants them: (tokens, mask), and the mask is True at the words to harvest.

    A row is vocab["<bos>"], then vocab[word] for each word (vocab["<unk>"] for one that vocab doesn't have), cut off
    after `length` tokens in all, and filled up with vocab["<pad>"]. The mask is False at <bos> and at the padding.

    >>> prepare([["b", "?"]], {"<bos>": 7, "<pad>": 9, "<unk>": 8, "a": 4, "b": 3}, 4)
    (tensor([[7, 3, 8, 9]]), tensor([[False,  True,  True, False]]))
    """
    # BEGIN SOLUTION
    tokens = torch.full((len(rows), length), vocab["<pad>"])
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids = [vocab["<bos>"], *(vocab.get(word, vocab["<unk>"]) for word in row)][:length]
        tokens[i, : len(ids)] = torch.tensor(ids)
        mask[i, 1 : len(ids)] = True
    return tokens, mask
    # END SOLUTION


class Recorder:
    """Keeps activations, batch after batch, in its list `kept`, and gives them back in one piece."""

    def __init__(self, d_model: int):
        self.d_model = d_model
        self.kept: list[Tensor] = []  # made here, so each Recorder has a list of its own

    def write(self, acts: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"]) -> None:
        """Put the rows of acts (float32) at which the mask is True into `kept`, as one tensor without history.

        May be called any number of times. Nothing else is kept: neither the other rows nor what acts came from.
        """
        # BEGIN SOLUTION
        self.kept.append(acts.detach()[mask])
        # END SOLUTION

    def read(self) -> Float[Tensor, "n d_model"]:
        """All rows written so far, in order, as one tensor; before the first write its shape is [0, d_model]."""
        # BEGIN SOLUTION
        return torch.cat([torch.zeros(0, self.d_model), *self.kept])
        # END SOLUTION


def initial(
    d_in: int, d_sae: int, seed: int
) -> tuple[Float[Tensor, "d_in d_sae"], Float[Tensor, "d_sae"], Float[Tensor, "d_sae d_in"], Float[Tensor, "d_in"]]:
    """W_enc, b_enc, W_dec and b_dec before training.

    The rows of W_dec are normal random numbers, each row scaled to length 1. W_enc has the same numbers, transposed.
    The biases are zero. The same seed gives the same numbers, another seed gives others.
    """
    # BEGIN SOLUTION
    W_dec = F.normalize(torch.randn(d_sae, d_in, generator=torch.Generator().manual_seed(seed)), dim=1)
    return W_dec.T.clone(), torch.zeros(d_sae), W_dec, torch.zeros(d_in)
    # END SOLUTION


def penalty(f: Float[Tensor, "batch d_sae"], W_dec: Float[Tensor, "d_sae d_in"]) -> Float[Tensor, ""]:
    """What sparsity costs: f ≥ 0 times the length of its latent's row of W_dec, summed over latents, mean over batch.

    >>> penalty(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.0, 1.0], [3.0, 4.0]]))
    tensor(8.)
    """
    # BEGIN SOLUTION
    return (f * W_dec.norm(dim=1)).sum(dim=1).mean()
    # END SOLUTION


def batches(n: int, held_out: int, batch_size: int, seed: int, epoch: int) -> list[Int[Tensor, "batch"]]:
    """Numbers of the rows in each batch of an epoch: of the first n − held_out rows each once, of the others none.

    The order is random. The same seed and epoch give the same order, and two different pairs (seed, epoch) give
    different ones; epochs are below 1,000. Every batch has batch_size rows; what is left over makes a smaller last one.
    """
    # BEGIN SOLUTION
    generator = torch.Generator().manual_seed(100_000 * seed + epoch)
    return list(torch.randperm(n - held_out, generator=generator).split(batch_size))
    # END SOLUTION


def model_loss(
    logits: Float[Tensor, "batch length vocab"], tokens: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"]
) -> Float[Tensor, ""]:
    """Mean of −log p in nats, p the probability that logits[b, t] gives to tokens[b, t + 1] (softmax over vocab).

    The mean is over all b, t at which mask[b, t + 1] is True (there is at least one): the mask asks about the token
    that is *predicted*, not about the one that is read. The result is finite.

    >>> model_loss(torch.zeros(1, 2, 8), torch.tensor([[0, 5]]), torch.tensor([[False, True]]))  # ln 8
    tensor(2.0794)
    """
    # BEGIN SOLUTION
    surprise = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    return surprise[mask[:, 1:].flatten()].mean()
    # END SOLUTION


def autopsy(
    W_enc: Float[Tensor, "d_in d_sae"],
    b_enc: Float[Tensor, "d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
) -> Float[Tensor, "d_sae"]:
    """Does each latent read what it writes? The cosine of its encoder column and of decode(eᵢ) − decode(0).

    eᵢ switches latent i on, alone and with strength 1; decode(f) = f W_dec + b_dec. 0 where a vector has length zero.

    >>> autopsy(torch.tensor([[2.0, 1.0]]), torch.ones(2), torch.tensor([[3.0], [0.0]]), torch.ones(1))
    tensor([1., 0.])
    """
    # BEGIN SOLUTION
    directions, columns = F.normalize(W_dec, dim=1), F.normalize(W_enc, dim=0)
    return (directions * columns.T).sum(dim=1)
    # END SOLUTION
