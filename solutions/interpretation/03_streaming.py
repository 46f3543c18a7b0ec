# Generated from chapters/interpretation/03_streaming.py by `saelab build`: edit that file, not this one.
"""What does a latent fire on?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict, viewers


def get_feature_acts(
    model,
    sae,
    site: str,
    tokens: Int[Tensor, "seq pos"],
    latents: Int[Tensor, "chosen"],
    special: Int[Tensor, "ids"],
    batch_size: int,
) -> tuple[Float[Tensor, "seq pos chosen"], Bool[Tensor, "seq pos"]]:
    """(acts, mask): what the chosen latents do at each token, in the order of `latents`, and which tokens are text.

    mask is False at the tokens whose ids are in `special`; acts are there what they are, not 0. The model runs on
    `batch_size` whole sequences at a time (the last batch may have fewer), the dictionary encodes what one batch gave,
    and only the chosen latents are kept. The result has no history, and hooks that were on the model stay on it.

    >>> here, site = lab("pocket"), "blocks.1.hook_resid_post"
    >>> given = (here.model, here.dictionary(site), site, here.tokens(3, 5))
    >>> acts, mask = get_feature_acts(*given, latents=torch.tensor([7, 2]), special=torch.tensor([0, 1]), batch_size=2)
    >>> acts.shape, mask[0]  # 0 is <bos>, 1 is <pad>
    (torch.Size([3, 5, 2]), tensor([False,  True,  True,  True,  True]))
    """
    # BEGIN SOLUTION
    kept = []
    with torch.no_grad():
        for batch in tokens.split(batch_size):
            _, cache = model.run_with_cache(batch, names_filter=site)
            f = sae.encode(cache[site].flatten(2))  # seq pos d_sae, forgotten in the next round
            kept.append(f[..., latents])
    return torch.cat(kept), ~torch.isin(tokens, special)
    # END SOLUTION


def update_stats(
    stats: Float[Tensor, "4 latents"], acts: Float[Tensor, "seq pos latents"], mask: Bool[Tensor, "seq pos"]
) -> Float[Tensor, "4 latents"]:
    """The statistics after one more batch: rows are tokens, tokens where f > 0, the sum of f, and the largest f.

    Only tokens in the mask count; it may have no True at all. Begin with zeros: activations are never negative.

    >>> acts, mask = torch.tensor([[[9.0], [0.0], [3.0], [1.0]]]), torch.tensor([[False, True, True, True]])
    >>> update_stats(torch.tensor([[1.0], [1.0], [2.0], [2.0]]), acts, mask).flatten()
    tensor([4., 3., 6., 3.])
    """
    # BEGIN SOLUTION
    f = acts[mask]  # token latents
    most = torch.cat([stats[3:], f]).amax(dim=0)
    return torch.stack([stats[0] + len(f), stats[1] + (f > 0).sum(dim=0), stats[2] + f.sum(dim=0), most])
    # END SOLUTION


def top_examples(acts: Float[Tensor, "seq pos"], mask: Bool[Tensor, "seq pos"], k: int) -> Int[Tensor, "found 2"]:
    """(sequence, position) of a latent's strongest tokens, strongest first, one per sequence and at most k.

    Only tokens in the mask at which acts > 0. Of equal activations the earlier sequence comes first, and the earlier
    token within one. [0, 2] where there is none.

    >>> acts = torch.tensor([[0.0, 3.0, 5.0], [4.0, 4.0, 0.0], [9.0, 0.0, 0.0]])
    >>> mask = torch.tensor([[True, True, True], [True, True, True], [False, True, True]])
    >>> top_examples(acts, mask, 5)
    tensor([[0, 2],
            [1, 0]])
    """
    # BEGIN SOLUTION
    f = torch.where(mask, acts, 0.0)
    peaks, positions = f.amax(dim=1), f.argmax(dim=1)  # argmax gives the first of equal ones
    order = peaks.argsort(descending=True, stable=True)
    order = order[peaks[order] > 0][:k]
    return torch.stack([order, positions[order]], dim=1)
    # END SOLUTION


def make_token_df(words: list, before: int, after: int) -> dict:
    """A token table as columns, one row per token in reading order: pandas.DataFrame(table) shows it.

    words: for each sequence a list of its tokens as text, with their spaces. Columns: "token"; "context", the up to
    `before` tokens before it, then the token between bars, then the up to `after` tokens behind it, all of the same
    sequence; "sequence" and "position", both from 0.

    >>> table = make_token_df([["the", " old", " cell"], ["a"]], before=1, after=1)
    >>> table["context"]
    ['|the| old', 'the| old| cell', ' old| cell|', '|a|']
    >>> table["sequence"], table["position"]
    ([0, 0, 0, 1], [0, 1, 2, 0])
    """
    # BEGIN SOLUTION
    table: dict = {"token": [], "context": [], "sequence": [], "position": []}
    for sequence, text in enumerate(words):
        for position, token in enumerate(text):
            left = "".join(text[max(0, position - before) : position])
            right = "".join(text[position + 1 : position + 1 + after])
            row = {"token": token, "context": f"{left}|{token}|{right}", "sequence": sequence, "position": position}
            for name, value in row.items():
                table[name].append(value)
    return table
    # END SOLUTION
