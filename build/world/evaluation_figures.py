"""The figures of one asset: a dictionary against the truth, a crosscoder by site, a model's gates."""

from dataclasses import asdict

import factors_file
import gates
import torch
from dictionaries import D_SAE, STORED, Job
from held_out import FREQUENT, RARE, activations, acts, bridge, chunks, folder_of, held_out
from torch import Tensor
from transformers import GPT2LMHeadModel

from saelab import sae, scores
from saelab.labs import assets
from saelab.world import World

LOSS_SEQUENCES = 96


def measure(job: Job) -> dict:
    """All figures of one dictionary."""
    dictionary = sae.load(assets.path(job.folder))
    if isinstance(dictionary, sae.Crosscoder):
        return crosscoder_figures(job, dictionary)
    x = acts(job)
    found = scores.quality(dictionary, chunks(*x))
    figures = {key: value for key, value in asdict(found).items() if key != "frequency"}
    (model, source), (_, target) = job.places[0], job.places[-1]
    loss = scores.ce_recovered(
        bridge(folder_of(model)), target, dictionary, held_out().tokens[-LOSS_SEQUENCES:], input_site=source
    )
    recovered = {"against_zero": loss.against_zero, "against_mean": loss.against_mean}
    figures["cross_entropy"] = asdict(loss) | recovered
    if isinstance(dictionary, sae.Transcoder):
        return figures
    figures["factors"], best = factor_figures(dictionary, x[0])
    factors_file.remember(job.folder, best)
    if job.folder.endswith("/batchtopk"):
        null = scores.random_dictionary(x[0][:20000].float(), max(1, round(found.l0)), D_SAE)
        null_quality = scores.quality(null, chunks(x[0][:50000]))
        figures["random_dictionary"] = {
            "fvu": null_quality.fvu, "l0": null_quality.l0, "factors": factor_figures(null, x[0])[0],
        }  # fmt: skip
    return figures


def factor_figures(dictionary, x: Tensor) -> tuple[dict, scores.FactorF1]:
    """How many factors have a latent, asked where it is fair to ask."""
    truth = held_out()
    encoded = (dictionary.encode(part) for part in chunks(x))
    best = scores.factor_f1(encoded, truth.labels, fit=truth.fit, mask=truth.asked)
    figures = summary(best.f1)
    often = (truth.frequency >= FREQUENT).nonzero()[:, 0].tolist()
    worst = sorted(often, key=lambda i: float(best.f1[i]))[:20]
    figures["worst"] = [
        {"factor": truth.names[i], "f1": float(best.f1[i]), "latent": int(best.latent[i])} for i in worst
    ]
    return figures, best


def idle_figures() -> dict:
    """The default dictionary's factors that are idle somewhere, asked where they are at work and asked everywhere."""
    truth, dictionary = held_out(), sae.load(assets.path(f"dictionaries/{STORED}/batchtopk"))
    idle = (~truth.asked).any(0)
    encoded = [dictionary.encode(part) for part in chunks(activations("model")[STORED])]
    masks = {"asked_where_at_work": truth.asked[:, idle], "asked_everywhere": None}
    found = {k: scores.factor_f1(encoded, truth.labels[:, idle], fit=truth.fit, mask=m) for k, m in masks.items()}
    return {name: share(each.f1) for name, each in found.items()}


def summary(f1: Tensor) -> dict:
    """Shares of factors found: frequent ones and all, by kind, and by tenths of their frequency.

    "beyond" are the factors that do not follow from the token: a random-weight model's dictionary finds the others too.
    """
    truth = held_out()
    kinds = {kind: torch.tensor([k == kind for k in truth.kinds]) for kind in dict.fromkeys(truth.kinds)}
    groups = {"all": torch.ones_like(kinds["token"]), "token": kinds["token"], "beyond": ~kinds["token"]}
    figures: dict = {}
    for name, often in (("frequent", truth.frequency >= FREQUENT), ("all", truth.frequency >= RARE)):
        by_kind = {kind: share(f1[those & often]) for kind, those in kinds.items()}
        figures[name] = share(f1[often]) | {"beyond": share(f1[often & groups["beyond"]]), "by_kind": by_kind}
    figures["deciles"] = {name: _tenths(f1[those], truth.frequency[those]) for name, those in groups.items()}
    return figures


def _tenths(f1: Tensor, frequency: Tensor) -> list[dict]:
    """`share` for each tenth of the factors, the rarest first, with the frequencies between which it lies."""
    tenths = frequency.argsort().tensor_split(10)
    ends = ({"from": float(frequency[t].min()), "to": float(frequency[t].max())} for t in tenths)
    return [share(f1[those]) | end for those, end in zip(tenths, ends)]


def share(f1: Tensor) -> dict:
    """Of so many factors, the share with a latent of F1 ≥ 0.8 and ≥ 0.9, and the mean F1."""
    above = {f"f1_{bound}": float((f1 >= bound).float().mean()) for bound in (0.8, 0.9)}
    return {"n": len(f1), **above, "mean_f1": float(f1.mean())}


def crosscoder_figures(job: Job, dictionary: sae.Crosscoder) -> dict:
    """Figures by site; activations are brought to the scales it was trained at."""
    scales = torch.tensor(dictionary.metadata.get("scales", [1.0] * len(job.sites)))
    error = total = fired = torch.zeros(())
    joined = [torch.stack(parts, dim=1) * scales[:, None] for parts in chunks(*acts(job))]
    mean = sum(x.sum(0) for x in joined) / sum(len(x) for x in joined)
    with torch.no_grad():
        for x in joined:
            latents = dictionary.encode(x)
            error = error + (x - dictionary.decode(latents)).square().sum((0, 2))
            total = total + (x - mean).square().sum((0, 2))
            fired = fired + (latents > 0).sum(0)
    fvu, frequency = error / total, fired / sum(len(x) for x in joined)
    first = dictionary.norms.detach()[frequency > 0, 0]
    return {
        "sites": list(job.sites),
        "fvu": dict(zip(job.sites, fvu.tolist())),
        "l0": float(frequency.sum()),
        "dead": float((frequency == 0).float().mean()),
        "share_of_norm_at_first": {
            "below 0.3": float((first < 0.3).float().mean()),
            "0.3 to 0.7": float(((first >= 0.3) & (first <= 0.7)).float().mean()),
            "above 0.7": float((first > 0.7).float().mean()),
        },
        "histogram": (torch.histc(first, 20, 0, 1) / len(first)).tolist(),
    }


def gate_figures(folder: str) -> dict:
    """The gates (gates.py), and superposition at the dictionaries' site beside its nulls."""
    model, world = GPT2LMHeadModel.from_pretrained(assets.path(folder), dtype=torch.float32).eval(), World()
    figures: dict = {
        **gates.behaviour(model, world),
        **gates.loss_over_entropy(model, world),
        **gates.context_factors(model, world),
    }
    figures["failures"] = gates.failures(figures)
    truth, kind = held_out(), folder.split("/")[1] if "/" in folder else "model"
    often, half = truth.frequency >= FREQUENT, slice(len(truth.labels) // 2)
    null = "controls/random_weights/model"
    random_acts = activations("random_weights")[STORED][half].float() if assets.names(null) else None
    figures["superposition"] = scores.superposition(
        activations(kind)[STORED][half].float(),
        truth.labels[half][:, often],
        random_acts=random_acts,
        mask=truth.asked[half][:, often],
    )
    return figures
