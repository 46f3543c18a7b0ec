"""Which factors of the pocket world a latent matches, where the lab knows them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from saelab import scores

from ._statistics import latent_activations

SEQUENCES, LENGTH, SEED = 256, 64, 424_242  # the text that latents are described on; its first half chooses


@dataclass(frozen=True)
class Matches:
    """What latents match: the best description of each, by its number; nothing for those that fire too seldom."""

    best: dict[int, tuple[str, float, float, float]]  # said, precision, recall, F1
    factors: dict[int, list[list[object]]]  # said, precision, recall, F1, chance, for single factors, best first
    tokens: int


@torch.no_grad()
def matches(lab, site: str, dictionary, latents: list[int] | None = None, factors: int = 0) -> Matches | None:
    """Descriptions of latents (all by default) by `scores.describe`; `factors`: so many single ones for each as well.

    None where the truth isn't known: in a public lab, or where the text was shuffled.
    """
    if lab.name != "pocket" or lab.control_kind == "shuffled_tokens":
        return None
    text = lab.world.sample(SEQUENCES, LENGTH, SEED)
    truth = text.truth()
    labels, asked = torch.from_numpy(truth.labels), torch.from_numpy(truth.asked)
    rows = torch.from_numpy(text.tokens).split(32)
    f = torch.cat([latent_activations(lab, site, part, dictionary, latents)[:, 1:].flatten(0, 1) for part in rows])
    found = scores.describe(f, labels, asked)
    number = latents if latents is not None else list(range(f.shape[1]))
    best: dict[int, tuple[str, float, float, float]] = {}
    for row, latent in enumerate(found.latent.tolist()):
        precision, recall, f1 = (float(x[row]) for x in (found.precision, found.recall, found.pair_f1))
        best[number[latent]] = (found.said(row, truth.names), precision, recall, f1)
    single = (
        {number[i]: _single(f[:, [i]], labels, asked, truth.names, factors) for i in range(f.shape[1])}
        if factors
        else {}
    )
    return Matches(best, single, len(f))


def _single(column: Tensor, labels: Tensor, asked: Tensor, names: list[str], n: int) -> list[list[object]]:
    found = scores.factor_f1(column, labels, candidates=1, mask=asked)
    order = found.f1.nan_to_num(-1).argsort(descending=True)[:n].tolist()
    figures = (found.precision, found.recall, found.f1, found.chance)
    return [[names[i], *(float(x[i]) for x in figures)] for i in order if found.f1[i] > 0]
