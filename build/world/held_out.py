"""The text that the pocket model's dictionaries are measured on, and what the models have at their sites there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from dictionaries import LENGTH, STORED, Job, jobs
from torch import Tensor
from tqdm import tqdm
from transformers import AutoTokenizer

from saelab.labs import assets, models
from saelab.labs.base import RAW
from saelab.world import World

SEED, SEQUENCES = 500_000, 1600  # a seed that neither training (1,000,000 and above) nor harvesting (700,000) uses
FREQUENT, RARE = 1e-3, 1e-4  # a factor counts if it is true of at least this share of the tokens


@dataclass
class HeldOut:
    """Text of N tokens without <bos>, and the F factors that are true of at least RARE of them, each truth once.

    tokens [sequences, LENGTH]; labels and asked [N, F] as in `saelab.world.text.Truth`, fit [N] (the first half of the
    sequences), frequency [F].
    """

    tokens: Tensor
    names: list[str]
    kinds: list[str]
    parents: list[str | None]
    labels: Tensor
    asked: Tensor
    fit: Tensor
    frequency: Tensor


@lru_cache(maxsize=1)
def held_out() -> HeldOut:
    """The text that everything is measured on."""
    text = World().sample(SEQUENCES, LENGTH, seed=SEED)
    truth = text.truth(RARE)
    labels, asked = torch.from_numpy(truth.labels), torch.from_numpy(truth.asked)
    return HeldOut(
        tokens=torch.from_numpy(text.tokens),
        names=truth.names,
        kinds=[factor.kind for factor in truth.factors],
        parents=[factor.parent for factor in truth.factors],
        labels=labels,
        asked=asked,
        fit=torch.arange(len(labels)) < len(labels) // 2,
        frequency=labels.float().mean(0),
    )


@lru_cache(maxsize=2)
def bridge(folder: str):
    """A model of the assets with hook points."""
    tokenizer = AutoTokenizer.from_pretrained(assets.path("model"))
    return models.boot(assets.path(folder), tokenizer, "cpu", "float32", RAW)


@lru_cache
@torch.no_grad()
def activations(model: str) -> dict[str, Tensor]:
    """What a model ("model" or a control's kind) has at every site that a job needs, [N, d], float16."""
    sites = {site for job in jobs() for where, site in job.places if where == model}
    found: dict[str, list[Tensor]] = {site: [] for site in sorted(sites | {STORED})}
    for part in tqdm(held_out().tokens.split(32), desc=f"activations of {model}", leave=False):
        _, cache = bridge(folder_of(model)).run_with_cache(part, names_filter=lambda name: name in found)
        for site, parts in found.items():
            parts.append(cache[site].flatten(2)[:, 1:].flatten(0, 1).half())
    return {site: torch.cat(parts) for site, parts in found.items()}


def folder_of(model: str) -> str:
    return "model" if model == "model" else f"controls/{model}/model"


def acts(job: Job) -> list[Tensor]:
    return [activations(model)[site] for model, site in job.places]


def chunks(*sites: Tensor, size: int = 8192) -> Iterator:
    """Pieces of activations in float32: tensors for one site, pairs for two."""
    for parts in zip(*(x.split(size) for x in sites)):
        yield parts[0].float() if len(parts) == 1 else tuple(part.float() for part in parts)
