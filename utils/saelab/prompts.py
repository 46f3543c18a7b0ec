"""Prompts with their answers, whichever model they are for."""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Prompts:
    """n prompts of up to `length` tokens, with one right and one wrong next token each.

    text: as written, without BOS. tokens: [n, length], BOS first, shorter ones filled up at the right.
    last: [n], where the answer is predicted. answers, wrong: [n], token ids. twin: the tokens of the same prompts with
    one fact changed, so that `wrong` is right: same lengths, so that activations can be patched across.
    """

    text: list[str]
    tokens: Tensor
    last: Tensor
    answers: Tensor
    wrong: Tensor
    twin: Tensor | None = None

    def to(self, device: str) -> "Prompts":
        """The same prompts with their tensors on another device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)
