"""One training loop for every dictionary, the threshold afterwards, and checkpoints to go on from."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from . import parallel
from .architectures import SAE, JumpReLUSAE, Loss, squared_error
from .resampling import resample
from .topk import BatchTopKSAE, batch_threshold

Batch = Tensor | tuple[Tensor, Tensor]


@dataclass
class History:
    """What was recorded every `log_every` steps: each curve has one number for each of `steps`.

    The curves are the loss's terms in training units (see `train`), `l0` (latents on per sample), `fvu` (fraction
    of variance unexplained, on the training batch) and `dead` (share of latents silent for `dead_after` steps).
    """

    steps: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)

    def record(self, step: int, **values: float) -> None:
        self.steps.append(step)
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[float]:
        return self.curves[name]


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

    `batches(step)` gives x [batch, d_in] (a crosscoder's: [batch, sites, d_in]; a transcoder's: a pair x, y). Data
    order is a function of the step, so a run that was killed goes on from its `checkpoint` (a file name; delete it
    when done) with the same numbers, and two runs agree exactly.

    The learning rate rises over `warmup` steps (a twentieth of all), and falls to 0 over the last fifth; an L1 or
    L0 penalty rises over twice that. Unless `normalise` is off, activations are multiplied by one number so that
    their variance is 1 on average over dimensions (the number comes from the first batch), which lets one lr and
    one penalty serve every site; at the end it is folded back, so the dictionary fits the activations as they came.
    A dictionary whose b_dec is 0 is fresh and starts at the first batch's mean; any other is trained on from where
    it is. `bf16` runs the large matrix products in bfloat16. `watch` is called with the curves whenever something was
    recorded, and where a run goes on (`saelab.plots.live` draws them).

    Latents silent for `dead_after` steps are dead, and AuxK's to wake where the dictionary has it. With
    `resample_every` those dead after so many steps start again each time, but for the last twentieth (`resample`).

    Under `torchrun`, with a process group, every process calls this with its own rows of each batch, equally many; all
    end with the same dictionary, and with that of a single process up to rounding (see `parallel`).
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}.")
    warmup = max(1, steps // 20) if warmup is None else warmup
    optimiser = torch.optim.Adam(sae.parameters(), lr=lr, fused=True)
    silent = torch.zeros(sae.d_sae, dtype=torch.int32, device=sae.W_dec.device)  # steps since each latent was on
    history, scale = History(), (1.0, 1.0)
    run = {"architecture": type(sae).__name__, **sae.config, "steps": steps, "lr": lr, "warmup": warmup, "bf16": bf16}
    run |= {"normalise": normalise, "dead_after": dead_after, "resample_every": resample_every, "log_every": log_every}
    path = Path(checkpoint) if checkpoint else None
    start = 0
    if path and path.exists():
        start, scale, history = _resume(path, run, sae, optimiser, silent)
        if watch and parallel.is_first():
            watch(history)
    else:
        x, y = (parallel.gathered(part) for part in _pair(batches(0)))
        if normalise:
            scale = (_scale(x), _scale(y))
        if sae.b_dec.any():
            sae.rescale(*scale)
        else:
            sae.start_at(x * scale[0], y * scale[1])

    sae.train()
    loss_of = parallel.averaging(sae)
    quiet, out = not (progress and parallel.is_first()), sys.stdout if "ipykernel" in sys.modules else sys.stderr
    bar = {"initial": start, "total": steps, "disable": quiet, "leave": False, "file": out}  # Jupyter's stderr is red
    for step in tqdm(range(start, steps), **bar):
        x, y = _pair(batches(step))
        x, y = (x * scale[0],) * 2 if y is x else (x * scale[0], y * scale[1])
        for group in optimiser.param_groups:
            group["lr"] = lr * min((step + 1) / max(1, warmup), (steps - step) / max(1, steps / 5), 1.0)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            loss = loss_of(x, y, dead=silent >= dead_after, warm=min(1.0, (step + 1) / max(1, 2 * warmup)))
        optimiser.zero_grad()
        loss.total.backward()
        _update(sae, optimiser)
        with torch.no_grad():
            silent += 1
            silent[parallel.gathered((loss.f > 0).any(0, keepdim=True).byte()).bool().any(0)] = 0
            if step % log_every == 0 or step == steps - 1:
                dead = float((silent >= dead_after).float().mean())
                history.record(step, **_numbers(loss, y), dead=dead)
                if watch and parallel.is_first():
                    watch(history)
            if resample_every and (step + 1) % resample_every == 0 and step < 0.95 * steps:
                rows, error = parallel.gathered(x), parallel.gathered(y - loss.x_hat)
                silent[resample(sae, optimiser, silent >= dead_after, rows, error, seed=step)] = 0
        if path and parallel.is_first() and ((step + 1) % checkpoint_every == 0 or step == steps - 1):
            _save_checkpoint(path, step + 1, scale, run, sae, optimiser, silent, history)

    sae.rescale(1 / scale[0], 1 / scale[1])
    sae.eval()
    if isinstance(sae, BatchTopKSAE):
        last = [_pair(batches(step))[0] for step in range(max(0, steps - 8), steps)]
        calibrate(sae, parallel.gathered(torch.cat(last)))
    return history


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
    BatchTopK family has one such number.
    """
    if not isinstance(sae, BatchTopKSAE):
        raise ValueError(f"{type(sae).__name__} has no threshold to calibrate; only the BatchTopK family has one.")
    parts = activations.split(8192)
    bound = min(batch_threshold(sae.hidden(part), sae.k) for part in parts)  # the threshold of all isn't below it
    largest = torch.cat([h[h >= bound] for h in map(sae.hidden, parts)])
    n = sae.k * len(activations) + 1
    theta = largest.kthvalue(len(largest) - n + 1).values if n <= len(largest) else torch.zeros(())
    sae.threshold.copy_(theta)
    return float(theta)


def _pair(batch: Batch) -> tuple[Tensor, Tensor]:
    return (batch, batch) if isinstance(batch, Tensor) else batch


def _scale(x: Tensor) -> float:
    """What to multiply x by for a mean variance of 1."""
    return float(1 / (x - x.mean(0)).square().mean().sqrt().clamp_min(1e-8))


@torch.no_grad()
def _update(sae: SAE, optimiser: torch.optim.Optimizer) -> None:
    """One step of Adam that leaves the rows of W_dec at norm 1 and thresholds at 0 or more."""
    grad = sae.W_dec.grad
    assert grad is not None
    grad -= (grad * sae.W_dec).sum(1, keepdim=True) * sae.W_dec  # only what turns the row, not what stretches it
    optimiser.step()
    sae.W_dec.div_(sae.W_dec.norm(dim=1, keepdim=True))
    if isinstance(sae, JumpReLUSAE):
        sae.threshold.clamp_(min=0.0)


def _numbers(loss: Loss, y: Tensor) -> dict[str, float]:
    """Terms, l0 and fvu of a batch; of the whole batch, where several processes have a part of it each."""
    mean = parallel.gathered(y.mean(0, keepdim=True)).mean(0)
    error, variance = squared_error(y, loss.x_hat), squared_error(y, mean)
    found = {name: float(term) for name, term in loss.terms.items()}
    found |= {"l0": float((loss.f > 0).sum()) / len(loss.f), "error": float(error), "variance": float(variance)}
    found = parallel.mean(found)
    lost, total = found.pop("error"), found.pop("variance")
    return found | {"fvu": lost / total if total else float("nan")}


def _save_checkpoint(path: Path, step: int, scale, run: dict, sae: SAE, optimiser, silent: Tensor, history: History):
    """One safetensors file, its header holding the numbers as JSON; complete or not there at all."""
    tensors = {f"sae.{name}": value for name, value in sae.state_dict().items()} | {"silent": silent}
    for name, parameter in sae.named_parameters():
        tensors |= {f"adam.{key}.{name}": value for key, value in optimiser.state[parameter].items()}
    state = {"step": step, "scale": scale, "run": run, "history": asdict(history)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, temporary, {"state": json.dumps(state)})
    os.replace(temporary, path)


def _resume(path: Path, run: dict, sae: SAE, optimiser: torch.optim.Optimizer, silent: Tensor):
    """Put a checkpoint's state in place; returns the next step, the scale and the history."""
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint of saelab. Name another file, or delete this one.") from error
    changed = [key for key in run if run[key] != state["run"].get(key)]
    if changed:
        what = ", ".join(f"{key} {state['run'].get(key)} there, {run[key]} here" for key in changed)
        raise ValueError(f"{path} belongs to another run ({what}). Name another file, or delete this one.")
    sae.load_state_dict({key[4:]: value for key, value in tensors.items() if key.startswith("sae.")})
    silent.copy_(tensors["silent"])
    for name, parameter in sae.named_parameters():
        keys = ("step", "exp_avg", "exp_avg_sq")
        optimiser.state[parameter] = {key: tensors[f"adam.{key}.{name}"].to(parameter.device) for key in keys}
    return state["step"], tuple(state["scale"]), History(**state["history"])
