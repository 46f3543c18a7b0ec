"""Absorption: a broad factor's latent is silent, a narrower one stands in. `python build/world/headline/absorption.py`

Question: "thing" is true of "bread", but the dictionary has a latent for bread. Is the latent for things on there?
Chanin et al. 2024, "A is for Absorption", found with initial letters that it often is not. Matryoshka dictionaries
(Bussmann et al. 2025) are meant to cure that.

Method: pairs parent ⊃ child of factors (theme ⊃ topic, class ⊃ word, continent ⊃ its rich countries, …). A linear probe
for the parent says where the parent's latents should be on; only parents whose probe reaches F1 0.9 on other text are
asked, and only tokens where the parent has something to settle (`Text.at_work`). The parent's main latents: the one
with the best F1, and others as long as each adds 0.03 to the F1 of "any of them is on" (splitting, as in that paper),
none of them the latent (F1 ≥ 0.8) of a child that is less than a quarter of the parent. On means above zero. The
child's latent: the one with the best F1 for the child, at least 0.8, and none of the parent's. A token of the child is
absorbed if the probe says parent, none of the parent's main latents is on, the child's latent is, and it writes along
the probe.

It shows if for some pairs more than half of the tokens are absorbed, although the parent's main latents are right
(precision ≥ 0.8) and on at more than half of the parent's other tokens, and the mean over pairs is well above the null:
tokens of the parent at random in the child's place.

Came out: before the first MLP it shows, and Matryoshka has a third of it. BatchTopK: 8 clear cases among 46 pairs whose
child has a latent of its own, mean 0.19, null 0.02. Matryoshka: 4 of 72, mean 0.06, null 0.01. After layer 1 it can
hardly be asked: 5 pairs with one clear case, and 3 pairs with none, because few words have a latent of their own there
(latents_match_factors.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from latents import best_cut, encoded, f1_of, flat, frequent, held_out, hierarchy, main_latents
from torch import Tensor

from saelab.scores import probe_directions

CASES = (
    ("blocks.0.hook_resid_mid", "batchtopk"),
    ("blocks.0.hook_resid_mid", "matryoshka"),
    ("blocks.1.hook_resid_post", "batchtopk"),
    ("blocks.1.hook_resid_post", "matryoshka"),
)
NUMBERS = ("tokens", "absorbed", "null", "silent", "on_others", "child_f1", "main_latents")


@dataclass
class Parent:
    """A parent in the scoring half: where the probe and the label say it [N], and where its latents are on [N]."""

    probed: Tensor
    on: Tensor
    direction: Tensor
    latents: list[int]


def parent_of(
    parent: int, x: Tensor, on: Tensor, labels: Tensor, asked: Tensor, fit: Tensor, barred: Sequence[int]
) -> Parent | None:
    """None if the probe is not good enough to be the reference, or the main latents are not the parent's."""
    label, rows, other = labels[:, parent], fit & asked, ~fit & asked
    if label[rows].sum() < 50 or label[other].sum() < 50 or label[rows].all():
        return None
    direction = probe_directions(x[rows], label[rows][:, None])[0]
    score = x @ direction
    probed = (score >= best_cut(score[rows], label[rows])) & other
    mains = main_latents(on[rows], label[rows], barred)
    covered = (on[:, mains] > 0).any(1) & other
    good = f1_of((probed & label).sum(), probed.sum(), label[other].sum()) >= 0.9
    precise = (covered & label).sum() >= 0.8 * covered.sum() and covered.any()
    return Parent(probed & label, covered, direction, mains) if good and precise else None


@torch.no_grad()
def pairs_of(lab, site: str, architecture: str, n: int, seed: int) -> list[dict]:
    """Every pair that can be asked, with its rate of absorption and the null's; the strongest first."""
    text, dictionary = held_out(lab, n, seed), lab.dictionary(site, architecture)
    (names, labels, asked), x = frequent(text, 5e-4), flat(lab, site, text)
    on = torch.cat([(f > 0).float() for f in encoded(dictionary, x)])
    fit = torch.arange(len(x)) < len(x) // 2
    own_f1 = f1_of(labels[fit].float().T @ on[fit], on[fit].sum(0), labels[fit].sum(0)[:, None])
    (f1, own), found, known = own_f1.max(1), [], {}
    generator = torch.Generator().manual_seed(seed)
    pairs, many = hierarchy(lab.world, names), labels[fit].sum(0)
    for parent, child in pairs:
        if parent not in known:
            small = [c for p, c in pairs if p == parent and f1[c] >= 0.8 and 4 * many[c] < many[p]]
            known[parent] = parent_of(parent, x, on, labels, asked[:, parent], fit, own[small].tolist())
        here = known[parent]
        if here is None:
            continue
        of_child, rest = here.probed & labels[:, child], here.probed & ~labels[:, child]
        own_on = (on[:, own[child]] > 0) & (f1[child] >= 0.8) & (int(own[child]) not in here.latents)
        absorbed = ~here.on & own_on & (dictionary.W_dec[own[child]] @ here.direction > 0)
        if of_child.sum() < 20 or rest.sum() < 20:
            continue
        places = here.probed.nonzero()[:, 0]
        shuffled = places[torch.randperm(len(places), generator=generator)[: int(of_child.sum())]]
        found.append({
            "parent": names[parent], "child": names[child], "tokens": int(of_child.sum()),
            "absorbed": float(absorbed[of_child].float().mean()), "null": float(absorbed[shuffled].float().mean()),
            "silent": float((~here.on)[of_child].float().mean()), "on_others": float(here.on[rest].float().mean()),
            "child_f1": float(f1[child]), "main_latents": len(here.latents),
        })  # fmt: skip
    return sorted(found, key=lambda pair: (-(pair["on_others"] >= 0.5), -pair["absorbed"], -pair["tokens"]))


def there_is(lab, site: str, architecture: str) -> bool:
    try:
        lab.dictionary(site, architecture)
    except ValueError:
        return False
    return True


def measure(lab, n: int = 250, seed: int = 0, cases: tuple[tuple[str, str], ...] = CASES) -> dict:
    """Lists by case (site, architecture) that the lab has, then by case the five clearest pairs.

    Pairs asked, how many of them have a latent for the child (F1 ≥ 0.8), the mean rates over these, and clear cases.
    """
    cases = tuple(case for case in cases if there_is(lab, *case))
    found: dict[str, list] = {"cases": [" ".join(case) for case in cases]}
    clearest = {}
    for site, architecture in cases:
        pairs = pairs_of(lab, site, architecture, n, seed)
        asked = [pair for pair in pairs if pair["child_f1"] >= 0.8]
        clear = [pair for pair in asked if pair["absorbed"] >= 0.5 and pair["on_others"] >= 0.5]
        row = {
            "pairs": len(pairs),
            "parents": len({pair["parent"] for pair in pairs}),
            "with_a_child_latent": len(asked),
        }
        row |= {key: sum(p[key] for p in asked) / max(len(asked), 1) for key in ("absorbed", "null", "silent")}
        for key, value in (row | {"clear": len(clear)}).items():
            found.setdefault(key, []).append(value)
        clearest[f"clearest_{architecture}_{site}"] = [list(pair.values()) for pair in pairs[:5]]
    return found | {"of_a_pair": ["parent", "child", *NUMBERS]} | clearest


if __name__ == "__main__":
    from nodes import show

    show(measure)
