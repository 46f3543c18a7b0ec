"""What every lab offers, whichever model it holds."""

import re

import torch
from torch import Tensor

CONTROLS = ("random_weights", "shuffled_tokens", "second_seed")
RAW = {"no_processing": True}
SPLIT = "ask for shorter sequences, and for more of them"


class Lab:
    """A model with its dictionaries, prompts and text. `control` is None, or the kind of control this is."""

    name: str
    device: str
    control_kind: str | None = None

    @property
    def context(self) -> int:
        """How many tokens the model takes at most, BOS among them."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        """Which weights these are, so that what was made with others can be told apart."""
        raise NotImplementedError

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
        """The transcoder of a layer's MLP, from its input to its output; `skip`: with a linear bypass.

        Raises ValueError where there is none, naming where there are some.
        """
        raise NotImplementedError

    def crosscoder(self, name: str):
        """A crosscoder of two models by its name."""
        raise ValueError(f'The crosscoders belong to lab("pocket"); {self.name} has none.')

    def tokens(self, n: int, length: int = 128, seed: int = 0) -> Tensor:
        """Ordinary text, [n, length], int64, each row with BOS first; same seed, same text.

        In the control "shuffled_tokens" the tokens after BOS stand in random order. Raises ValueError for a `length`
        that the model doesn't take.
        """
        if n < 0:
            raise ValueError(f"n is how many sequences you want, 0 or more, not {n}.")
        if not 1 <= length <= self.context:
            raise ValueError(f"{self.name} reads 1 to {self.context} tokens at a time, not {length}: {SPLIT}.")
        tokens = self._text(n, length, seed).to(self.device)
        return shuffled(tokens, seed) if self.control_kind == "shuffled_tokens" else tokens

    @torch.no_grad()
    def activations(self, site: str, tokens: Tensor) -> Tensor:
        """What the model has at a hook point for tokens [n, length]: [n, length, d_in], heads one after another.

        Raises ValueError for a hook point that the model doesn't have, and for sequences longer than its context.
        """
        if tokens.shape[-1] > self.context:
            raise ValueError(
                f"{self.name} reads up to {self.context} tokens at a time, not {tokens.shape[-1]}: {SPLIT}."
            )
        _, cache = self.model.run_with_cache(tokens.to(self.device), names_filter=site)
        if site not in cache:
            raise ValueError(
                f"{self.name} has no hook point {site!r}; those with dictionaries are {listed(self.sites)}."
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


def listed(names) -> str:
    return ", ".join(names) or "none"
