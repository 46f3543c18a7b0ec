"""Neuronpedia: links to its pages, and a dictionary's features in the shape that its uploader takes.

The shape is that of SAEDashboard (github.com/jbloomAus/SAEDashboard, `NeuronpediaDashboardBatch.to_dict` in
sae_dashboard/neuronpedia/neuronpedia_dashboard.py, commit 03a615f): batch-0.json, batch-1.json …, and beside them
skipped_indexes.json. Its own `neuronpedia.py upload` sends those; Neuronpedia's script
convert-saedashboard-to-neuronpedia-export.py reads them too, and wants "sae_id_suffix" as well.
"""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saelab import files

from ._dashboard import Dictionary
from ._lens import _layer, logit_lens
from ._page import Page, escape
from ._statistics import EDGES, LatentStatistics, latent_statistics

DOMAIN = "https://www.neuronpedia.org"
BATCH = 128  # features in a file
# tables of SAEDashboard about single neurons and decoder heads that are not made here; its uploader takes empty ones
_EMPTY = (
    "neuron_alignment_indices",
    "neuron_alignment_values",
    "neuron_alignment_l1",
    "correlated_neurons_indices",
    "correlated_neurons_l1",
    "correlated_neurons_pearson",
    "correlated_features_indices",
    "correlated_features_l1",
    "correlated_features_pearson",
    "decoder_weights_dist",
)


def neuronpedia_link(source: Any, latent: int, embed: bool = False) -> str:
    """The address of a latent on Neuronpedia: neuronpedia_link("gpt2-small/8-res-jb", 650).

    `source` is its id there, MODEL/SOURCE, or a dictionary that SAELens knows it of. `embed`: the form for a frame
    within a page. Raises ValueError for a dictionary that Neuronpedia doesn't have, the pocket model's among them.
    """
    name = source if isinstance(source, str) else getattr(source, "metadata", {}).get("neuronpedia_id")
    if not name or len(str(name).strip("/").split("/")) != 2:
        raise ValueError(
            "Neuronpedia's pages are named MODEL/SOURCE, as in gpt2-small/8-res-jb, and none is known of it. "
            "The pocket model isn't there: `saelab.dashboard` shows its latents."
        )
    return f"{DOMAIN}/{urllib.parse.quote(str(name).strip('/'))}/{int(latent)}" + ("?embed=true" if embed else "")


def neuronpedia_page(source: Any, latent: int, height: int = 540) -> Page:
    """Neuronpedia's page of a latent in a frame, which your browser fetches; offline the link alone is left."""
    link = escape(neuronpedia_link(source, latent))
    frame = escape(neuronpedia_link(source, latent, embed=True))
    body = (
        f'<p>From the network: <a href="{link}" rel="noopener noreferrer">{link}</a></p>'
        f'<iframe src="{frame}" loading="lazy" '
        f'sandbox="allow-scripts allow-same-origin" title="Latent {int(latent)} on Neuronpedia" '
        f'style="width:100%;height:{int(height)}px;border:0"></iframe>'
    )
    return Page(f"Latent {int(latent)} on Neuronpedia", body)


def export_neuronpedia(
    lab,
    folder: str | Path,
    site: str,
    sae_set: str,
    architecture: str | None = None,
    seed: int = 0,
    tokens: Tensor | None = None,
    latents: list[int] | None = None,
    model_id: str | None = None,
) -> list[Path]:
    """Write a dictionary's features for Neuronpedia's uploader: batch-N.json of 128 each; returns the files.

    `sae_set` is the set's name there, as in res-jb; `model_id` the model's, the lab's name by default. Latents that
    never fire on the text go into skipped_indexes.json. Every number is finite.
    """
    one = Dictionary(lab, site, architecture, seed, tokens)
    statistics = latent_statistics(lab, site, one.tokens, one.sae, latents)
    live = statistics.latents[statistics.density > 0].tolist()
    about = {"model_id": model_id or lab.name, "layer": _layer(site), "sae_set": sae_set, "sae_id_suffix": ""}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for n, start in enumerate(range(0, len(live), BATCH)):
        those = live[start : start + BATCH]
        logits = logit_lens(lab, site, one.sae.W_dec[those])
        batch = {**about, "features": [feature(one, statistics, i, row) for i, row in zip(those, logits)]}
        written.append(_write(folder / f"batch-{n}.json", batch))
    skipped = sorted(set(statistics.latents.tolist()) - set(live))
    told = {key: about[key] for key in ("model_id", "layer", "sae_set")}
    return [*written, _write(folder / "skipped_indexes.json", {**told, "skipped_indexes": skipped})]


def feature(one: Dictionary, statistics: LatentStatistics, latent: int, logits: Tensor) -> dict[str, Any]:
    """One latent as SAEDashboard writes a feature."""
    row, n = statistics.row(latent), min(10, len(logits) // 2)
    up, down = logits.topk(n), (-logits).topk(n)
    counts = statistics.histogram[row]
    bins = counts.nonzero()[:, 0]
    heights, edges = torch.histogram(logits, 40)
    activations = [
        _activation(one, window, -1, float(statistics.maximum[row]), -1) for window in statistics.top.of(row)
    ]
    groups = statistics.intervals(latent)
    for low, high, windows in groups:
        activations += [_activation(one, window, low, high, 1 / len(groups)) for window in windows]
    return {
        "feature_index": latent,
        **{name: [] for name in _EMPTY},
        "neg_str": [one.words[i] for i in down.indices.tolist()],
        "neg_values": _rounded(-down.values),
        "pos_str": [one.words[i] for i in up.indices.tolist()],
        "pos_values": _rounded(up.values),
        "frac_nonzero": float(statistics.density[row]),
        "freq_hist_data_bar_values": _rounded((EDGES[bins] * EDGES[bins + 1]).sqrt()),
        "freq_hist_data_bar_heights": counts[bins].tolist(),
        "logits_hist_data_bar_heights": heights.tolist(),
        "logits_hist_data_bar_values": _rounded((edges[1:] + edges[:-1]) / 2),
        "n_prompts_total": len(one.tokens),
        "n_tokens_in_prompt": one.tokens.shape[1],
        "dataset": one.lab.name,
        "activations": activations,
    }


def _activation(
    one: Dictionary, window: tuple[list[int], list[float]], low: float, high: float, share: float
) -> dict[str, Any]:
    tokens, values = window
    return {
        "bin_min": low,
        "bin_max": high,
        "bin_contains": share,
        "tokens": [one.words[t] for t in tokens],
        "values": [round(value, 3) for value in values],
    }


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 3) for value in values.tolist()]


def _write(path: Path, content: dict[str, Any]) -> Path:
    files.write_atomically(path, json.dumps(content, ensure_ascii=False, allow_nan=False))
    return path
