"""Put trained models and dictionaries where the course finds them: float16 safetensors and a manifest with hashes.

    python build/world/install_assets.py --runs runs

RUNS is what pretrain.py and dictionaries.py wrote: model/, random_weights/, shuffled_tokens/, second_seed/
and dictionaries/. The tokenizer is stored once, beside the model. Every file's hash goes into assets/manifest.json,
with the seed, the command and the loss curves of what it came from.
"""

import argparse
import json
import shutil
from pathlib import Path

import gates
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from saelab.labs import assets
from saelab.world import World

MODELS = {
    "model": "model",
    "second_seed": "controls/second_seed/model",
    "shuffled_tokens": "controls/shuffled_tokens/model",
    "random_weights": "controls/random_weights/model",
}
MEASURED = ("model", "controls/second_seed/model")  # models that have to meet the gates
LARGEST = 40 * 2**20  # bytes that all assets may take together


def install_model(run: Path, name: str) -> None:
    """One model in float16 (its tied output matrix is not stored twice), with its tokenizer if it is the first."""
    folder = assets.ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.half().contiguous() for key, value in load_file(run / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    config = json.loads((run / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=1) + "\n")
    if name == "model":
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(run / file, folder / file)
    losses = json.loads((run / "losses.json").read_text())
    facts = json.loads((run / "run.json").read_text()) | {"losses": thinned(losses)}
    if name in MEASURED:
        before, after = figures(run), figures(folder)
        facts["float32_and_float16"] = {gate: [before[gate], after[gate]] for gate in gates.GATES}
    assets.record(name, training=facts)


def figures(folder: Path) -> dict:
    """Everything that has a gate, of the model in a folder."""
    world, model = World(), GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    found = gates.behaviour(model, world, n=300) | gates.loss_over_entropy(model, world, n=300)
    return found | gates.context_factors(model, world, n=300)


def install_dictionary(run: Path, name: str) -> None:
    """One dictionary as it is, with its training curves in the manifest instead of beside it."""
    folder = assets.ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("cfg.json", "sae_weights.safetensors"):
        shutil.copyfile(run / file, folder / file)
        (folder / file).chmod(0o644)
    record = json.loads((run / "history.json").read_text())
    curves = {key: [round(value, 4) for value in values] for key, values in record["curves"].items()}
    assets.record(name, training=record["facts"] | {"steps_recorded": record["steps"], "curves": curves})


def thinned(losses: list, most: int = 120) -> list:
    """At most so many points of a curve, the last one among them."""
    step = max(1, len(losses) // most)
    return losses[::-step][::-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for run, name in MODELS.items():
        if (args.runs / run / "model.safetensors").exists():
            install_model(args.runs / run, name)
    for file in sorted((args.runs / "dictionaries").rglob("history.json")):
        install_dictionary(file.parent, file.parent.relative_to(args.runs / "dictionaries").as_posix())
    total = sum(entry["bytes"] for entry in assets.manifest()["files"].values())
    print(f"{len(assets.names())} files, {total / 2**20:.1f} MB in {assets.ROOT.name}/")
    if total > LARGEST:
        raise SystemExit(f"That is more than {LARGEST / 2**20:.0f} MB: train fewer dictionaries, or smaller ones.")


if __name__ == "__main__":
    main()
