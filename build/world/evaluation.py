"""Measure the pocket model and its dictionaries against the truth, into the manifest; then write the page.

    python build/world/evaluation.py                # what has not been measured yet, about 15 minutes for everything
    python build/world/evaluation.py --only topk    # assets whose name has "topk"; --again: even if it is measured
    python build/world/evaluation.py --page         # only docs/pocket_model.md and its plots, from the manifest alone

It measures what install_assets.py has put into the assets. A run that was stopped goes on where it was: an asset
is measured again only if its files, or its model's, changed. Ends with an error where the model misses a gate.
"""

import argparse
import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from saelab.labs import assets

METHOD = 2  # raise it when a figure's definition changes, and everything is measured again
MODELS = ("model", "controls/second_seed/model")  # whose gates are measured


def plain(figures: Any) -> Any:
    """As json has it: four significant digits, None for nan and infinity, dataclasses as dictionaries."""
    if is_dataclass(figures) and not isinstance(figures, type):
        figures = asdict(figures)
    if isinstance(figures, dict):
        return {key: plain(value) for key, value in figures.items()}
    if isinstance(figures, list):
        return [plain(value) for value in figures]
    if isinstance(figures, float):
        return float(f"{figures:.4g}") if math.isfinite(figures) else None
    return figures


def state(*names: str) -> str:
    """What the figures of assets depend on, as one hash: the files of these folders, and the method."""
    files = assets.manifest()["files"]
    listed = [f"{file} {files[file]['sha256']}" for name in names for file in assets.names(name)]
    return hashlib.sha256("\n".join([str(METHOD), *listed]).encode()).hexdigest()[:16]


def keep(section: str, name: str, depends_on: list[str], figures: Callable[[], Any], again: bool) -> None:
    """Measure and record, unless that was done with the same files. `figures` may give None: there is nothing."""
    now = state(*depends_on)
    if not again and assets.manifest().get(section, {}).get(name, {}).get("state") == now:
        return
    found = figures()
    if found is not None:
        assets.record(name, **{section: plain(found) | {"state": now}})


def measure_all(only: str, again: bool) -> None:
    """Record figures of everything that the manifest lists and has `only` in its name, one asset at a time."""
    import torch
    from dictionaries import STORED, jobs
    from evaluation_absorption import absorption_figures
    from evaluation_between import best_figures, seeds_figures
    from evaluation_figures import gate_figures, idle_figures, measure
    from held_out import folder_of
    from tqdm import tqdm

    torch.set_num_threads(1)
    there = [job for job in jobs() if assets.names(job.folder)]
    null = "controls/random_weights/model"
    for name in tqdm([name for name in MODELS if assets.names(name) and only in name], desc="models"):
        keep("gates", name, [name, null], partial(gate_figures, name), again)
    bar = tqdm(sorted((job for job in there if only in job.folder), key=lambda job: job.model != "model"))
    for job in bar:
        bar.set_description(job.folder)
        models_read = {folder_of(model) for model, _ in job.places}
        keep("quality", job.folder, [job.folder, *sorted(models_read)], partial(measure, job), again)
    measured = [name for name in assets.manifest().get("quality", {}) if name.startswith("dictionaries/")]
    at = f"dictionaries/{STORED}"
    if measured:
        keep("best", "dictionaries", ["model", *measured], best_figures, again)
    if here := [name for name in measured if name.startswith(at)]:
        keep("idle", at, ["model", f"{at}/batchtopk"], idle_figures, again)
        keep("seeds", at, ["model", *here], seeds_figures, again)
        keep("absorption", at, ["model", *here], absorption_figures, again)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only assets whose name has this in it")
    parser.add_argument("--again", action="store_true", help="measure even what is measured")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--assets", type=Path, default=assets.ROOT, help="another folder laid out like the assets")
    parser.add_argument("--docs", type=Path, default=Path(__file__).parents[2] / "docs")
    args = parser.parse_args()
    assets.ROOT = args.assets
    if not args.page:
        measure_all(args.only, args.again)
    from evaluation_page import write

    write(assets.manifest(), args.docs)
    failures = assets.manifest().get("gates", {}).get("model", {}).get("failures", [])
    if failures and not args.page:
        raise SystemExit("The model does not meet its gates: " + " ".join(failures))


if __name__ == "__main__":
    main()
