# Generated from chapters/interpretation/10_attention.py by `saelab build`: edit that file, not this one.
"""Where does an attention latent read?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict, viewers


def dfa(
    pattern: Float[Tensor, "batch head query source"],
    v: Float[Tensor, "batch source head d_head"],
    W_enc: Float[Tensor, "d_in d_sae"],
    latent: int,
) -> Float[Tensor, "batch query source head"]:
    """What each source token, by each head, contributes to a latent's pre-activation. d_in is head · d_head.

    >>> pattern = torch.tensor([[[[1.0, 0.0], [0.25, 0.75]]]])  # one head, two tokens
    >>> v = torch.tensor([[[[4.0, 0.0]], [[0.0, 2.0]]]])
    >>> dfa(pattern, v, torch.tensor([[1.0], [10.0]]), 0)[0, 1, :, 0]  # at the second token
    tensor([ 1., 15.])
    """
    # BEGIN SOLUTION
    w = W_enc[:, latent].reshape(v.shape[2:])  # head d_head
    read = torch.einsum("bkhd,hd->bkh", v, w)  # what w finds in each source's value
    return pattern.permute(0, 2, 3, 1) * read[:, None]
    # END SOLUTION


def pre_activation(
    parts: Float[Tensor, "batch query source head"],
    W_enc: Float[Tensor, "d_in d_sae"],
    b_enc: Float[Tensor, "d_sae"],
    b_dec: Float[Tensor, "d_in"],
    latent: int,
) -> Float[Tensor, "batch query"]:
    """The latent's pre-activation at each query, from its contributions `parts`, as `dfa` gives them.

    It may be negative: neither ReLU nor threshold has been applied yet.

    >>> parts = torch.tensor([[[[1.0], [15.0]]]])  # one query, two sources, one head
    >>> pre_activation(parts, torch.tensor([[2.0], [1.0]]), torch.tensor([-4.0]), torch.tensor([3.0, 1.0]), 0)
    tensor([[5.]])
    """
    # BEGIN SOLUTION
    return parts.sum(dim=(2, 3)) + b_enc[latent] - b_dec @ W_enc[:, latent]
    # END SOLUTION


def head_share(
    parts: Float[Tensor, "batch query source head"], on: Bool[Tensor, "batch query"]
) -> Float[Tensor, "head"]:
    """Each head's share of all contributions, over the queries where `on`. They sum to 1; nan if `on` is nowhere.

    >>> parts = torch.tensor([[[[3.0, 1.0]], [[5.0, -1.0]], [[9.0, 9.0]]]])  # three queries, one source, two heads
    >>> head_share(parts, torch.tensor([[True, True, False]]))
    tensor([1., 0.])
    """
    # BEGIN SOLUTION
    there = parts[on]  # firing source head
    return there.sum(dim=(0, 1)) / there.sum()
    # END SOLUTION


def distance_share(
    parts: Float[Tensor, "batch query source head"], on: Bool[Tensor, "batch query"]
) -> Float[Tensor, "source"]:
    """Share of all contributions that comes from 0, 1, 2, … tokens back, over the queries where `on`.

    Distance 0 is the query itself: there are as many queries as sources. Entries sum to 1; nan if `on` is nowhere.

    >>> parts = torch.tensor([[[[2.0], [0.0]], [[6.0], [2.0]]]])  # two tokens, one head
    >>> distance_share(parts, torch.tensor([[True, True]]))
    tensor([0.4000, 0.6000])
    """
    # BEGIN SOLUTION
    there = (parts * on[..., None, None]).sum(dim=(0, 3))  # query source
    back = [there.diagonal(-distance).sum() for distance in range(there.shape[1])]
    total = there.sum() if on.any() else there.new_tensor(float("nan"))
    return torch.stack(back) / total
    # END SOLUTION
