"""SAEs that choose their sparsity instead of penalising it: TopK, BatchTopK, Matryoshka.

The letters are those of architectures.py.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from . import parallel
from .architectures import SAE, Loss, above, check_amount, check_whole, squared_error


class TopKSAE(SAE):
    """The k largest pre-activations of each sample, no penalty; AuxK wakes the dead.

        f = ReLU(TopK(h))
        loss = ‖x - x̂‖² + aux · ‖e - ê‖²     e = x - x̂ (held fixed), ê from the k_aux largest dead latents

    Gao et al. 2024, "Scaling and evaluating sparse autoencoders": aux = 1/32, k_aux about d_in / 2.
    """

    def __init__(self, d_in: int, d_sae: int, k: int, aux: float = 1 / 32, **more):
        check_whole(k=k)
        check_amount(aux=aux)
        super().__init__(d_in, d_sae, k=int(k), aux=aux, **more)
        if k > d_sae:
            raise ValueError(f"k must be between 1 and d_sae = {d_sae}, not {k}.")
        self.k, self.aux = int(k), aux

    def activate(self, h: Tensor) -> Tensor:
        return keep_top(h, self.k)

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        h = self.hidden(x)
        f = self.activate(h)
        x_hat = self.decode(f)
        return Loss({"mse": squared_error(x, x_hat), "aux": self.aux_k(h, x - x_hat, dead)}, f, x_hat)

    def aux_k(self, h: Tensor, e: Tensor, dead: Tensor | None) -> Tensor:
        """aux · ‖e - ê‖², or 0 where nothing is dead."""
        if dead is None or not dead.any():
            return torch.zeros((), device=h.device)
        f = keep_top(h[:, dead], max(1, self.d_in // 2))
        return self.aux * squared_error(e.detach().flatten(1), f @ self.W_dec[dead])


def keep_top(h: Tensor, k: int) -> Tensor:
    """ReLU of h with all but the k largest of each row set to 0."""
    values, indices = h.topk(min(k, h.shape[-1]), dim=-1, sorted=False)
    return torch.zeros_like(h).scatter(-1, indices, values.relu())


class BatchTopKSAE(TopKSAE):
    """The k · batch largest pre-activations of the whole batch, so a sample may use more than k or fewer.

        f = h · 1[h > θ]     θ ≥ 0: in training the (k · batch + 1)-th largest h, afterwards `threshold`
        loss = TopK's

    As with batch normalisation, `train()` mode looks at the batch and keeps a running `threshold`, and `eval()`
    mode uses it; `calibrate` sets it from many activations. Bussmann et al. 2024, "BatchTopK Sparse Autoencoders".
    """

    threshold: Tensor
    scaled_with_x = ("b_enc", "b_dec", "threshold")

    def __init__(self, d_in: int, d_sae: int, k: int, **more):
        super().__init__(d_in, d_sae, k, **more)
        self.register_buffer("threshold", torch.tensor(float("nan")))

    def activate(self, h: Tensor) -> Tensor:
        if self.training:
            theta = batch_threshold(h.detach(), self.k, parallel.processes())
            self.threshold.copy_(theta if self.threshold.isnan().any() else self.threshold.lerp(theta, 0.02))
            return F.threshold(h, float(theta), 0.0)
        if self.threshold.isnan().any():
            raise ValueError("This dictionary has no threshold yet: train it, or call calibrate(sae, activations).")
        return h * above(h, self.threshold)


def batch_threshold(h: Tensor, k: int, processes: int = 1) -> Tensor:
    """The θ ≥ 0 above which lie the k · batch largest of h [..., d_sae] (fewer where not so many are positive).

    With several processes: of the batch that they have together; each sends only those of its own that may count.
    """
    keep, values = k * h[..., 0].numel() * processes, h.flatten()
    values = values if values.dtype == torch.float64 else values.float()
    if keep >= h.numel() * processes:
        return torch.zeros((), device=h.device)
    if processes > 1:
        values = parallel.gathered(values.topk(min(keep + 1, len(values))).values)
    return nth_largest(values, keep + 1).clamp_min(0.0)


def nth_largest(values: Tensor, n: int) -> Tensor:
    """The n-th largest of values [size]. Exact: a sample only says below which bound nobody need look."""
    sample = values[::61]
    rank = int(len(sample) * (1 - 1.5 * n / len(values)))
    if rank >= 1:
        candidates = values[values > sample.kthvalue(rank).values]
        if len(candidates) >= n:
            values = candidates
    return values.kthvalue(len(values) - n + 1).values


class MatryoshkaSAE(BatchTopKSAE):
    """BatchTopK whose first latents must do on their own, so general features come first.

        x̂ₘ = f[:m] W_dec[:m] + b_dec                  for each m in prefixes; the last is d_sae
        loss = Σₘ ‖x - x̂ₘ‖² + AuxK's term

    Bussmann et al. 2025, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders".
    """

    def __init__(self, d_in: int, d_sae: int, k: int, prefixes: Sequence[int] | None = None, **more):
        prefixes = list(prefixes) if prefixes else sorted({max(1, d_sae // n) for n in (16, 8, 4, 2, 1)})
        for m in prefixes:
            check_whole(**{"each of prefixes": m})
        prefixes = [int(m) for m in prefixes]
        super().__init__(d_in, d_sae, k, prefixes=prefixes, **more)
        if prefixes != sorted(set(prefixes)) or prefixes[-1] != d_sae:
            raise ValueError(f"prefixes must grow from 1 or more to d_sae = {d_sae}, each only once, not {prefixes}.")
        self.prefixes = prefixes

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        h = self.hidden(x)
        f = self.activate(h)
        x_hat: Tensor = self.b_dec
        errors = []
        widths = [m - n for n, m in zip([0, *self.prefixes], self.prefixes)]
        for f_part, W_part in zip(f.split(widths, dim=1), self.W_dec.split(widths)):
            x_hat = x_hat + f_part @ W_part
            errors.append(squared_error(x, x_hat))
        terms = {"mse": errors[-1], "prefixes": torch.stack(errors[:-1]).sum() if errors[1:] else errors[0] * 0}
        return Loss({**terms, "aux": self.aux_k(h, x - x_hat, dead)}, f, x_hat)
