"""Figures of several dictionaries together: the best site of each factor, and five seeds.

The F1 and the best latent of every factor in every SAE lie in `factors.json` of the assets.
"""

import numpy as np
import torch
from dictionaries import STORED, jobs
from evaluation_figures import summary
from factors_file import remembered
from held_out import FREQUENT, activations, chunks, held_out

from saelab import sae, scores
from saelab.labs import assets


def seeds_figures() -> dict | None:
    """Mean, least and most of every figure over the seeds at the compared site, and how many latents they share."""
    at = f"dictionaries/{STORED}/batchtopk"
    names = [n for n in (at, *(f"{at}-seed{i}" for i in range(1, 5))) if n in assets.manifest().get("quality", {})]
    if len(names) < 2:
        return None
    rows = [flat(assets.facts(name)["quality"]) for name in names]
    shared = set.intersection(*(set(row) for row in rows))
    values = {key: [row[key] for row in rows] for key in sorted(shared)}
    spread = {key: {"mean": float(np.mean(v)), "least": min(v), "most": max(v)} for key, v in values.items()}
    x = activations("model")[STORED]
    decoders = []
    for name in names:
        dictionary = sae.load(assets.path(name))
        live = scores.quality(dictionary, chunks(x[:50000])).frequency > 0
        decoders.append(torch.nn.functional.normalize(dictionary.W_dec.detach()[live], dim=1))
    partners = [
        float(((a @ b.T).amax(1) >= 0.9).float().mean()) for a in decoders for b in decoders if a is not b
    ]  # fmt: skip
    return {"seeds": len(names), "partner_of_cosine_0.9": float(np.mean(partners)), "figures": spread}


def flat(figures: dict, prefix: str = "") -> dict[str, float]:
    """Nested figures by dotted names; numbers only, and only those about the dictionary."""
    found: dict[str, float] = {}
    for key, value in figures.items():
        if isinstance(value, dict) and key != "random_dictionary":
            found |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float)):
            found[prefix + key] = value
    return found


def best_figures() -> dict | None:
    """Per factor the best of all sites (default dictionaries), and how often each site is the best."""
    names = [job.folder for job in jobs() if job.folder.endswith("/batchtopk") and job.model == "model"]
    known = remembered()["f1"]
    names = [name for name in names if name in known]
    if not names:
        return None
    f1, site = torch.tensor([known[name] for name in names]).max(0)
    often = held_out().frequency >= FREQUENT
    wins = (site[often & (f1 >= 0.8)]).bincount(minlength=len(names)).tolist()
    return summary(f1) | {"best_at": dict(zip((name.split("/")[1] for name in names), wins))}
