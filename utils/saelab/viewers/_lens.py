"""What a latent does to the next token, and which heads and earlier tokens an attention latent reads."""

import re

import torch
from torch import Tensor


@torch.no_grad()
def vocabulary(lab) -> list[str]:
    """The text of every token of a lab's tokenizer, with its leading space."""
    tokenizer = lab.tokenizer
    return [tokenizer.decode([i]) for i in range(max(len(tokenizer), lab.model.W_U.shape[1]))]


@torch.no_grad()
def logit_lens(lab, site: str, directions: Tensor) -> Tensor:
    """What directions [m, d_in] at a hook point add to the logits: [m, d_vocab], each row with mean 0.

    The direct path only: through the final LayerNorm (its weights folded into W_U, a LayerNorm's mean taken away; its
    scale, one positive number per token, left at 1) and W_U. At attn.hook_z each head's part goes through its W_O
    first. nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    model = lab.model
    directions = directions.float()
    if site.endswith("hook_z"):
        W_O = model.W_O[_layer(site)].float()  # [heads, d_head, d_model]
        directions = torch.einsum("mhd,hdk->mk", directions.unflatten(-1, W_O.shape[:2]), W_O)
    gain, is_centred = _final_norm(model, directions.shape[-1])
    if is_centred:
        directions = directions - directions.mean(-1, keepdim=True)
    logits = (directions * gain) @ model.W_U.float()
    return (logits - logits.mean(-1, keepdim=True)).cpu()


def _final_norm(model, d_model: int) -> tuple[Tensor, bool]:
    """The final norm's weights, and whether it takes the mean away: LayerNorm does, RMSNorm does not.

    Found by trying: +1, −1, +1 … has mean 0 and size 1, so only weights and bias act on it.
    """
    W_U = model.W_U
    sign = torch.ones(1, 1, d_model, dtype=W_U.dtype, device=W_U.device)
    sign[..., 1::2] = -1
    up, down, moved = (model.ln_final(x).float() for x in (sign, -sign, sign + 1))
    return (sign.float() * (up - down) / 2)[0, 0], bool(torch.allclose(moved, up, atol=1e-3))


@torch.no_grad()
def heads_and_sources(lab, site: str, tokens: Tensor, at: Tensor, dictionary, latent: int) -> tuple[Tensor, Tensor]:
    """Where an attention latent's pre-activation comes from, for tokens [n, length] at one position `at` [n] of each.

    by_head [n, heads] and by_source [n, length]: z of a head is Σ over source tokens of pattern · v, so W_enc of this
    latent takes a share from each head and each source; they sum up to z · W_enc (biases left out). Kissane et al.
    2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders", there called direct feature attribution.
    """
    place = site.removesuffix("hook_z")
    names = [place + "hook_pattern", place + "hook_v"]
    _, cache = lab.model.run_with_cache(tokens.to(lab.device), names_filter=lambda name: name in names)
    pattern, v = (cache[name].float() for name in names)  # [n, heads, query, source], [n, source, heads, d_head]
    v = v.repeat_interleave(pattern.shape[1] // v.shape[2], dim=2)  # heads that share their values
    reads = dictionary.W_enc[:, latent].float().unflatten(0, v.shape[2:])  # [heads, d_head]
    pattern = pattern[torch.arange(len(at)), :, at]
    shares = torch.einsum("nhs,nshd,hd->nhs", pattern, v, reads).cpu()
    return shares.sum(2), shares.sum(1)


def _layer(site: str) -> int:
    found = re.match(r"blocks\.(\d+)\.", site)
    if not found:
        raise ValueError(f"{site!r} names no layer: a hook point looks like blocks.2.hook_resid_post.")
    return int(found[1])
