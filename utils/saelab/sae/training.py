"""One training loop for every dictionary, the threshold afterwards, and checkpoints to go on from."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from . import parallel
from .architectures import SAE, JumpReLUSAE, Loss, check_amount, check_whole, squared_error
from .batches import FAR, inputs, scale_of, shortened, taken
from .checkpoints import DIVERGED, check_finite, open_checkpoint, put_back, sample, save_checkpoint
from .resampling import resample
from .topk import BatchTopKSAE, batch_threshold

Array = Tensor | np.ndarray
Batch = Array | tuple[Array, Array]


@dataclass
class History:
    """What was recorded every `log_every` steps: each curve has one number for each of `steps`.

    The curves are the loss's terms in training units (see `train`), `l0` (latents on per sample), `fvu` (fraction
    of variance unexplained, on the training batch but for rows more than 20 times as long as the median row, if they
    are few) and `dead` (share of latents silent for `dead_after` steps).
    """

    steps: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)

    def record(self, step: int, **values: float) -> None:
        self.steps.append(step)
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[float]:
        return self.curves[name]


@torch.inference_mode(False)
@torch.enable_grad()
def train(
    sae: SAE,
    batches: Callable[[int], Batch],
    steps: int,
    lr: float = 3e-3,
    *,
    warmup: int | None = None,
    normalise: bool = True,
    bf16: bool = False,
    dead_after: int = 100,
    resample_every: int | None = None,
    log_every: int = 50,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    progress: bool = True,
    watch: Callable[[History], object] | None = None,
) -> History:
    """Train a dictionary in place with Adam and return its curves; afterwards it is in eval mode.

    `batches(step)` gives x [batch, d_in] (a crosscoder's: [batch, sites, d_in]; a transcoder's: a pair x, y), as
    tensors or numpy arrays of any dtype; they are trained on in the dictionary's, float32 or float64. Data order is a
    function of the step, so a run that was killed goes on from its `checkpoint` (a file name; delete it when done)
    with the same numbers, and two runs agree exactly. Another run's checkpoint is refused: one of other settings, other
    activations or another start. What is frozen (`sae.W_dec.requires_grad_(False)`) stays as it is.

    The learning rate rises over `warmup` steps (a twentieth of all), and falls to 0 over the last fifth; an L1 or
    L0 penalty rises over twice that. Unless `normalise` is off, activations are multiplied by one number so that
    their variance is 1 on average over dimensions (the number comes from the first batch), which lets one lr and
    one penalty serve every site; at the end it is folded back, so the dictionary fits the activations as they came,
    also where a run is interrupted. Outliers, a few rows of a batch that are more than 20 times as long as the median
    row, have no say in this number; in training they are shortened to the longest of the others, and a warning says so.
    A dictionary whose b_dec is 0 is fresh and starts at the first batch's mean; any other is trained on from where
    it is. `bf16` runs the large matrix products in bfloat16. `watch` is called with the curves whenever something was
    recorded, and where a run goes on (`saelab.plots.live` draws them).

    Latents silent for `dead_after` steps are dead, and AuxK's to wake where the dictionary has it. With
    `resample_every` those dead after so many steps start again each time, but for the last twentieth (`resample`).

    Under `torchrun`, with a process group, every process calls this with its own rows of each batch, equally many; all
    end with the same dictionary, and with that of a single process up to rounding (see `parallel`).

    Raises ValueError, in a sentence, for what can't be trained or trained on. NaN or infinity in a batch or in the loss
    stops at its step, with the last good checkpoint kept.
    """
    check_whole(steps=steps, dead_after=dead_after, log_every=log_every, checkpoint_every=checkpoint_every)
    check_whole(resample_every=1 if resample_every is None else resample_every)
    check_amount(lr=lr, zero=False)
    _check_trainable(sae, resample_every)
    warmup = max(1, steps // 20) if warmup is None else warmup
    optimiser = torch.optim.Adam(sae.parameters(), lr=lr, fused=True)
    silent = torch.zeros(sae.d_sae, dtype=torch.int32, device=sae.W_dec.device)  # steps since each latent was on
    x, y = (parallel.gathered(part) for part in taken(batches(0), sae, "the batch of step 0"))
    run = {"architecture": type(sae).__name__, **sae.config, "steps": steps, "lr": lr, "warmup": warmup, "bf16": bf16}
    run |= {"normalise": normalise, "dead_after": dead_after, "resample_every": resample_every, "log_every": log_every}
    run |= {"batch": list(x.shape), "dtype": str(sae.W_dec.dtype)}
    run |= {"frozen": [name for name, parameter in sae.named_parameters() if not parameter.requires_grad]}
    begun, data = sample(*sae.parameters()), sample(x, y)
    path = Path(checkpoint).absolute() if checkpoint else None
    start, scale, history = 0, (1.0, 1.0), History()
    if path and path.exists():
        state, tensors = open_checkpoint(path, run, [begun, sae.starts.get(path)], data)
        put_back(tensors, sae, optimiser, silent)
        start, scale, history = state["step"], tuple(state["scale"]), History(**state["history"])
        begun = tensors["start"]
        if watch and parallel.is_first():
            watch(history)
    else:
        scale = _begin(sae, x, y, normalise)
    if path:
        sae.starts[path] = begun
    warned = False

    sae.train()
    loss_of = parallel.averaging(sae)
    quiet, out = not (progress and parallel.is_first()), sys.stdout if "ipykernel" in sys.modules else sys.stderr
    bar = {"initial": start, "total": steps, "disable": quiet, "leave": False, "file": out}  # Jupyter's stderr is red
    try:
        for step in tqdm(range(start, steps), **bar):
            x, y, keep = shortened(*taken(batches(step), sae, f"the batch of step {step}"))
            if keep is not None and not warned:
                warnings.warn(_outliers(keep, step), stacklevel=4)
                warned = True
            x, y = (x * scale[0],) * 2 if y is x else (x * scale[0], y * scale[1])
            for group in optimiser.param_groups:
                group["lr"] = lr * min((step + 1) / max(1, warmup), (steps - step) / max(1, steps / 5), 1.0)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
                loss = loss_of(x, y, dead=silent >= dead_after, warm=min(1.0, (step + 1) / max(1, 2 * warmup)))
            optimiser.zero_grad()
            total = loss.total
            if not total.isfinite():
                raise ValueError(f"The loss is {total.item()} at step {step}, though its batch is finite. {DIVERGED}")
            total.backward()
            _update(sae, optimiser)
            with torch.no_grad():
                silent += 1
                silent[parallel.gathered((loss.f > 0).any(0, keepdim=True).byte()).bool().any(0)] = 0
                if step % log_every == 0 or step == steps - 1:
                    dead = float((silent >= dead_after).float().mean())
                    history.record(step, **_numbers(loss, y, keep), dead=dead)
                    if watch and parallel.is_first():
                        watch(history)
                if resample_every and (step + 1) % resample_every == 0 and step < 0.95 * steps:
                    rows, error = parallel.gathered(x), parallel.gathered(y - loss.x_hat)
                    silent[resample(sae, optimiser, silent >= dead_after, rows, error, seed=step)] = 0
            if path and parallel.is_first() and ((step + 1) % checkpoint_every == 0 or step == steps - 1):
                state = {"step": step + 1, "scale": scale, "run": run, "history": asdict(history)}
                save_checkpoint(path, state, sae, optimiser, {"silent": silent, "start": begun, "data": data})
        check_finite(sae, "after the last step")
    finally:
        sae.rescale(1 / scale[0], 1 / scale[1])
        sae.eval()
    if isinstance(sae, BatchTopKSAE):
        ends = range(max(0, steps - 8), steps)
        last = [taken(batches(step), sae, f"the batch of step {step}")[0] for step in ends]
        calibrate(sae, parallel.gathered(torch.cat(last)))
    return history


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
def start_from(sae: SAE, activations: Tensor, seed: int = 0) -> None:
    """Before training: let each row of W_dec be the direction of one of the activations [n, d_in], less their mean.

    They are drawn one after another, each with a chance that grows with its distance (1 - cosine) from those drawn
    before (as k-means++ does), so rare ones are drawn too. W_enc becomes the transpose, b_dec the mean. It helps
    where an activation is little more than one feature, as a token's embedding is: there a random start leaves many
    latents dead. Where an activation is a sum of many features, a random start finds more of them.
    """
    if activations.shape[1:] != (sae.d_in,) or sae.W_dec.shape[1] != sae.d_in or len(activations) < sae.d_sae:
        raise ValueError(f"Give at least d_sae = {sae.d_sae} activations [n, {sae.d_in}] of the site itself.")
    activations = inputs(activations, sae, "what start_from was given")
    mean = activations.mean(0)
    directions = torch.nn.functional.normalize(activations - mean, dim=1)
    distance, generator = torch.ones(len(directions)), torch.Generator().manual_seed(seed)
    for i in range(sae.d_sae):
        drawn = directions[int(torch.multinomial(distance, 1, generator=generator))]
        distance = torch.minimum(distance, (1 - directions @ drawn).clamp_min(1e-9))
        sae.W_dec[i] = drawn
    sae.W_enc.copy_(sae.W_dec.T)
    sae.b_dec.copy_(mean)


@torch.no_grad()
def calibrate(sae: SAE, activations: Tensor) -> float:
    """Set the inference threshold so that k latents are on for an average row of activations [n, d_in].

    Use many rows (tens of thousands) that are like those the dictionary will see; returns the threshold. Only the
    BatchTopK family has one such number. Raises ValueError for any other, and for activations that don't fit.
    """
    if not isinstance(sae, BatchTopKSAE):
        raise ValueError(f"{type(sae).__name__} has no threshold to calibrate; only the BatchTopK family has one.")
    activations = inputs(activations, sae, "what calibrate was given")
    parts = activations.split(8192)
    bound = min(batch_threshold(sae.hidden(part), sae.k) for part in parts)  # the threshold of all isn't below it
    largest = torch.cat([h[h >= bound] for h in map(sae.hidden, parts)])
    n = sae.k * len(activations) + 1
    theta = largest.kthvalue(len(largest) - n + 1).values if n <= len(largest) else torch.zeros(())
    sae.threshold.copy_(theta)
    return float(theta)


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


def _numbers(loss: Loss, y: Tensor, keep: Tensor | None) -> dict[str, float]:
    """Terms, l0 and fvu of a batch; of the whole batch, where several processes have a part of it each.

    The fvu is that of the rows to `keep` [batch] (bool), if they aren't all.
    """
    weights = torch.ones_like(y[:, :1]) if keep is None else keep.to(y).reshape(-1, *[1] * (y.ndim - 1))
    y, x_hat = y * weights, loss.x_hat * weights  # rows that are left out become 0 on both sides
    share = parallel.gathered(weights.flatten(1).mean(0, keepdim=True)).mean()
    mean = parallel.gathered(y.mean(0, keepdim=True)).mean(0) / share
    error, variance = squared_error(y, x_hat), squared_error(y, mean * weights)
    found = {name: float(term) for name, term in loss.terms.items()}
    found |= {"l0": float((loss.f > 0).sum()) / len(loss.f), "error": float(error), "variance": float(variance)}
    found = parallel.mean(found)
    lost, total = found.pop("error"), found.pop("variance")
    return found | {"fvu": lost / total if total else float("nan")}
