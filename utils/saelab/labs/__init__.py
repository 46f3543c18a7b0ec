"""`lab(name)` hands a chapter everything it works on: a model, its dictionaries, prompts and text.

The same exercise runs on the pocket model (offline, with known factors) and on public models:

    here = lab("pocket")  # or "gpt2-small", "gemma-3-270m", "gemma-2-2b"
    site = here.sites[0]
    latents = here.dictionary(site).encode(here.activations(site, here.tokens(8, 32)))

Which activations these are: `lab("pocket")` and the labs of Gemma leave the weights as published
(LayerNorm not folded, nothing centred), so every hook point shows what transformers computes, under
TransformerLens's names. `lab("gpt2-small")` alone subtracts its mean from the residual stream, as the
public dictionaries for it were trained on; logits stay the same there, `attn.hook_z` too.

Also here: `labs.assets`, the published weights, compared with their hashes before they are used, and `labs.models`,
public models where a hub can be reached. Importing this door is light; torch comes with the first lab.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Lab

from .models import bridge

NAMES = ("pocket", "gpt2-small", "gemma-3-270m", "gemma-2-2b")
__all__ = ["NAMES", "bridge", "lab"]


def lab(name: str = "pocket", device: str = "cpu", **options: Any) -> "Lab":
    """The lab of this name: "pocket", "gpt2-small", "gemma-3-270m" or "gemma-2-2b".

    Nothing big is loaded before it is used.
    Options of the public ones: `dtype` ("float32", "bfloat16"), `text` (a text file to read instead of
    the public corpus). Raises ValueError for another name, and for a device that isn't there.
    """
    if name not in NAMES:
        raise ValueError(f"There is no lab {name!r}; choose one of {', '.join(NAMES)}.")
    _check_device(device)
    if name == "pocket":
        from .pocket import PocketLab

        if options:
            raise ValueError(f'lab("pocket") takes no {", ".join(options)}: leave it out, or choose a public model.')
        return PocketLab(device)
    from .hub import HubLab

    return HubLab(name, device, **options)


def _check_device(device: str) -> None:
    import torch

    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        raise ValueError(f'There is no device {device!r}: take "cpu", or "cuda" for a GPU.') from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"No GPU is to be seen here, so device={device!r} can't be had: in Colab choose Runtime › Change runtime "
            "type › T4 GPU, elsewhere leave device out."
        )
