"""Is there a latent for each factor of the text? `python build/world/headline/latents_match_factors.py`

Question: for what share of the factors that are true of at least one token in 1,000 does a dictionary have a latent
that says the factor (F1 ≥ 0.8)?

Method: `saelab.scores.factor_f1`: latent and threshold chosen on half of the text, F1 told from the other half. Tokens
where a factor is true but settles nothing (`Text.at_work`) are not asked: nothing makes the model carry it there.
Null: a dictionary of random directions with as many latents a token. Beside it a linear probe for each factor, which
may use all dimensions: what it cannot say, no latent can.

It shows if the share is above one half at some site and at least three times the null's. (All dictionaries and all
kinds of factors are measured by build/world/evaluation.py; here are three sites.)

Came out: it does not show for all factors together. 39%, 22% and 16% of them have such a latent (random directions:
1% or less); the probe says 66%, 35% and 34%, so after layer 1 the model itself no longer keeps most factors (words,
mostly) linearly apart, and the dictionary has half of what is there or more. Half or more: of the token factors
before the first MLP; of the topics after layer 2 (50%, probe 62%); of what comes next, after layers 1 and 2 (55% and
64%). Before layer 0 every frequent word has a latent (docs/pocket_model.md).
"""

import torch
from latents import best_cut, encoded, f1_of, flat, frequent, held_out
from torch import Tensor

from saelab.scores import factor_f1, probe_directions, random_dictionary

SITES = ("blocks.0.hook_resid_mid", "blocks.1.hook_resid_post", "blocks.2.hook_resid_post")
KINDS = ("token", "context", "token in context", "predictive")


def scores(dictionary, x: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """Best F1 of every factor, [F], over the tokens `asked`."""
    return factor_f1(encoded(dictionary, x), labels, mask=asked).f1.nan_to_num(0.0)


def probed(x: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """F1 of a linear probe for each factor, [F], fitted and told as a latent's: what the activations have."""
    half, labels = len(x) // 2, labels & asked
    score = x @ probe_directions(x[:half], labels[:half], asked[:half]).T.nan_to_num(0.0)
    columns = zip(score[:half].T, labels[:half].T, asked[:half].T)
    cuts = torch.tensor([best_cut(one[mask], true[mask]) for one, true, mask in columns])
    said, actual = (score[half:] >= cuts) & asked[half:], labels[half:]
    return f1_of((said & actual).sum(0), said.sum(0), actual.sum(0))


@torch.no_grad()
def measure(lab, n: int = 300, seed: int = 0, sites: tuple[str, ...] = SITES, bound: float = 0.8) -> dict:
    """Shares by site, in the order of `sites`; `…_random`: the null, `…_probe`: linear probes."""
    text = held_out(lab, n, seed)
    names, labels, asked = frequent(text, 1e-3)
    kinds = {factor.name: factor.kind for factor in lab.world.factors}
    found: dict[str, list] = {
        "sites": list(sites),
        "factors": [len(names)],
        "share": [],
        "share_random": [],
        "share_probe": [],
    }
    for site in sites:
        dictionary, x = lab.dictionary(site), flat(lab, site, text)
        null = random_dictionary(x, k=12, d_sae=dictionary.d_sae, seed=seed)
        by = {"": scores(dictionary, x, labels, asked), "_random": scores(null, x, labels, asked)}
        for end, f1 in (by | {"_probe": probed(x, labels, asked)}).items():
            good = f1 >= bound
            found[f"share{end}"].append(float(good.float().mean()))
            for kind in KINDS:
                of_kind = torch.tensor([kinds[name] == kind for name in names])
                share = float(good[of_kind].float().mean())
                found.setdefault(f"share_of_{kind.replace(' ', '_')}{end}", []).append(share)
    return found


if __name__ == "__main__":
    from nodes import show

    show(measure)
