"""Checkpoints of `train`: everything a run needs to go on, and everything that says which run it is."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .architectures import SAE

SAMPLE = 4096  # numbers of the first batch, and of each parameter at the start, that tell a run from others


def sample(*tensors: Tensor) -> Tensor:
    """Numbers from all over these tensors, by which to know them again: one float32 vector on the CPU."""
    parts = [tensor.detach().flatten() for tensor in tensors]
    # an odd stride, as an even one may stay in one column
    return torch.cat([part[:: max(1, len(part) // SAMPLE) | 1].float().cpu() for part in parts])


def same(a: Tensor | None, b: Tensor | None) -> bool:
    """Are these samples of the same thing, up to what another device or another number of threads changes?"""
    if a is None or b is None or a.shape != b.shape:
        return False
    return torch.allclose(a, b, rtol=1e-2, atol=1e-3 * float(a.abs().max()))


def save_checkpoint(path: Path, state: dict[str, Any], sae: SAE, optimiser, more: dict[str, Tensor]) -> None:
    """One safetensors file, its header holding `state` as JSON; complete or not there at all.

    Raises ValueError, and leaves the file that is there, if a weight is NaN or infinite.
    """
    check_finite(sae, f"after step {state['step'] - 1}")
    tensors = {f"sae.{name}": value for name, value in sae.state_dict().items()} | more
    for name, parameter in sae.named_parameters():
        tensors |= {f"adam.{key}.{name}": value for key, value in optimiser.state.get(parameter, {}).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, temporary, {"state": json.dumps(state)})
    os.replace(temporary, path)


def check_finite(sae: SAE, when: str) -> None:
    """Raise ValueError, with the parameters named, if a weight is NaN or infinite."""
    bad = [name for name, value in sae.named_parameters() if not value.isfinite().all()]
    if bad:
        raise ValueError(f"{', '.join(bad)} {'have' if bad[1:] else 'has'} NaN or infinite weights {when}. {DIVERGED}")


DIVERGED = "The learning rate is probably too high: start again with a smaller lr."


def open_checkpoint(path: Path, run: dict[str, Any], starts: list[Tensor | None], data: Tensor) -> tuple[dict, dict]:
    """The state and the tensors of a checkpoint, if it is that of this run.

    `run` are the settings, one of `starts` is a sample of the weights that it starts from, and `data` one of its
    first batch. Raises ValueError, saying what differs, if it is another run's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint of saelab. Name another file, or delete this one.") from error
    differs = [
        f"{key} {state['run'].get(key)} there, {run[key]} here" for key in run if run[key] != state["run"].get(key)
    ]
    if not differs and not same(tensors.get("data"), data):
        differs.append("its first batch has other activations")
    if not differs and not any(same(tensors.get("start"), start) for start in starts):
        differs.append("it started from other weights: with another seed, or from another dictionary")
    if differs:
        raise ValueError(
            f"{path} belongs to another run ({'; '.join(differs)}). Name another file, or delete this one."
        )
    return state, tensors


def put_back(tensors: dict[str, Tensor], sae: SAE, optimiser, silent: Tensor) -> None:
    """Weights, Adam's memory and the steps since each latent was on, as a checkpoint has them."""
    sae.load_state_dict({key[4:]: value for key, value in tensors.items() if key.startswith("sae.")})
    silent.copy_(tensors["silent"])
    for name, parameter in sae.named_parameters():
        if f"adam.step.{name}" in tensors:  # a frozen parameter has none
            keys = ("step", "exp_avg", "exp_avg_sq")
            optimiser.state[parameter] = {key: tensors[f"adam.{key}.{name}"].to(parameter.device) for key in keys}
