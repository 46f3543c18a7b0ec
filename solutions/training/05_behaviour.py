# Generated from chapters/training/05_behaviour.py by `saelab build`: edit that file, not this one.
"""How much of the model is left?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from saelab import check, hint, lab, plots, predict, scores


def next_token_loss(
    logits: Float[Tensor, "batch pos vocab"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch next"]:
    """Cross-entropy in nats: entry s is -log softmax(logits at s) of token s + 1, for s = 0 … pos - 2.

    Gradients flow back to the logits.

    >>> next_token_loss(torch.tensor([[[2.0, 2.0], [0.0, 9.0]]]), torch.tensor([[0, 1]]))  # a coin: log 2
    tensor([[0.6931]])
    """
    # BEGIN SOLUTION
    return -logits[:, :-1].log_softmax(dim=-1).gather(-1, tokens[:, 1:, None])[..., 0]
    # END SOLUTION


def loss_recovered(
    clean: Float[Tensor, "batch next"],
    spliced: Float[Tensor, "batch next"],
    ablated: Float[Tensor, "batch next"],
    mask: Bool[Tensor, "batch pos"],
) -> float:
    """(ablated - spliced) / (ablated - clean): one ratio of means over all the predictions that count.

    Given are three results of `next_token_loss`. Entry s, made at token s of token s + 1, counts if mask is True at
    both. The result may be below 0 or above 1; it is nan if ablation does not raise the mean loss.

    >>> clean, spliced, ablated = torch.tensor([[1.0, 9.0]]), torch.tensor([[2.0, 9.0]]), torch.tensor([[5.0, 0.0]])
    >>> loss_recovered(clean, spliced, ablated, torch.tensor([[True, True, False]]))
    0.75
    """
    # BEGIN SOLUTION
    counts = mask[:, :-1] & mask[:, 1:]
    clean, spliced, ablated = (loss[counts].mean().item() for loss in (clean, spliced, ablated))
    return (ablated - spliced) / (ablated - clean) if ablated > clean else float("nan")
    # END SOLUTION


def kl(
    clean: Float[Tensor, "batch pos vocab"], spliced: Float[Tensor, "batch pos vocab"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, ""]:
    """KL(clean ‖ spliced) in nats of the forecasts that two sets of logits make: the mean over positions in the mask.

    Finite where a model is sure of itself (logits hundreds apart). Gradients flow back to the spliced logits.

    >>> kl(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]]), torch.tensor([[True]]))
    tensor(0.1201)
    """
    # BEGIN SOLUTION
    log_p, log_q = clean.log_softmax(dim=-1), spliced.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)[mask].mean()
    # END SOLUTION


def mean_ablation(
    acts: Float[Tensor, "batch pos d_in"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos d_in"]:
    """acts with each vector in the mask replaced by the mean of those in the mask; the others stay what they were.

    >>> mean_ablation(torch.tensor([[[9.0], [1.0], [3.0]]]), torch.tensor([[False, True, True]])).flatten()
    tensor([9., 2., 2.])
    """
    # BEGIN SOLUTION
    return torch.where(mask[..., None], acts[mask].mean(dim=0), acts)
    # END SOLUTION
