# Generated from chapters/interpretation/05_logits.py by `saelab build`: edit that file, not this one.
"""What does a latent tell the model to say?: the exercises of this section, solved."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import hypergeom
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, lab, plots, predict, viewers


def latent_logits(
    W_dec: Float[Tensor, "latent d_model"], gain: Float[Tensor, "d_model"], W_U: Float[Tensor, "d_model d_vocab"]
) -> Float[Tensor, "latent d_vocab"]:
    """What one unit of length along each row of W_dec adds to the logits, if the LayerNorm's scale is left at 1.

    First make each row a unit vector (a row of zeros stays zero), then follow it: minus the mean of its entries, times
    the gain, through W_U, minus the mean over the vocabulary. Gradients flow back to all three.

    >>> latent_logits(torch.tensor([[8.0, 6.0]]), torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[ 0.1500, -0.1500]])
    """
    # BEGIN SOLUTION
    v = normalize(W_dec, dim=1)
    v = (v - v.mean(dim=1, keepdim=True)) * gain
    logits = v @ W_U
    return logits - logits.mean(dim=1, keepdim=True)
    # END SOLUTION


def vocab_df(
    logits: Float[Tensor, "d_vocab"], base: Float[Tensor, "d_vocab"], size: float
) -> tuple[Int[Tensor, "d_vocab"], Float[Tensor, "d_vocab"], Float[Tensor, "d_vocab"]]:
    """Columns (token, logit, prob) of a table with a row per token, from the most promoted to the most suppressed.

    token: the tokens' ids, their places in `logits`. logit: what the latent adds to each (a row of `latent_logits`).
    prob: the token's probability with `size` times that on top of the base.

    >>> vocab_df(torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 0.0]), 0.5)
    (tensor([1, 0]), tensor([ 1., -1.]), tensor([0.5000, 0.5000]))
    """
    # BEGIN SOLUTION
    order = logits.argsort(descending=True)
    prob = (base + size * logits).softmax(dim=0)
    return order, logits[order], prob[order]
    # END SOLUTION


def peakedness(
    W_dec: Float[Tensor, "latent d_model"],
    b_dec: Float[Tensor, "d_model"],
    size: float,
    unembed: Callable[[Tensor], Tensor],
) -> tuple[Float[Tensor, "latent"], Float[Tensor, "latent"], Float[Tensor, "latent"]]:
    """(entropy in bits, largest probability, kurtosis of the logits) of the forecast from each latent alone.

    The stream is b_dec plus `size` times the latent's direction, a row of W_dec made a unit vector. `unembed` takes
    streams [n, d_model] to logits [n, d_vocab]. All three stay finite where a probability is too small for a float.

    >>> unembed = lambda x: x @ torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    >>> peakedness(torch.tensor([[3.0, 0.0]]), torch.zeros(2), 500.0, unembed)  # two of four tokens, a coin
    (tensor([1.]), tensor([0.5000]), tensor([1.]))
    """
    # BEGIN SOLUTION
    logits = unembed(b_dec + size * normalize(W_dec, dim=1))
    log_p = logits.log_softmax(dim=-1)
    entropy = -(log_p.exp() * log_p).sum(dim=-1) / math.log(2)
    z = logits - logits.mean(dim=-1, keepdim=True)
    return entropy, log_p.amax(dim=-1).exp(), z.pow(4).mean(dim=-1) / z.square().mean(dim=-1).square()
    # END SOLUTION


def enrichment(
    logits: Float[Tensor, "latent d_vocab"], sets: Bool[Tensor, "set d_vocab"], k: int
) -> Float[Tensor, "latent set"]:
    """Chance that k tokens drawn without replacement contain as many of each set, or more, as the k most promoted do.

    `sets` says which tokens belong to each set. No two logits of a latent are the same.

    >>> some = torch.tensor([[True, True, False, False]])
    >>> enrichment(torch.tensor([[4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 2.0, 3.0]]), some, 2)  # 1 of 6 pairs; 5 of 6
    tensor([[0.1667],
            [0.8333]])
    """
    # BEGIN SOLUTION
    promoted = torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1.0)
    hits = promoted @ sets.T.to(logits.dtype)  # latent set
    p = hypergeom.sf(hits.numpy() - 1, sets.shape[1], sets.sum(dim=1).numpy(), k)
    return torch.from_numpy(p).to(logits.dtype)
    # END SOLUTION


def q_values(p: Float[Tensor, "latent set"]) -> Float[Tensor, "latent set"]:
    """The q-value of each test, in its place: all tests are corrected together (Benjamini and Hochberg).

    >>> q_values(torch.tensor([[0.01, 0.9], [0.04, 0.02]]))
    tensor([[0.0400, 0.9000],
            [0.0533, 0.0400]])
    """
    # BEGIN SOLUTION
    ordered, order = p.flatten().sort()
    share = ordered * p.numel() / torch.arange(1, p.numel() + 1)
    q = share.flip(0).cummin(dim=0).values.flip(0)
    return q[order.argsort()].view_as(p)
    # END SOLUTION
