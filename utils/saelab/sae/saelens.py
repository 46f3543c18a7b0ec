"""SAELens's folders, both ways: cfg.json and sae_weights.safetensors, read and written without SAELens.

The BatchTopK family is written as JumpReLU with its threshold on every latent, which is what it is at inference;
a note in the metadata lets `load` give back the class it was. A crosscoder has no form in SAELens: its cfg says
"architecture": "crosscoder" and only `load` reads it.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import architectures, topk, transcoders
from .architectures import SAE
from .topk import BatchTopKSAE

# our class → SAELens's name for it
NAMES = {
    "StandardSAE": "standard",
    "GatedSAE": "gated",
    "JumpReLUSAE": "jumprelu",
    "TopKSAE": "topk",
    "BatchTopKSAE": "jumprelu",
    "MatryoshkaSAE": "jumprelu",
    "Transcoder": "jumprelu_transcoder",
    "SkipTranscoder": "jumprelu_skip_transcoder",
    "Crosscoder": "crosscoder",
}
# SAELens's name → the class that a file without our note becomes
CLASSES = {
    "standard": "StandardSAE",
    "gated": "GatedSAE",
    "jumprelu": "JumpReLUSAE",
    "topk": "TopKSAE",
    "transcoder": "Transcoder",
    "skip_transcoder": "SkipTranscoder",
    "jumprelu_transcoder": "Transcoder",
    "jumprelu_skip_transcoder": "SkipTranscoder",
}


# where files from before SAELens 6.0 name what is metadata now
OLD_METADATA = {
    "model_name": "model_name",
    "hook_point": "hook_name",
    "hook_name": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "hook_head_index": "hook_head_index",
    "context_size": "context_size",
    "dataset_path": "dataset_path",
    "prepend_bos": "prepend_bos",
    "sae_lens_version": "sae_lens_version",
}


def save(sae: SAE, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a dictionary as a folder that `sae_lens.SAE.load_from_disk(folder)` and `load(folder)` read.

    `dtype` is how the matrices are stored (float32, float16 or bfloat16); vectors stay float32, and what is loaded
    is float32 in any case. A hook point that ends in hook_z is noted as SAELens wants it: there the SAE takes
    [..., heads, d_head], here always [..., d_in]. Raises ValueError, and writes nothing, where a weight is NaN or
    infinite, also when it doesn't fit into `dtype`.
    """
    if isinstance(sae, BatchTopKSAE) and sae.threshold.isnan().any():
        raise ValueError("This dictionary has no threshold yet: train it, or call calibrate(sae, activations).")
    kind = type(sae).__name__
    if kind not in NAMES:
        raise ValueError(f"SAELens has no form for a {kind}; the kinds that can be saved are {', '.join(NAMES)}.")
    weights = {name: value.detach().cpu() for name, value in sae.state_dict().items()}
    if isinstance(sae, BatchTopKSAE):
        weights["threshold"] = weights["threshold"].expand(sae.d_sae)
    if "W_skip" in weights:
        weights["W_skip"] = weights["W_skip"].T
    # Without a version SAELens takes a file for one older than 6.0 and drops what it doesn't know.
    metadata = {"sae_lens_version": "6.54.12", "sae_lens_training_version": None, **sae.metadata}
    metadata["saelab"] = {"class": kind, **sae.config}
    cfg: dict[str, Any] = {
        "architecture": NAMES[kind],
        **{key: sae.config[key] for key in ("d_in", "d_sae", "d_out", "k", "sites") if key in sae.config},
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": "transcoder" not in NAMES[kind],
        "normalize_activations": "none",
        "reshape_activations": "hook_z" if str(sae.metadata.get("hook_name")).endswith("hook_z") else "none",
        "metadata": metadata,
    }
    stored = {k: v.to(dtype if v.ndim > 1 else torch.float32).contiguous().clone() for k, v in weights.items()}
    if bad := [name for name, value in stored.items() if not value.isfinite().all()]:
        told = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"{', '.join(bad)} would be NaN or infinite in {told}, so nothing was saved: store float32 if the weights "
            "themselves are finite; if they aren't, train again with a smaller lr, or go back to a checkpoint."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(stored, folder / "sae_weights.safetensors.part")
    (folder / "cfg.json.part").write_text(json.dumps(cfg, indent=1) + "\n", encoding="utf-8")
    for name in ("sae_weights.safetensors", "cfg.json"):
        os.replace(folder / f"{name}.part", folder / name)
    return folder


def load(folder: str | Path) -> SAE:
    """Read a dictionary that `save` or SAELens wrote; float32, on the CPU, in eval mode.

    Raises FileNotFoundError or ValueError with one sentence where something is missing or not supported.
    """
    folder = Path(folder)
    cfg, weights = _read(folder)
    _refuse_what_is_not_ours(folder, cfg, weights)
    name = cfg.get("architecture", "standard")
    note = dict(cfg["metadata"].pop("saelab", {}))
    kind = note.pop("class", CLASSES.get(name))
    if kind not in NAMES:
        raise ValueError(f"{folder} holds a {name!r} dictionary; saelab reads {', '.join(CLASSES)} and crosscoder.")
    try:
        sae = _build(kind, note or _config(kind, cfg)).float()
    except (KeyError, TypeError, ValueError) as error:
        told = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise ValueError(f"{folder}/cfg.json describes no {kind}: {told}.") from error
    sae.metadata = cfg["metadata"]
    _to_our_form(weights, sae, cfg)
    try:
        sae.load_state_dict(weights)
    except RuntimeError as error:
        expected = {k: list(v.shape) for k, v in sae.state_dict().items()}
        found = {k: list(v.shape) for k, v in weights.items()}
        raise ValueError(
            f"The weights in {folder} don't fit its cfg.json: expected {expected}, found {found}."
        ) from error
    return sae.eval()


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    for name in ("cfg.json", "sae_weights.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}; give the folder of a dictionary that was saved whole.")
    try:
        cfg = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))
        old = {new: cfg[key] for key, new in OLD_METADATA.items() if key in cfg}
        cfg["metadata"] = dict(cfg.get("metadata") or old)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder}/cfg.json is not readable as JSON; save or download the folder again.") from error
    try:
        weights = load_file(folder / "sae_weights.safetensors")
    except Exception as error:
        raise ValueError(
            f"{folder}/sae_weights.safetensors is damaged ({error}); save or download the folder again."
        ) from error
    return cfg, {name: value.float() for name, value in weights.items()}


def _refuse_what_is_not_ours(folder: Path, cfg: dict[str, Any], weights: dict[str, Tensor]) -> None:
    """Bring old fields to their form of today, in place; raise ValueError for those that change the function."""
    activation = cfg.pop("activation_fn_str", None) or cfg.pop("activation_fn", None) or "relu"
    if activation == "topk":
        cfg["architecture"] = "topk"
        cfg["k"] = (cfg.get("activation_fn_kwargs") or {}).get("k", cfg.get("k"))
    elif activation != "relu":
        raise ValueError(f"{folder} has the activation function {activation!r}; saelab reads relu and topk.")
    normalise = cfg.get("normalize_activations") or "none"  # false and null were written too
    if normalise != "none":
        told = "expected_average_only_in" if normalise is True else normalise
        raise ValueError(f"{folder} normalises its activations ({told}); fold that into the weights first.")
    if (cfg.get("reshape_activations") or "none") not in ("none", "hook_z"):
        told = cfg["reshape_activations"]
        raise ValueError(f"{folder} reshapes its activations ({told!r}), which saelab doesn't know; it reads hook_z.")
    for name in ("scaling_factor", "finetuning_scaling_factor"):  # it multiplies the latents before they are decoded
        if (weights.pop(name, torch.ones(())) != 1).any():
            raise ValueError(f"{folder} scales its latents (finetuning_scaling_factor); fold that into W_dec first.")


def _config(kind: str, cfg: dict) -> dict[str, Any]:
    """The constructor's arguments for a file that SAELens wrote."""
    config = {key: cfg[key] for key in ("d_in", "d_sae")} | {key: cfg[key] for key in ("d_out",) if key in cfg}
    if kind == "TopKSAE":
        config["k"] = cfg["k"]
    elif "Transcoder" in kind:
        config["k"] = 1  # unknown; its threshold is what counts
    return config


def _build(kind: str, config: dict) -> SAE:
    module = next(module for module in (architectures, topk, transcoders) if hasattr(module, kind))
    return getattr(module, kind)(**config)


@torch.no_grad()
def _to_our_form(weights: dict[str, Tensor], sae: SAE, cfg: dict) -> None:
    """From SAELens's letters to ours, in place."""
    if cfg.get("rescale_acts_by_decoder_norm") and type(sae) is topk.TopKSAE:
        norm = weights["W_dec"].norm(dim=1)
        weights["W_enc"] *= norm
        weights["b_enc"] *= norm
        weights["W_dec"] /= norm[:, None]
    if not cfg.get("apply_b_dec_to_input", True) and not isinstance(sae, transcoders.Transcoder):
        for name in {"b_enc", "b_gate"} & set(weights):
            weights[name] += weights["b_dec"] @ weights["W_enc"]
        if "b_mag" in weights:
            weights["b_mag"] += weights["b_dec"] @ weights["W_enc"] * weights["r_mag"].exp()
    if "threshold" in weights:
        weights["threshold"].clamp_min_(0.0)  # SAELens's ReLU comes before its threshold
    if isinstance(sae, BatchTopKSAE):
        threshold = weights.get("threshold", torch.zeros(1))
        sae.threshold = threshold if len(set(threshold.tolist())) > 1 else threshold[0]
        weights["threshold"] = sae.threshold
    if "W_skip" in weights:
        weights["W_skip"] = weights["W_skip"].T.contiguous()
