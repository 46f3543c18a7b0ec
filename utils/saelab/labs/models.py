"""Public models, where a hub can be reached; and booting any model, public or the course's own, with hooks."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from saelab import extras


def from_hub(name: str):
    """A causal language model of transformers by its hub name or folder, or None with one printed sentence.

    Nothing is tried for long: without a hub, and without a copy on this machine, the answer comes at once.
    """
    extras.demand("transformers", "huggingface-hub")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with hub_if_reachable() as there:
        from transformers import AutoModelForCausalLM

        try:
            model = AutoModelForCausalLM.from_pretrained(name, local_files_only=not there, use_safetensors=True)
        except OSError:
            why = "the hub does not have it" if there else "no model hub can be reached"
            print(f"Skipped: {name} is not on this machine and {why}.")
            return None
    return model.eval().requires_grad_(False)


def boot(source: str | Path, tokenizer, device: str, dtype: str, processing: dict[str, bool], random: bool = False):
    """A TransformerBridge for a folder or a hub name, in evaluation mode, its weights in `dtype` whatever the file has.

    `processing` goes to TransformerLens's `enable_compatibility_mode`, which also makes the old names of
    hook points and weights available: {"no_processing": True} leaves weights and activations as
    transformers has them. `random` leaves the weights as they are initialised, from a fixed seed.
    """
    extras.demand("transformer-lens")
    import torch
    from transformer_lens.model_bridge import TransformerBridge

    with _quietly(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        booted = TransformerBridge.boot_transformers(
            str(source), device=device, dtype=getattr(torch, dtype), tokenizer=tokenizer, load_weights=not random
        )
        booted.enable_compatibility_mode(disable_warnings=True, **processing)
    return booted.eval()


def bridge(model, tokenizer):
    """The same for a transformers model that is there already, on the CPU, its weights and activations as they are."""
    extras.demand("transformer-lens")
    from transformer_lens.model_bridge import TransformerBridge

    with _quietly():
        made = TransformerBridge.boot_transformers(
            model.config.name_or_path or "made here", hf_model=model, tokenizer=tokenizer, device="cpu"
        )
        made.enable_compatibility_mode(disable_warnings=True, no_processing=True)
    return made.eval().requires_grad_(False)


@contextlib.contextmanager
def asking_the_hub(name: str) -> Iterator[bool]:
    """For a block that fetches `name`: `hub_if_reachable`, its failures told in one sentence."""
    with hub_if_reachable() as there:
        try:
            yield there
        except OSError as error:
            raise FileNotFoundError(_why_not(name, error, there)) from (error if there else None)


@contextlib.contextmanager
def hub_if_reachable() -> Iterator[bool]:
    """Yields whether the hub can be asked. If not, Hugging Face's libraries are offline in this block.

    They then use what is on this machine and fail at once for what is not, instead of after minutes.
    """
    extras.demand("huggingface-hub")
    from huggingface_hub import constants

    was = constants.HF_HUB_OFFLINE
    there = not was and os.environ.get("HF_HUB_OFFLINE") != "1" and _reachable()
    constants.HF_HUB_OFFLINE = not there
    try:
        yield there
    finally:
        constants.HF_HUB_OFFLINE = was


def memory_needed(name: str, dtype: str = "float32") -> int:
    """Bytes that the weights of a hub model take in `dtype`: its configuration is fetched, its weights are not."""
    extras.demand("transformers")
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with asking_the_hub(name), torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(name))
    return sum(p.numel() for p in model.parameters()) * getattr(torch, dtype).itemsize


def memory_free(device: str) -> int:
    """Bytes that are free on "cpu", or on a GPU."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    extras.demand("psutil")
    import psutil

    return psutil.virtual_memory().available


def _reachable(seconds: float = 2.0) -> bool:
    """Does the hub (HF_ENDPOINT, or the public one) answer a connection?"""
    place = urlparse(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    port = place.port or (443 if place.scheme == "https" else 80)
    try:
        socket.create_connection((place.hostname or "", port), seconds).close()
        return True
    except OSError:
        return False


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """No progress bars from transformers in here."""
    from transformers.utils import logging

    was = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was:
            logging.enable_progress_bar()


def _why_not(name: str, error: OSError, hub_was_there: bool) -> str:
    told = f"{type(error).__name__} {error}"
    if "gated" in told.lower():
        return (
            f"{name} is handed out to people who accepted its licence: do so at https://huggingface.co/{name}, "
            "then run `hf auth login` with a token of your account."
        )
    if hub_was_there:
        return f"{name} could not be fetched from the hub: {told.splitlines()[0]}"
    return (
        f"{name} is not on this machine and no model hub can be reached: connect to the internet, "
        'or use lab("pocket"), which needs none.'
    )
