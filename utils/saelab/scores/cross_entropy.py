"""What does a model's prediction lose when a dictionary's reconstruction takes the place of an activation?"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .reconstruction import reconstruct


@dataclass(frozen=True)
class CrossEntropy:
    """Mean next-token cross-entropy in nats: clean, with the reconstruction, and with the activation ablated.

    `against_zero` and `against_mean` are (CE_ablated − CE_spliced) / (CE_ablated − CE_clean): 1 nothing lost, 0 as bad
    as ablation. nan where ablation does not raise the loss: the site doesn't matter there, and the ratio would say
    nothing. Where it raises it little, the ratio is noise: look at the four losses too.
    """

    clean: float
    spliced: float
    zero: float
    mean: float

    @property
    def against_zero(self) -> float:
        return self._recovered(self.zero)

    @property
    def against_mean(self) -> float:
        return self._recovered(self.mean)

    def _recovered(self, ablated: float) -> float:
        harm = ablated - self.clean
        return (ablated - self.spliced) / harm if harm > 0 else float("nan")


@torch.no_grad()
def ce_recovered(model, site: str, sae, tokens: Tensor, input_site: str | None = None, batch: int = 32) -> CrossEntropy:
    """Splice `sae` in at hook point `site` of a TransformerLens model (anything with `run_with_hooks`).

    tokens [n, length], BOS first and no padding. Position 0 (BOS) keeps its activation and its prediction is left out
    of the loss, so the loss is that of predicting tokens 2 … length-1. The mean ablation puts in the mean activation
    over these tokens, without position 0. `input_site`: where a transcoder reads (`site` is where it writes).
    Heads are flattened ([batch, pos, head, d_head] → d_in = head · d_head). Hooks end with the call, on errors too.

    At hook_resid_mid the layer's output is put together again (`_past_the_mlp`): a TransformerBridge (3.9) hands what a
    hook returns there to the MLP alone, while the residual stream goes on as it was.
    """
    if tokens.ndim != 2 or tokens.shape[1] < 3:
        raise ValueError(f"Give tokens as [n, length] with BOS first and length ≥ 3, not {list(tokens.shape)}.")
    sums: list[Tensor] = []

    def clean(x: Tensor, y: Tensor) -> Tensor:
        sums.append(y.double().sum((0, 1)))
        return y

    def loss(replace: Callable[[Tensor, Tensor], Tensor]) -> float:
        return _loss(model, site, input_site or site, tokens, batch, replace)

    clean_loss = loss(clean)
    mean = torch.stack(sums).sum(0) / (len(tokens) * (tokens.shape[1] - 1))
    return CrossEntropy(
        clean=clean_loss,
        spliced=loss(lambda x, y: reconstruct(sae, x)),
        zero=loss(lambda x, y: torch.zeros_like(y)),
        mean=loss(lambda x, y: mean.expand_as(y)),
    )


def _loss(model, site: str, source: str, tokens: Tensor, batch: int, replace: Callable) -> float:
    """Mean loss with `replace(activation at source, activation at site)` put in at `site`, all after position 0."""
    read: list[Tensor] = []
    spliced: list[str] = []

    def keep(value, hook):
        read.append(value.flatten(2)[:, 1:])

    def splice(value, hook):
        if not read:
            raise ValueError(f"Nothing was read at {source!r} before {site!r}; look for its name in model.hook_dict.")
        new = value.clone()
        new[:, 1:] = replace(read.pop(), value.flatten(2)[:, 1:]).to(value.dtype).view_as(value[:, 1:])
        spliced.append(site)
        put[:] = [new]
        return new

    put: list[Tensor] = []
    hooks = [(source, keep), (site, splice), *_past_the_mlp(site, put)]
    total = 0.0
    for rows in tokens.split(batch):
        logits = model.run_with_hooks(rows, fwd_hooks=hooks, return_type="logits")
        if not spliced:
            raise ValueError(f"The model has no activation {site!r}; choose one of the names in model.hook_dict.")
        log_p = logits[:, 1:-1].float().log_softmax(-1)
        total -= float(log_p.gather(-1, rows[:, 2:, None].to(log_p.device)).double().sum())
    return total / (len(tokens) * (tokens.shape[1] - 2))


def _past_the_mlp(site: str, put: list[Tensor]) -> list[tuple[str, Callable]]:
    """Hooks by which what was `put` at a layer's hook_resid_mid also reaches the layer's output, beside the MLP's."""
    if not site.endswith("hook_resid_mid"):
        return []
    written: list[Tensor] = []

    def keep(value, hook):
        written[:] = [value]

    layer = site.removesuffix("hook_resid_mid")
    return [(f"{layer}hook_mlp_out", keep), (f"{layer}hook_resid_post", lambda value, hook: put[0] + written[0])]
