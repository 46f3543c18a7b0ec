"""Absorption: is the latent of a broad factor silent where the latent of a narrower one is on?

Chanin et al. 2024, "A is for Absorption", found it with the initial letters of words. Here the hierarchy is known.
"""

import torch
from dictionaries import STORED
from evaluation_figures import factor_figures
from held_out import activations, chunks, held_out
from torch import Tensor

from saelab import sae
from saelab.labs import assets
from saelab.world import World


def absorption_figures() -> dict | None:
    """Where the main latent of a broad factor is silent on one of its narrower ones, by architecture."""
    at = f"dictionaries/{STORED}"
    found = {name: absorption(f"{at}/{name}") for name in ("batchtopk", "matryoshka") if assets.names(f"{at}/{name}")}
    return found or None


def families() -> dict[int, list[int]]:
    """Factors with the narrower ones below them, by number: declared parents, and groups of words with their words."""
    truth, world = held_out(), World()
    number: dict[str | None, int] = {name: i for i, name in enumerate(truth.names)}
    below: dict[int, set[int]] = {}
    for child, broader in enumerate(truth.parents):
        if broader in number:
            below.setdefault(number[broader], set()).add(child)
    table = world.token_table[:, world.factor_numbers(truth.names)]
    words = [i for i, name in enumerate(truth.names) if name.startswith("word:")]
    groups = ("class:", "initial:", "country of:", "wealth:", "decade:", "size:")
    wide = [i for i, name in enumerate(truth.names) if name.startswith(groups)]
    for parent in wide:
        below.setdefault(parent, set()).update(w for w in words if table[table[:, w], parent].all())
        smaller = [g for g in wide if g != parent and table[:, g].sum() < table[:, parent].sum()]
        below[parent].update(g for g in smaller if table[table[:, g], parent].all())
    return {parent: sorted(children) for parent, children in below.items() if len(children) > 1}


@torch.no_grad()
def absorption(name: str) -> dict:
    """For every broad factor with a good main latent: on which narrower ones is it silent, and is theirs on instead?

    A latent is on above the threshold that serves its factor best; tokens are those of the scoring half where
    the parent may be asked for. A child is called absorbed if the parent's latent is silent on at least 80% of its
    tokens, the child's own latent (F1 ≥ 0.8) is on at 80% of these or more, and the parent's latent (precision ≥ 0.8)
    is on at half of the other tokens of the parent or more.
    """
    truth, dictionary = held_out(), sae.load(assets.path(name))
    x = activations("model")[STORED]
    _, best = factor_figures(dictionary, x)
    encoded = [dictionary.encode(part)[:, best.latent.clamp(min=0)] > best.threshold for part in chunks(x[~truth.fit])]
    on = torch.cat(encoded) & (best.latent >= 0)
    labels, asked = truth.labels[~truth.fit], truth.asked[~truth.fit]
    direction = torch.nn.functional.normalize(dictionary.W_dec, dim=1)[best.latent]
    rows = []
    for parent, children in families().items():
        if not best.precision[parent] >= 0.8 or best.recall[parent] < 0.3:
            continue
        here = asked[:, parent]
        cases = [case for child in children if (case := _case(parent, child, labels, here, on, best, direction))]
        rows.append(_family(parent, cases, best))
    rows.sort(key=lambda row: (-len(row["absorbed"]), row["recall"]))
    frequent, rare = ([case for row in rows for case in row.pop(part)] for part in ("frequent", "rare"))
    return {
        "parents": len(rows),
        "children": {"frequent": len(frequent), "rare": len(rare)},
        "absorbed": {"frequent": sum(c["absorbed"] for c in frequent), "rare": sum(c["absorbed"] for c in rare)},
        "silent": {"frequent": _mean(frequent, "silent"), "rare": _mean(rare, "silent")},
        "families": rows,
    }


def _case(parent: int, child: int, labels: Tensor, asked: Tensor, on: Tensor, best, direction: Tensor) -> dict | None:
    """One parent with one child; None where the child has fewer than 20 tokens here, or the parent has no others."""
    truth = held_out()
    here = labels[:, child] & asked
    others = labels[:, parent] & asked & ~labels[:, child]
    if here.sum() < 20 or not others.any():
        return None
    silent = here & ~on[:, parent]
    own = bool(best.f1[child] >= 0.8 and best.latent[child] != best.latent[parent])
    silent_share = float(silent.sum() / here.sum())
    instead = float(on[silent, child].float().mean()) if own and silent.any() else 0.0
    on_others = float(on[others, parent].float().mean())
    return {
        "child": truth.names[child],
        "tokens": int(here.sum()),
        "silent": silent_share,
        "instead": instead,
        "on_others": on_others,
        "child_f1": float(best.f1[child]),
        "latent": int(best.latent[child]),
        "cosine": float(direction[child] @ direction[parent]),
        "absorbed": silent_share >= 0.8 and instead >= 0.8 and on_others >= 0.5,
    }


def _family(parent: int, cases: list[dict], best) -> dict:
    """A parent with its children, the more frequent half of them apart from the rarer."""
    cases.sort(key=lambda case: -case["tokens"])
    middle = len(cases) // 2
    return {
        "parent": held_out().names[parent],
        "f1": float(best.f1[parent]),
        "precision": float(best.precision[parent]),
        "recall": float(best.recall[parent]),
        "latent": int(best.latent[parent]),
        "children": len(cases),
        "frequent": cases[:middle],
        "rare": cases[middle:],
        "absorbed": [case for case in cases if case["absorbed"]],
        "most_silent": sorted(cases, key=lambda case: -case["silent"])[:3],
    }


def _mean(cases: list[dict], key: str) -> float:
    return sum(case[key] for case in cases) / len(cases) if cases else float("nan")
