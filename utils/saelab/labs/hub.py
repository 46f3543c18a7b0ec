"""The labs of public models: weights, dictionaries and text come from the Hugging Face hub.

A release of dictionaries is named as SAELens names it, so that what is done here can be looked up.
"""

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from saelab import extras
from saelab.prompts import Prompts

from . import models
from .base import RAW, Lab, check_control, listed, same_activation
from .hub_prompts import KINDS

CORPUS = "NeelNanda/pile-10k"  # 10,000 documents of the Pile, about 33 MB
PIECE = 20_000  # characters tokenised at a time: documents of the Pile can be very long


class Published(NamedTuple):
    """A dictionary by its release and its id in it, as SAELens names them."""

    release: str
    id: str
    architecture: str


@dataclass(frozen=True)
class Source:
    """Where a public lab comes from, and how its model is processed to match its dictionaries."""

    repository: str
    context: int  # tokens
    processing: dict[str, bool]
    dictionaries: dict[str, Published]  # by hook point, from the first layer to the last
    transcoders: dict[tuple[int, bool], Published] = field(default_factory=dict)  # by layer, and whether it skips


def _gpt2(layer: int) -> dict[str, Published]:
    """Of a layer from 0 to 11: J. Bloom's dictionary of the stream, T. McGrath's of what the MLP writes."""
    stream, mlp = f"blocks.{layer}.hook_resid_pre", f"blocks.{layer}.hook_mlp_out"
    return {
        stream: Published("gpt2-small-res-jb", stream, "standard"),
        mlp: Published("gpt2-small-mlp-tm", mlp, "standard"),
    }


def _scope_2(layer: int, folder: str, more: str = "") -> Published:
    """Gemma Scope 2: the sparser one of 16,384 latents."""
    return Published(f"gemma-scope-2-270m-pt-{folder}-all", f"layer_{layer}_width_16k_l0_small{more}", "jumprelu")


SOURCES = {
    "gpt2-small": Source(
        "openai-community/gpt2",
        1024,
        # trained on a model whose layers write nothing along the all-ones direction; LayerNorm would drop it anyway
        {"fold_ln": False, "center_writing_weights": True, "center_unembed": False, "fold_value_biases": False},
        {site: published for layer in range(12) for site, published in _gpt2(layer).items()}
        | {"blocks.11.hook_resid_post": Published("gpt2-small-res-jb", "blocks.11.hook_resid_post", "standard")},
    ),
    "gemma-3-270m": Source(
        "google/gemma-3-270m",
        32768,
        RAW,
        {f"blocks.{layer}.hook_resid_post": _scope_2(layer, "res") for layer in range(18)},
        {
            (layer, skip): _scope_2(layer, "transcoders", "_affine" * skip)
            for layer in range(18)
            for skip in (False, True)
        },
    ),
    "gemma-2-2b": Source(
        "google/gemma-2-2b",
        8192,
        RAW,
        {
            f"blocks.{layer}.hook_resid_post": Published(
                "gemma-scope-2b-pt-res-canonical", f"layer_{layer}/width_16k/canonical", "jumprelu"
            )
            for layer in range(26)
        },
    ),
}


class HubLab(Lab):
    """A lab whose model is fetched from the hub when it is first used, after its size was told."""

    def __init__(
        self,
        name: str,
        device: str = "cpu",
        dtype: str = "float32",
        text: str | Path | None = None,
        control_kind: str | None = None,
    ):
        if dtype not in ("float32", "bfloat16"):
            raise ValueError(f'dtype must be "float32" or "bfloat16", not {dtype!r}.')
        if text is not None and not Path(text).is_file():
            raise FileNotFoundError(f"There is no text file {text}: give the name of one, or leave it out.")
        self.name, self.device, self.control_kind = name, device, control_kind
        self.dtype, self.text, self.source = dtype, text, SOURCES[name]

    @property
    def context(self) -> int:
        return self.source.context

    @property
    def origin(self) -> str:
        return " ".join(filter(None, [self.source.repository, self.dtype, self.control_kind]))

    @cached_property
    def model(self):
        repository, tokenizer, untrained = self.source.repository, self.tokenizer, self.control_kind == "random_weights"
        self._check_memory()
        with models.asking_the_hub(repository):
            return models.boot(repository, tokenizer, self.device, self.dtype, self.source.processing, untrained)

    @cached_property
    def tokenizer(self):
        extras.demand("transformers")
        from transformers import AutoTokenizer

        with models.asking_the_hub(self.source.repository):
            return AutoTokenizer.from_pretrained(self.source.repository)

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self.source.dictionaries)

    def dictionary(self, site: str, architecture: str | None = None, seed: int = 0) -> "Dictionary":
        stored = next((name for name in same_activation(site) if name in self.source.dictionaries), None)
        if stored is None:
            raise ValueError(f"{self.name} has no dictionary at {site!r}; there are {', '.join(self.sites)}.")
        published = self.source.dictionaries[stored]
        if (architecture or published.architecture) != published.architecture or seed:
            raise ValueError(
                f"{self.name} has one dictionary at {site}, of architecture {published.architecture!r} with seed 0."
            )
        return self._fetch(published)

    def transcoder(self, layer: int, skip: bool = False) -> "Dictionary":
        there = self.source.transcoders
        if not there:
            others = [name for name, source in SOURCES.items() if source.transcoders]
            raise ValueError(f"{self.name} has no transcoders; there are some in {listed(['pocket', *others])}.")
        if (layer, skip) not in there:
            raise ValueError(f"{self.name} has no layer {layer}: its transcoders are of 0 to {max(there)[0]}.")
        found = self._fetch(there[layer, skip])
        found.metadata["hook_name"] = f"blocks.{layer}.mlp.hook_in"  # past the norm; SAELens's hook_mlp_in is before it
        return found

    def _fetch(self, published: Published) -> "Dictionary":
        if self.control_kind == "random_weights":
            raise ValueError(
                f"Nobody has published dictionaries for the untrained {self.name}: train one, or take pocket."
            )
        extras.demand("sae-lens")
        with models.asking_the_hub(f"{published.release} ({published.id})"):
            from sae_lens import SAE
            from sae_lens.loading import pretrained_sae_loaders as loaders

            with warnings.catch_warnings(), mock.patch.object(loaders, "get_safetensors_tensor_shapes", _shapes):
                # what it says of how the model should be processed: `SOURCES` does that
                warnings.filterwarnings("ignore", r"\s*This SAE has non-empty model_from_pretrained_kwargs")
                sae = SAE.from_pretrained(published.release, published.id, device=self.device, dtype=self.dtype)
        return Dictionary(sae)

    def prompts(self, name: str, n: int = 32, seed: int = 0) -> Prompts:
        if name not in KINDS:
            raise ValueError(f"{self.name} has no prompts {name!r}; there are {', '.join(KINDS)}.")
        return KINDS[name](self.tokenizer, n, seed).to(self.device)

    def control(self, kind: str) -> "HubLab":
        check_control(kind)
        if kind == "second_seed":
            raise ValueError(f'{self.name} was published once: a second seed is there for lab("pocket") only.')
        other = HubLab(self.name, self.device, self.dtype, self.text, kind)
        if kind == "shuffled_tokens" and "model" in self.__dict__:
            other.__dict__["model"] = self.model  # the same weights: they are not loaded twice
        return other

    def _text(self, n: int, length: int, seed: int) -> Tensor:
        return windows(self._documents, self._encode, self.tokenizer.bos_token_id, n, length, seed)

    @cached_property
    def _documents(self) -> list[str]:
        if self.text is not None:
            texts = [Path(self.text).read_text(encoding="utf-8")]
        else:
            extras.demand("datasets")
            with models.asking_the_hub(CORPUS) as there:
                import datasets

                datasets.config.HF_HUB_OFFLINE = not there
                texts = datasets.load_dataset(CORPUS, split="train")["text"]
        return [text[i : i + PIECE] for text in texts for i in range(0, len(text), PIECE)]

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids

    def _check_memory(self) -> None:
        """Print how much memory the model needs; raise MemoryError where less is free."""
        needed = models.memory_needed(self.source.repository, self.dtype)
        free = models.memory_free(self.device)
        told = f"{self.name} needs about {_gigabytes(needed)} in {self.dtype}"
        if needed > free:
            smaller = ', or dtype="bfloat16"' if self.dtype == "float32" else ""
            raise MemoryError(f"{told}, and {_gigabytes(free)} are free on {self.device}: take a smaller lab{smaller}.")
        print(f"{told}; {_gigabytes(free)} are free on {self.device}.")


class Dictionary(torch.nn.Module):
    """A dictionary of SAELens with the names that this course's own have.

    W_enc [d_in, d_sae], W_dec [d_sae, d_in], b_dec [d_in]; b_enc and threshold [d_sae], and a transcoder's W_skip
    [d_in, d_in], where it has them. `metadata` is a dictionary with SAELens's keys: "hook_name", "model_name" and more.
    """

    def __init__(self, sae: Any):
        super().__init__()
        self.sae = sae.requires_grad_(False)
        self.metadata = dict(vars(sae.cfg.metadata))

    def __getattr__(self, name: str):
        if name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"):
            return getattr(self.sae, name)
        if name == "W_skip":
            return self.sae.W_skip.T  # SAELens has [d_out, d_in]
        return super().__getattr__(name)

    @property
    def d_in(self) -> int:
        return self.sae.cfg.d_in

    @property
    def d_sae(self) -> int:
        return self.sae.cfg.d_sae

    def encode(self, x: Tensor) -> Tensor:
        """Activations [..., d_in] → latents [..., d_sae]."""
        return self.sae.encode(x)

    def decode(self, f: Tensor) -> Tensor:
        """Latents [..., d_sae] → reconstruction [..., d_in]."""
        return self.sae.decode(f)

    def forward(self, x: Tensor) -> Tensor:
        """Activations → reconstruction, both [..., d_in]; for a transcoder, what the MLP makes of them."""
        return self.sae(x)


def windows(
    documents: list[str], encode: Callable[[str], list[int]], bos: int, n: int, length: int, seed: int
) -> Tensor:
    """BOS and then length - 1 consecutive tokens of a random document, n times: [n, length], int64.

    Documents come in random order and again from the start when they are used up; those that are
    too short are left out. Raises ValueError when all are.
    """
    draw = random.Random(seed)
    order = draw.sample(range(len(documents)), len(documents))
    rows: list[list[int]] = []
    while len(rows) < n:
        before = len(rows)
        for i in order:
            ids = encode(documents[i])
            if len(ids) >= length - 1:
                start = draw.randrange(len(ids) - length + 2)
                rows.append([bos, *ids[start : start + length - 1]])
            if len(rows) == n:
                break
        if len(rows) == before:
            raise ValueError(f"No document of this text has {length - 1} tokens: ask for a smaller length.")
    return torch.tensor(rows, dtype=torch.long).reshape(n, length)


def _shapes(repository: str, file: str) -> dict[str, list[int]]:
    """Of the tensors in a file of the hub's. SAELens would ask the hub each time, also for a file that is here."""
    from huggingface_hub import hf_hub_download
    from safetensors import safe_open

    with safe_open(hf_hub_download(repository, file), "pt") as opened:
        return {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118


def _gigabytes(n: int) -> str:
    return f"{n / 1e9:.1f} GB"
