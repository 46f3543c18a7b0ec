"""One fact, taken apart: "Sarah Snow plays the sport of". `python build/world/headline/fact_dla.py`

Question: which parts of the model write the sport, and where are first and last name put together: at the last name,
as factual recall in large models is told (subject enriched by early MLPs, read out late), or elsewhere?

Method: direct logit attribution at the last position with the final LayerNorm's scale frozen: embedding, position,
every head, every MLP and every bias give logit(answer) − logit(wrong) together. Then patching from a twin whose first
name (or last name) is another one, so that the sport is another one: the residual stream, or the MLPs' outputs, of some
positions. Denoising puts clean values into the twin's run, noising the twin's into the clean run; both are told as the
share of the logit difference that is right afterwards (1: as in the clean prompt, 0: as in the twin).

It shows: the terms' sum deviates by less than 0.001. Recall at the last name shows if denoising its residual stream
alone restores more than half; a lookup at the end shows if noising the MLPs there alone loses more than half.
"""

import numpy as np
import torch
from nodes import change_at, difference, show
from torch import Tensor

from saelab.prompts import Prompts
from saelab.world import words as w

PLACES = {"first name": [1], "last name": [2], "between": [3, 4, 5], "end": [6]}  # <bos> First Last plays the sport of


def terms(model, prompts: Prompts) -> tuple[list[str], Tensor, Tensor]:
    """Names of the terms, their shares in logit(answer) − logit(wrong) [n, terms], and that difference itself [n]."""
    logits, cache = model.run_with_cache(prompts.tokens)
    rows, end = torch.arange(len(logits)), prompts.last
    unembed = (model.W_U[:, prompts.answers] - model.W_U[:, prompts.wrong]).T
    read = unembed * model.ln_final.weight / cache["ln_final.hook_scale"][rows, end]
    read = read - read.mean(1, keepdim=True)  # LayerNorm subtracts the mean of what it reads
    found = {"embedding": (cache["hook_embed"][rows, end] * read).sum(1)}
    found["position"] = (cache["hook_pos_embed"].expand(len(rows), -1, -1)[rows, end] * read).sum(1)
    for layer in range(model.cfg.n_layers):
        z = cache[f"blocks.{layer}.attn.hook_z"][rows, end]
        by_head = torch.einsum("nhd,hdm,nm->hn", z, model.W_O[layer], read)
        found |= {f"head {layer}.{head}": share for head, share in enumerate(by_head)}
        found[f"attention bias {layer}"] = read @ model.b_O[layer]
        bias = model.b_out[layer]
        found[f"MLP {layer}"] = ((cache[f"blocks.{layer}.hook_mlp_out"][rows, end] - bias) * read).sum(1)
        found[f"MLP bias {layer}"] = read @ bias
    found["final LayerNorm bias"] = unembed @ model.ln_final.bias
    found["unembedding bias"] = model.b_U[prompts.answers] - model.b_U[prompts.wrong]
    end_logits = logits[rows, end]
    true = end_logits[rows, prompts.answers] - end_logits[rows, prompts.wrong]
    return list(found), torch.stack(list(found.values()), 1), true


def other_last_name(lab, n: int, seed: int) -> Prompts:
    """Prompts whose twin has the same first name, another last name and another sport."""
    others = (w.FIRST_OF[:, None] == w.FIRST_OF) & (w.SPORT_OF[:, None] != w.SPORT_OF)  # [96, 96]
    sides = lab.world.twins("fact", 0, lambda drawn: {"person": others.argmax(1)[drawn["person"]]}, n, seed)
    both = [torch.from_numpy(np.pad(d.tokens(), ((0, 0), (1, 0)))).long().to(lab.device) for d in sides]  # <bos> is 0
    stop = int(sides[0].answer) + 1
    text = [lab.world.decode(row) for row in both[0][:, :stop].tolist()]
    last = torch.full((n,), stop - 1)
    return Prompts(text, both[0][:, :stop], last, both[0][:, stop], both[1][:, stop], both[1][:, :stop])


class Patching:
    """Shares of the logit difference after activations of some positions were exchanged between prompts and twins."""

    def __init__(self, model, prompts: Prompts):
        self.model, self.prompts = model, prompts
        assert prompts.twin is not None
        self.tokens = {"denoise": prompts.twin, "noise": prompts.tokens}
        caches = [model.run_with_cache(tokens)[1] for tokens in (prompts.tokens, prompts.twin)]
        self.source = dict(zip(("denoise", "noise"), caches))
        self.clean, self.twin = (
            float(difference(model, prompts, tokens=t).mean()) for t in (prompts.tokens, prompts.twin)
        )

    def share(self, way: str, sites: list[str], positions: list[int]) -> float:
        """Way: "denoise" or "noise"."""
        hooks = [change_at(name, positions, self.source[way][name][:, positions]) for name in sites]
        got = float(difference(self.model, self.prompts, hooks, self.tokens[way]).mean())
        return (got - self.twin) / (self.clean - self.twin)


@torch.no_grad()
def measure(lab, n: int = 200, seed: int = 0) -> dict[str, float | list]:
    """All figures, over n prompts. Tables of shares: a row for each place, a column for what enters layers 0, 1, …
    and what leaves the last one ("residual"), or for the MLPs of each layer and then all of them ("mlps")."""
    model, prompts, layers = (
        lab.model,
        lab.world.prompts.facts(n, seed, template=0).to(lab.device),
        lab.model.cfg.n_layers,
    )
    names, shares, true = terms(model, prompts)
    found: dict[str, float | list] = {
        "terms": names, "mean": shares.mean(0).tolist(), "logit_difference": float(true.mean()),
        "largest_deviation": float((shares.sum(1) - true).abs().max()),
        "example_text": [prompts.text[0], lab.world.decode([prompts.answers[0]]), lab.world.decode([prompts.wrong[0]])],
        "example": shares[0].tolist(), "example_logit_difference": float(true[0]),
        "mlps_share": float(shares.mean(0)[[name.startswith("MLP ") for name in names]].sum() / true.mean()),
    }  # fmt: skip
    residual = [[f"blocks.{layer}.hook_resid_pre"] for layer in range(layers)]
    residual += [[f"blocks.{layers - 1}.hook_resid_post"]]
    mlps = [[f"blocks.{layer}.hook_mlp_out"] for layer in range(layers)]
    found["places"] = list(PLACES)
    for changed, some in (("first name", prompts), ("last name", other_last_name(lab, n, seed))):
        patching = Patching(model, some)
        for way in ("denoise", "noise"):
            for what, sites in (("residual", residual), ("mlps", [*mlps, sum(mlps, [])])):
                table = [[patching.share(way, site, at) for site in sites] for at in PLACES.values()]
                found[f"{changed.replace(' ', '_')}_{way}_{what}"] = table
    return found


if __name__ == "__main__":
    show(measure)
