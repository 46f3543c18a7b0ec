# Generated from chapters/interpretation/07_elicit.py by `saelab build`: edit that file, not this one.
"""What calls a latent up?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict


def lift(acts: Float[Tensor, "token d_sae"], base: Float[Tensor, "base d_sae"]) -> Float[Tensor, "d_sae"]:
    """How much more often each latent is on (above 0) than the base leads one to expect, in bits: see above.

    >>> lift(torch.tensor([[5.0, 0.1, 0.0]]), torch.tensor([[9.0, 0.0, 0.0], [2.0, 0.0, 3.0]]))
    tensor([ 0.0000,  1.0000, -0.5850])
    """
    # BEGIN SOLUTION
    expected = len(acts) * (base > 0).to(acts.dtype).mean(dim=0)
    return (((acts > 0).sum(dim=0) + 1) / (expected + 1)).log2()
    # END SOLUTION


def token_at(mask: Bool[Tensor, "text pos"], which: int) -> Int[Tensor, "text"]:
    """Position of each text's token number `which`, 0 for its first, -1 for its last. Only True counts as a token.

    Raises ValueError if one of the texts has no such token.

    >>> token_at(torch.tensor([[False, True, True, True], [False, True, True, False]]), -2)
    tensor([2, 1])
    """
    # BEGIN SOLUTION
    number = mask.cumsum(dim=1) - 1  # of each token, from 0
    wanted = mask.sum(dim=1, keepdim=True) + which if which < 0 else which
    found = mask & (number == wanted)
    if not found.any(dim=1).all():
        raise ValueError(f"A text has no token number {which}.")
    return found.int().argmax(dim=1)
    # END SOLUTION


def elicit(
    model,
    sae,
    site: str,
    tokens: Int[Tensor, "text pos"],
    mask: Bool[Tensor, "text pos"],
    contrast: Int[Tensor, "other length"],
    contrast_mask: Bool[Tensor, "other length"],
    k: int = 5,
    which: int | None = None,
) -> tuple[Int[Tensor, "k"], Float[Tensor, "k"]]:
    """(the k latents with the largest lift of the texts over the contrast, their lift), the largest first.

    Where the masks are False (BOS, padding) nothing counts. With `which` only that token of each text counts; the base
    is all of the contrast that its mask allows, with or without `which`. Of equal lifts the smaller number comes first.
    At attn.hook_z the dictionary reads the heads as one vector, as in section 2.

    >>> here = lab("pocket")
    >>> site, some = here.sites[0], here.tokens(4, 8)
    >>> there = some > 0  # all but BOS
    >>> elicit(here.model, here.dictionary(site), site, some, there, some, there, k=3)[1]  # a text over itself
    tensor([0., 0., 0.])
    """

    # BEGIN SOLUTION
    def latents(some):
        x = model.run_with_cache(some, names_filter=site)[1][site]
        return sae.encode(x.flatten(2)).detach()

    if which is not None:
        mask = torch.arange(mask.shape[1]) == token_at(mask, which)[:, None]
    lifts = lift(latents(tokens)[mask], latents(contrast)[contrast_mask])
    order = lifts.sort(descending=True, stable=True).indices[:k]
    return order, lifts[order]
    # END SOLUTION


def causal_matrix(
    model, sae, site: str, tokens: Int[Tensor, "case pos"], at: Int[Tensor, "case"], latent: int
) -> Float[Tensor, "case case"]:
    """[i, j]: the latent at position at[i] of text i, where the token of case j, tokens[j, at[j]], has been put.

    Nothing else of text i is changed, and neither is `tokens`. At attn.hook_z the dictionary reads the heads as one.

    >>> here = lab("pocket")
    >>> some, site = here.tokens(2, 6), here.sites[0]
    >>> M = causal_matrix(here.model, here.dictionary(site), site, some, torch.tensor([3, 5]), 7)
    >>> M.shape
    torch.Size([2, 2])
    """
    # BEGIN SOLUTION
    n = len(tokens)
    case = torch.arange(n)
    texts = tokens[:, None].repeat(1, n, 1)  # case case pos
    texts[case[:, None], case, at[:, None]] = tokens[case, at]
    x = model.run_with_cache(texts.flatten(0, 1), names_filter=site)[1][site]
    f = sae.encode(x.flatten(2)).detach()[..., latent].view(n, n, -1)
    return f[case[:, None], case, at[:, None]]
    # END SOLUTION


def kept(M: Float[Tensor, "case case"], on: Bool[Tensor, "case"], token: Int[Tensor, "case"]) -> tuple[float, float]:
    """(kept by the token, kept by the context), as shares of the mean of the on cases as they were, M[i, i].

    By the token: mean of M where an off case's text has an on case's token. By the context: the other way round. Pairs
    of cases with the same token don't count; nan if there is no pair.

    >>> M = torch.tensor([[4.0, 1.0], [3.0, 0.0]])  # an on case, and an off case
    >>> kept(M, torch.tensor([True, False]), torch.tensor([8, 9]))
    (0.75, 0.25)
    """
    # BEGIN SOLUTION
    original = M.diagonal()[on].mean()
    changed = token[:, None] != token
    by_token = M[~on[:, None] & on & changed].mean() / original
    by_context = M[on[:, None] & ~on & changed].mean() / original
    return by_token.item(), by_context.item()
    # END SOLUTION


def look_ahead(
    p: Float[Tensor, "place vocab"],
    token: Int[Tensor, "place"],
    sentence: Int[Tensor, "place"],
    cases: Int[Tensor, "case"],
    least: float = 0.8,
) -> Int[Tensor, "case"]:
    """For each case the place whose forecast p is most alike, with another token and in another kind of sentence.

    `cases` are places themselves, `sentence` is the kind of sentence at each place. Alike is the sum over the
    vocabulary of √(p q). -1 for a case where that is below `least` at every such place.

    >>> p = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> look_ahead(p, torch.tensor([5, 6, 7]), torch.tensor([0, 1, 2]), torch.tensor([0, 2]))
    tensor([ 1, -1])
    """
    # BEGIN SOLUTION
    alike = p[cases].sqrt() @ p.sqrt().T  # case place
    elsewhere = (token[cases, None] != token) & (sentence[cases, None] != sentence)
    best = torch.where(elsewhere, alike, -1.0).max(dim=1)
    return torch.where(best.values >= least, best.indices, -1)
    # END SOLUTION


def classify_latent(
    M: Float[Tensor, "case case"],
    on: Bool[Tensor, "case"],
    token: Int[Tensor, "case"],
    place: Float[Tensor, "case"],
    ahead: Float[Tensor, "case"],
    bar: float = 0.5,
) -> str:
    """The latent's kind, from what keeps it on, as a share of the on cases as they were; nan is below the bar.

    `place` and `ahead` are its activations where each case's place, or forecast, is found again; nan if it was not.
    Both shares are sums over the on cases that have a figure, of the figure and of the original M[i, i], divided. In
    this order, "token": by the token at least `bar`. "predictive": by the forecast at least `bar`, by the context less.
    "slot": by the place at least `bar`. "context": by the context at least `bar`. Else "token in context".

    >>> M, nan = torch.tensor([[4.0, 1.0], [3.0, 0.0]]), torch.tensor([torch.nan, torch.nan])
    >>> classify_latent(M, torch.tensor([True, False]), torch.tensor([8, 9]), nan, nan)
    'token'
    """

    # BEGIN SOLUTION
    def share(found):
        there = on & ~found.isnan()
        return (found[there].sum() / M.diagonal()[there].sum()).item()  # 0/0 is nan

    by_token, by_context = kept(M, on, token)
    if by_token >= bar:
        return "token"
    if share(ahead) >= bar and not by_context >= bar:
        return "predictive"
    if share(place) >= bar:
        return "slot"
    return "context" if by_context >= bar else "token in context"
    # END SOLUTION
