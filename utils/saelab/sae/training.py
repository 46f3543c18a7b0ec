"""One training loop for every dictionary, and the threshold afterwards."""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from . import parallel
from .architectures import SAE, check_whole
from .batches import inputs, taken
from .checkpoints import check_finite
from .curves import History
from .run import Batch, Plan, Run
from .topk import BatchTopKSAE, batch_threshold


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
    check_whole(checkpoint_every=checkpoint_every, steps=steps)
    warmup = max(1, steps // 20) if warmup is None else warmup
    plan = Plan(steps, lr, warmup, bf16, normalise, dead_after, resample_every, log_every)
    run = Run(sae, batches, plan, checkpoint, watch)
    quiet, out = not (progress and parallel.is_first()), sys.stdout if "ipykernel" in sys.modules else sys.stderr
    bar = {
        "initial": run.start,
        "total": steps,
        "disable": quiet,
        "leave": False,
        "file": out,
    }  # Jupyter's stderr is red
    try:
        for step in tqdm(range(run.start, steps), **bar):
            run.step(step)
            if (step + 1) % checkpoint_every == 0 or plan.is_last(step):
                run.save(step)
        check_finite(sae, "after the last step")
    finally:
        run.end()
    if isinstance(sae, BatchTopKSAE):
        ends = range(max(0, steps - 8), steps)
        last = [taken(batches(step), sae, f"the batch of step {step}")[0] for step in ends]
        calibrate(sae, parallel.gathered(torch.cat(last)))
    return run.history


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
