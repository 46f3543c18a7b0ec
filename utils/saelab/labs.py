"""`lab(name)` hands a chapter everything it works on: a model, its dictionaries, prompts and text.

The same exercise runs on the pocket model (offline, with known factors) and on public models:

    here = lab("pocket")  # or "gpt2-small", "gemma-2-2b"
    site = here.sites[0]
    latents = here.dictionary(site).encode(here.activations(site, here.tokens(8, 32)))

Which activations these are: `lab("pocket")` and `lab("gemma-2-2b")` leave the weights as published
(LayerNorm not folded, nothing centred), so every hook point shows what transformers computes, under
TransformerLens's names. `lab("gpt2-small")` alone subtracts its mean from the residual stream, as the
public dictionaries for it were trained on; logits stay the same there, `attn.hook_z` too.
"""

import re
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from . import assets, models

NAMES = ("pocket", "gpt2-small", "gemma-2-2b")
CONTROLS = ("random_weights", "shuffled_tokens", "second_seed")
RAW = {"no_processing": True}
DEFAULT_ARCHITECTURE = "batchtopk"  # of a site with several; else the first in the alphabet


def lab(name: str = "pocket", device: str = "cpu", **options: Any) -> "Lab":
    """The lab of this name: "pocket", "gpt2-small" or "gemma-2-2b". Nothing big is loaded before it is used.

    Options of the public ones: `dtype` ("float32", "bfloat16"), `text` (a text file to read instead of
    the public corpus). Raises ValueError for another name.
    """
    if name not in NAMES:
        raise ValueError(f"There is no lab {name!r}; choose one of {', '.join(NAMES)}.")
    if name == "pocket":
        if options:
            raise ValueError(f'lab("pocket") takes no {", ".join(options)}: leave it out, or choose a public model.')
        return PocketLab(device)
    from .hub_lab import HubLab

    return HubLab(name, device, **options)


class Lab:
    """A model with its dictionaries, prompts and text. `control` is None, or the kind of control this is."""

    name: str
    device: str
    control_kind: str | None = None

    @property
    def model(self):
        """The model: a TransformerBridge of TransformerLens, in evaluation mode."""
        raise NotImplementedError

    @property
    def tokenizer(self):
        """Its tokenizer, of transformers."""
        raise NotImplementedError

    @property
    def sites(self) -> tuple[str, ...]:
        """Hook points that have dictionaries, from the first layer to the last."""
        raise NotImplementedError

    @property
    def world(self):
        """The pocket world that the text comes from; only the pocket lab knows its own."""
        raise AttributeError(f'The factors of the text are known in lab("pocket") only, not in {self.name}.')

    def dictionary(self, site: str, architecture: str | None = None, seed: int = 0):
        """The dictionary trained at a hook point: encode [..., d_in] → [..., d_sae], decode, W_enc, W_dec, b_dec.

        Layer l's "hook_resid_post" and layer l+1's "hook_resid_pre" are the same activation: either name will do.
        Raises ValueError where there is none, naming those that exist.
        """
        raise NotImplementedError

    def transcoder(self, layer: int, skip: bool = False):
        """The transcoder of a layer's MLP, from its input to its output; `skip`: with a linear bypass."""
        raise ValueError(f'The transcoders belong to lab("pocket"); {self.name} has none.')

    def crosscoder(self, name: str):
        """A crosscoder of two models by its name."""
        raise ValueError(f'The crosscoders belong to lab("pocket"); {self.name} has none.')

    def tokens(self, n: int, length: int = 128, seed: int = 0) -> Tensor:
        """Ordinary text, [n, length], int64, each row with BOS first; same seed, same text.

        In the control "shuffled_tokens" the tokens after BOS stand in random order.
        """
        tokens = self._text(n, length, seed).to(self.device)
        return shuffled(tokens, seed) if self.control_kind == "shuffled_tokens" else tokens

    @torch.no_grad()
    def activations(self, site: str, tokens: Tensor) -> Tensor:
        """What the model has at a hook point for tokens [n, length]: [n, length, d_in], heads one after another."""
        _, cache = self.model.run_with_cache(tokens.to(self.device), names_filter=site)
        if site not in cache:
            raise ValueError(
                f"{self.name} has no hook point {site!r}; those with dictionaries are {_list(self.sites)}."
            )
        return cache[site].flatten(2)

    def prompts(self, name: str, n: int = 32, seed: int = 0):
        """Prompts of one kind, "ioi" or "facts" in every lab, with their answers: see `saelab.prompts.Prompts`."""
        raise NotImplementedError

    def control(self, kind: str) -> "Lab":
        """The same lab with a model that should *not* show what the real one does (or should: "second_seed").

        "random_weights": never trained; "shuffled_tokens": reads (and in the pocket lab was trained
        on) text in random order; "second_seed": trained again from another start.
        """
        raise NotImplementedError

    def _text(self, n: int, length: int, seed: int) -> Tensor:
        raise NotImplementedError

    def __repr__(self) -> str:
        control = f", control {self.control_kind!r}" if self.control_kind else ""
        return f"Lab({self.name!r}{control}, on {self.device})"


class PocketLab(Lab):
    """The course's own model and world: small, offline, the truth about its text known."""

    def __init__(self, device: str = "cpu", control_kind: str | None = None):
        self.name, self.device, self.control_kind = "pocket", device, control_kind
        self._folder = f"controls/{control_kind}/" if control_kind else ""

    @cached_property
    def model(self):
        return models.boot(assets.path(f"{self._folder}model"), self.tokenizer, self.device, "float32", RAW)

    @cached_property
    def tokenizer(self):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(assets.path("model"))

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(sorted(self._children("dictionaries"), key=_depth))

    @property
    def world(self):
        return _world()

    def dictionary(self, site: str, architecture: str | None = None, seed: int = 0):
        stored = next((name for name in same_activation(site) if name in self.sites), None)
        if stored is None:
            raise ValueError(f"{self!r} has no dictionary at {site!r}; there are {_list(self.sites)}.")
        there = self._children(f"dictionaries/{stored}")
        if architecture is None:
            kinds = [name for name in there if "-seed" not in name]
            architecture = DEFAULT_ARCHITECTURE if DEFAULT_ARCHITECTURE in kinds else next(iter(kinds), "")
        name = f"{architecture}-seed{seed}" if seed else architecture
        if name not in there:
            raise ValueError(f"There is no dictionary {name!r} at {stored}; there are {_list(there)}.")
        return self._load(f"dictionaries/{stored}/{name}")

    def transcoder(self, layer: int, skip: bool = False):
        name = f"transcoders/blocks.{layer}.mlp/{'skip_transcoder' if skip else 'transcoder'}"
        if not assets.names(self._folder + name):
            raise ValueError(f"There is no {name}; there are {_list(self._children('transcoders'))}.")
        return self._load(name)

    def crosscoder(self, name: str):
        there = self._children("crosscoders")
        if name not in there:
            raise ValueError(f"There is no crosscoder {name!r}; there are {_list(there)}.")
        return self._load(f"crosscoders/{name}")

    def prompts(self, name: str, n: int = 32, seed: int = 0):
        kinds = [kind for kind in dir(self.world.prompts) if not kind.startswith("_")]
        if name not in kinds:
            raise ValueError(f"There are no prompts {name!r}; there are {_list(kinds)}.")
        return getattr(self.world.prompts, name)(n=n, seed=seed).to(self.device)

    def control(self, kind: str) -> "PocketLab":
        check_control(kind)
        if not assets.names(f"controls/{kind}"):
            raise ValueError(f"The control {kind!r} is not among the course's files; run its build, or take another.")
        return PocketLab(self.device, kind)

    def _text(self, n: int, length: int, seed: int) -> Tensor:
        return torch.from_numpy(self.world.sample(n, length, seed).tokens)

    def _children(self, folder: str) -> list[str]:
        """Names of what lies in a folder of this lab, by the manifest."""
        prefix = f"{self._folder}{folder}/"
        return sorted({file.removeprefix(prefix).split("/")[0] for file in assets.names(prefix)})

    def _load(self, folder: str):
        from . import sae

        return sae.load(assets.path(self._folder + folder)).to(self.device)


def same_activation(site: str) -> tuple[str, ...]:
    """A hook point's names: what leaves layer l enters layer l+1.

    >>> same_activation("blocks.2.hook_resid_pre")
    ('blocks.2.hook_resid_pre', 'blocks.1.hook_resid_post')
    """
    found = re.fullmatch(r"blocks\.(\d+)\.hook_resid_(pre|post)", site)
    if not found or site == "blocks.0.hook_resid_pre":
        return (site,)
    layer = int(found[1])
    is_pre = found[2] == "pre"
    return (site, f"blocks.{layer - 1}.hook_resid_post" if is_pre else f"blocks.{layer + 1}.hook_resid_pre")


def shuffled(tokens: Tensor, seed: int) -> Tensor:
    """Each row of tokens [n, length] in random order, all but its first token."""
    draw = torch.rand(tokens.shape[0], tokens.shape[1] - 1, generator=torch.Generator().manual_seed(seed))
    order = draw.argsort(dim=1).to(tokens.device)
    return torch.cat([tokens[:, :1], tokens[:, 1:].gather(1, order)], dim=1)


def check_control(kind: str) -> None:
    """Raise ValueError, with the choices, for a kind of control that does not exist."""
    if kind not in CONTROLS:
        raise ValueError(f"There is no control {kind!r}; choose one of {', '.join(CONTROLS)}.")


def _depth(site: str) -> tuple[int, int, str]:
    """Sorts hook points in the order in which the model reaches them."""
    order = ("resid_pre", "hook_z", "attn_out", "resid_mid", "mlp_out", "resid_post")
    layer = re.match(r"blocks\.(\d+)\.", site)
    return (int(layer[1]) if layer else -1, next((i for i, k in enumerate(order) if k in site), len(order)), site)


def _list(names) -> str:
    return ", ".join(names) or "none"


@lru_cache(maxsize=1)
def _world():
    from .world import World

    return World()
