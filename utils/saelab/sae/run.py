"""One training run: what was asked for, how far it is, one step of it, and its checkpoint."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import parallel
from .architectures import SAE, JumpReLUSAE, Loss, check_amount, check_whole
from .batches import FAR, scale_of, shortened, taken
from .checkpoints import DIVERGED, check_finite, open_checkpoint, put_back, sample, save_checkpoint
from .curves import History, numbers
from .resampling import resample

Array = Tensor | np.ndarray
Batch = Array | tuple[Array, Array]


@dataclass(frozen=True)
class Plan:
    """The settings of a run (see `train`), and what follows from them at each step; raises ValueError."""

    steps: int
    lr: float
    warmup: int
    bf16: bool
    normalise: bool
    dead_after: int
    resample_every: int | None
    log_every: int

    def __post_init__(self) -> None:
        check_whole(steps=self.steps, dead_after=self.dead_after, log_every=self.log_every)
        check_whole(resample_every=1 if self.resample_every is None else self.resample_every)
        check_amount(lr=self.lr, zero=False)

    def rate(self, step: int) -> float:
        """The learning rate: it rises over the warm-up and falls to 0 over the last fifth."""
        return self.lr * min((step + 1) / max(1, self.warmup), (self.steps - step) / max(1, self.steps / 5), 1.0)

    def warm(self, step: int) -> float:
        """How much of the sparsity penalty there is, from 0 to 1: it rises over twice the warm-up."""
        return min(1.0, (step + 1) / max(1, 2 * self.warmup))

    def is_last(self, step: int) -> bool:
        return step == self.steps - 1

    def records(self, step: int) -> bool:
        return step % self.log_every == 0 or self.is_last(step)

    def resamples(self, step: int) -> bool:
        """Do dead latents start again after this step? Not in the last twentieth, where they couldn't learn enough."""
        every = self.resample_every
        return every is not None and (step + 1) % every == 0 and step < 0.95 * self.steps


class Run:
    """A dictionary on its way: fresh, or as its checkpoint left it. `start` is the step with which it goes on."""

    def __init__(
        self,
        sae: SAE,
        batches: Callable[[int], Batch],
        plan: Plan,
        checkpoint: str | Path | None,
        watch: Callable[[History], object] | None,
    ):
        _check_trainable(sae, plan.resample_every)
        self.sae, self.batches, self.plan, self.watch = sae, batches, plan, watch
        self.optimiser = torch.optim.Adam(sae.parameters(), lr=plan.lr, fused=True)
        self.silent = torch.zeros(sae.d_sae, dtype=torch.int32, device=sae.W_dec.device)  # steps since each was on
        x, y = (parallel.gathered(part) for part in taken(batches(0), sae, "the batch of step 0"))
        self.key = _key(sae, plan, x)
        self.begun, self.data = sample(*sae.parameters()), sample(x, y)
        self.path = Path(checkpoint).absolute() if checkpoint else None
        self.start, self.scale, self.history = 0, (1.0, 1.0), History()
        if self.path and self.path.exists():
            self._go_on(self.path)
        else:
            self.scale = _begin(sae, x, y, plan.normalise)
        if self.path:
            sae.starts[self.path] = self.begun
        self.warned = False
        sae.train()
        self.loss_of = parallel.averaging(sae)

    def _go_on(self, path: Path) -> None:
        state, tensors = open_checkpoint(path, self.key, [self.begun, self.sae.starts.get(path)], self.data)
        put_back(tensors, self.sae, self.optimiser, self.silent)
        self.start, self.scale, self.history = state["step"], tuple(state["scale"]), History(**state["history"])
        self.begun = tensors["start"]
        self._show()

    def step(self, step: int) -> None:
        """Learn from one batch, record what is due, let dead latents start again where that is due."""
        plan, sae = self.plan, self.sae
        x, y, keep = self._batch(step)
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate(step)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=plan.bf16):
            loss = self.loss_of(x, y, dead=self.silent >= plan.dead_after, warm=plan.warm(step))
        self._learn(loss, step)
        with torch.no_grad():
            self.silent += 1
            self.silent[parallel.gathered((loss.f > 0).any(0, keepdim=True).byte()).bool().any(0)] = 0
            if plan.records(step):
                dead = float((self.silent >= plan.dead_after).float().mean())
                self.history.record(step, **numbers(loss, y, keep), dead=dead)
                self._show()
            if plan.resamples(step):
                rows, error = parallel.gathered(x), parallel.gathered(y - loss.x_hat)
                gone = self.silent >= plan.dead_after
                self.silent[resample(sae, self.optimiser, gone, rows, error, seed=step)] = 0

    def _batch(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """x and y in training units, and which rows are no outliers (None: all)."""
        x, y, keep = shortened(*taken(self.batches(step), self.sae, f"the batch of step {step}"))
        if keep is not None and not self.warned:
            warnings.warn(_outliers(keep, step), stacklevel=6)
            self.warned = True
        same = y is x
        x = x * self.scale[0]
        return x, x if same else y * self.scale[1], keep

    def _learn(self, loss: Loss, step: int) -> None:
        self.optimiser.zero_grad()
        total = loss.total
        if not total.isfinite():
            raise ValueError(f"The loss is {total.item()} at step {step}, though its batch is finite. {DIVERGED}")
        total.backward()
        _update(self.sae, self.optimiser)

    def _show(self) -> None:
        if self.watch and parallel.is_first():
            self.watch(self.history)

    def save(self, step: int) -> None:
        """Write the checkpoint, if there is one to be written, as it is after this step."""
        if self.path and parallel.is_first():
            state = {"step": step + 1, "scale": self.scale, "run": self.key, "history": asdict(self.history)}
            more = {"silent": self.silent, "start": self.begun, "data": self.data}
            save_checkpoint(self.path, state, self.sae, self.optimiser, more)

    def end(self) -> None:
        """Bring the dictionary back to the units of its activations."""
        self.sae.rescale(1 / self.scale[0], 1 / self.scale[1])
        self.sae.eval()


def _key(sae: SAE, plan: Plan, x: Tensor) -> dict:
    """What tells one run from another, besides its batches and its start."""
    run = {"architecture": type(sae).__name__, **sae.config, **asdict(plan)}
    run |= {"batch": list(x.shape), "dtype": str(sae.W_dec.dtype)}
    return run | {"frozen": [name for name, parameter in sae.named_parameters() if not parameter.requires_grad]}


def _check_trainable(sae: SAE, resample_every: int | None) -> None:
    """Raise ValueError where a dictionary can't be trained as it is, saying how it could be."""
    kind, parameters = type(sae).__name__, dict(sae.named_parameters())
    if any(parameter.is_inference() for parameter in parameters.values()):
        raise ValueError(f"This {kind} was made under torch.inference_mode(), so it can't learn: make it outside.")
    if sae.W_dec.dtype not in (torch.float32, torch.float64):
        told = str(sae.W_dec.dtype).removeprefix("torch.")
        raise ValueError(
            f"A {kind} in {told} can't be trained: call sae.float() first; bf16=True makes the products bfloat16."
        )
    frozen = [name for name, parameter in parameters.items() if not parameter.requires_grad]
    if len(frozen) == len(parameters):
        raise ValueError(f"Every parameter of this {kind} is frozen, so there is nothing to train.")
    if resample_every and (fixed := [name for name in frozen if name in sae.of_latents]):
        raise ValueError(f"resample_every lets latents start again, but {', '.join(fixed)} is frozen: leave it out.")


@torch.no_grad()
def _begin(sae: SAE, x: Tensor, y: Tensor, normalise: bool) -> tuple[float, float]:
    """Bring a dictionary to training units by the first batch, and a fresh one to its mean; returns the two scales."""
    check_finite(sae, "before the first step")
    *_, keep = shortened(x, y)
    x, y = (x, y) if keep is None else (x[keep], y[keep])
    scale = (scale_of(x), scale_of(y)) if normalise else (1.0, 1.0)
    moved = [getattr(sae, name) for name in ("b_dec", *sae.biases)]
    if sae.b_dec.any() or not all(parameter.requires_grad for parameter in moved):
        sae.rescale(*scale)
    else:
        sae.start_at(x * scale[0], y * scale[1])
    return scale


@torch.no_grad()
def _update(sae: SAE, optimiser: torch.optim.Optimizer) -> None:
    """One step of Adam that leaves the rows of W_dec at norm 1 and thresholds at 0 or more."""
    if (grad := sae.W_dec.grad) is not None:
        grad -= (grad * sae.W_dec).sum(1, keepdim=True) * sae.W_dec  # only what turns the row, not what stretches it
    optimiser.step()
    if sae.W_dec.requires_grad:
        sae.W_dec.div_(sae.W_dec.norm(dim=1, keepdim=True))
    if isinstance(sae, JumpReLUSAE):
        sae.threshold.clamp_(min=0.0)


def _outliers(keep: Tensor, step: int) -> str:
    """What the user is told of the rows that aren't `keep` [batch]."""
    out = int((~keep).sum())
    return (
        f"{out} of {len(keep)} rows at step {step} {'are' if out > 1 else 'is'} more than {FAR} times as long as the "
        "median row. Training shortens such rows to the longest of the others, and history's fvu leaves them out. In a "
        "language model they are often those of the first token: x[:, 1:] is without it."
    )
