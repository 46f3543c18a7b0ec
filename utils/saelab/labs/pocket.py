"""The lab of the pocket model: the course's own model and world, offline, with the truth about its text."""

import json
import re
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from saelab import extras

from . import assets, models
from .base import RAW, Lab, check_control, listed, same_activation

DEFAULT_ARCHITECTURE = "batchtopk"  # of a site with several; else the first in the alphabet


class PocketLab(Lab):
    """The course's own model and world: small, offline, the truth about its text known."""

    def __init__(self, device: str = "cpu", control_kind: str | None = None):
        self.name, self.device, self.control_kind = "pocket", device, control_kind
        self._folder = f"controls/{control_kind}/" if control_kind else ""

    @property
    def context(self) -> int:
        config = assets.path(f"{self._folder}model/config.json")
        return json.loads(config.read_text(encoding="utf-8"))["n_positions"]

    @property
    def origin(self) -> str:
        return assets.manifest()["files"][f"{self._folder}model/model.safetensors"]["sha256"][:16]

    @cached_property
    def model(self):
        return models.boot(assets.path(f"{self._folder}model"), self.tokenizer, self.device, "float32", RAW)

    @cached_property
    def tokenizer(self):
        extras.demand("transformers")
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
            raise ValueError(f"{self!r} has no dictionary at {site!r}; there are {listed(self.sites)}.")
        there = self._children(f"dictionaries/{stored}")
        if architecture is None:
            kinds = [name for name in there if "-seed" not in name]
            architecture = DEFAULT_ARCHITECTURE if DEFAULT_ARCHITECTURE in kinds else next(iter(kinds), "")
        name = f"{architecture}-seed{seed}" if seed else architecture
        if name not in there:
            raise ValueError(f"There is no dictionary {name!r} at {stored}; there are {listed(there)}.")
        return self._load(f"dictionaries/{stored}/{name}")

    def transcoder(self, layer: int, skip: bool = False):
        name = f"transcoders/blocks.{layer}.mlp/{'skip_transcoder' if skip else 'transcoder'}"
        if not assets.names(self._folder + name):
            raise ValueError(f"There is no {name}; there are {listed(self._children('transcoders'))}.")
        return self._load(name)

    def crosscoder(self, name: str):
        there = self._children("crosscoders")
        if name not in there:
            raise ValueError(f"There is no crosscoder {name!r}; there are {listed(there)}.")
        return self._load(f"crosscoders/{name}")

    def prompts(self, name: str, n: int = 32, seed: int = 0):
        kinds = [kind for kind in dir(self.world.prompts) if not kind.startswith("_")]
        if name not in kinds:
            raise ValueError(f"There are no prompts {name!r}; there are {listed(kinds)}.")
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
        from saelab import sae

        return sae.load(assets.path(self._folder + folder)).to(self.device)


def _depth(site: str) -> tuple[int, int, str]:
    """Sorts hook points in the order in which the model reaches them."""
    order = ("resid_pre", "hook_z", "attn_out", "resid_mid", "mlp_out", "resid_post")
    layer = re.match(r"blocks\.(\d+)\.", site)
    return (int(layer[1]) if layer else -1, next((i for i, k in enumerate(order) if k in site), len(order)), site)


@lru_cache(maxsize=1)
def _world():
    from saelab.world import World

    return World()
