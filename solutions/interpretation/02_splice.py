# Generated from chapters/interpretation/02_splice.py by `saelab build`: edit that file, not this one.
"""Does the model still know?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict, scores


def run_spliced(
    model, sae, site: str, tokens: Int[Tensor, "batch pos"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos vocab"]:
    """The model's logits with sae.decode(sae.encode(x)) in place of the activation x at `site`, where mask is True.

    Where mask is False, x stays what it was. x is [batch, pos, d_in], or [batch, pos, head, d_head] at attn.hook_z: the
    dictionary takes and gives the heads as one axis. Afterwards the model is as it was before, also if something
    raised: our hook is gone, and hooks that others put there are still on. Raises ValueError if the model has no such
    hook point.

    >>> here = lab("pocket")
    >>> site, tokens = here.sites[0], here.tokens(2, 8)
    >>> logits = run_spliced(here.model, here.dictionary(site), site, tokens, tokens < 0)
    >>> torch.equal(logits, here.model(tokens))  # the mask has no True
    True
    """
    # BEGIN SOLUTION
    reached = []

    def splice(x, hook):
        reached.append(hook)
        flat = x.flatten(2)  # batch pos d_in
        spliced = torch.where(mask[..., None], sae.decode(sae.encode(flat)), flat)
        return spliced.reshape(x.shape)

    logits = model.run_with_hooks(tokens, fwd_hooks=[(site, splice)], return_type="logits")
    if not reached:
        raise ValueError(f"The model has no hook point {site!r}: nothing was spliced.")
    return logits
    # END SOLUTION


def answer_rank(
    logits: Float[Tensor, "batch pos vocab"], last: Int[Tensor, "batch"], answers: Int[Tensor, "batch"]
) -> tuple[Int[Tensor, "batch"], Float[Tensor, "batch"]]:
    """(rank, probability) of each prompt's answer in the forecast at its last token.

    The rank is the number of tokens with a larger logit than the answer's, so 0 means that none is more probable.

    >>> logits = torch.tensor([[[2.0, 0.0, 1.0], [9.0, 9.0, 9.0]]])
    >>> answer_rank(logits, torch.tensor([0]), torch.tensor([2]))
    (tensor([1]), tensor([0.2447]))
    """
    # BEGIN SOLUTION
    forecast = logits[torch.arange(len(last)), last]  # batch vocab
    logit = forecast.gather(1, answers[:, None])  # batch 1
    probability = forecast.softmax(dim=1).gather(1, answers[:, None])
    return (forecast > logit).sum(dim=1), probability[:, 0]
    # END SOLUTION
