"""What all sparse autoencoders here share, and those with a penalty: Standard (L1), Gated, JumpReLU (L0).

Letters: x [batch, d_in] the activations, h [batch, d_sae] pre-activations, f [batch, d_sae] latents,
x̂ the reconstruction; W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_in], b_dec [d_in].
‖·‖² is summed over d_in and averaged over the batch. Rows of W_dec have norm 1 (training.py keeps them so).
"""

import math
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class Loss:
    """What `SAE.loss` returns: the named terms (scalars, weights included), f [batch, d_sae] and x̂."""

    terms: dict[str, Tensor]
    f: Tensor
    x_hat: Tensor

    @property
    def total(self) -> Tensor:
        return sum(self.terms.values(), torch.zeros(()))


class SAE(nn.Module):
    """What all have in common; a subclass says what `activate` and `loss` are.

        h = (x - b_dec) W_enc + b_enc
        f = activate(h)
        x̂ = f W_dec + b_dec

    W_dec starts as random unit rows (a function of `seed`) and W_enc as its transpose. `config` rebuilds the
    object: `type(sae)(**sae.config)`. `metadata` travels with the file: model_name, hook_name, your own notes.
    """

    W_enc: nn.Parameter
    W_dec: nn.Parameter
    b_enc: nn.Parameter
    b_dec: nn.Parameter
    scaled_with_x: tuple[str, ...] = ("b_enc", "b_dec")  # what must grow with the activations, besides f itself
    biases: tuple[str, ...] = ("b_enc",)
    of_latents: tuple[str, ...] = ("W_enc", "W_dec", "b_enc")  # parameters of which each latent has a part of its own
    pairs: bool = False  # is a batch a pair of inputs and outputs?

    def __init__(
        self, d_in: int, d_sae: int, *, d_out: int | None = None, seed: int = 0, metadata: dict | None = None, **more
    ):
        super().__init__()
        check_whole(d_in=d_in, d_sae=d_sae, d_out=d_in if d_out is None else d_out)
        d_in, d_sae = int(d_in), int(d_sae)
        self.d_in, self.d_sae = d_in, d_sae
        self.config: dict[str, Any] = {"d_in": d_in, "d_sae": d_sae, **more}
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.starts: dict[Path, Tensor] = {}  # by checkpoint: numbers of the weights that its run began with
        generator = torch.Generator().manual_seed(seed)
        W_dec = F.normalize(torch.randn(d_sae, d_out or d_in, generator=generator), dim=1)
        W_enc = W_dec if d_out is None else F.normalize(torch.randn(d_sae, d_in, generator=generator), dim=1)
        self.W_enc = nn.Parameter(W_enc.T.clone(memory_format=torch.contiguous_format))
        self.W_dec = nn.Parameter(W_dec)
        self.b_enc = nn.Parameter(torch.zeros(d_sae))
        self.b_dec = nn.Parameter(torch.zeros(d_out or d_in))

    @property
    def in_shape(self) -> tuple[int, ...]:
        """The shape of one row of x."""
        return (self.d_in,)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """The shape of one row of what is reconstructed."""
        return self.in_shape

    def hidden(self, x: Tensor) -> Tensor:
        """Pre-activations h [..., d_sae] of x [..., d_in]."""
        return (x - self.b_dec) @ self.W_enc + self.b_enc

    def activate(self, h: Tensor) -> Tensor:
        """Latents f [..., d_sae] from pre-activations h."""
        raise NotImplementedError

    def encode(self, x: Tensor) -> Tensor:
        """Latents f [..., d_sae] of activations x [..., d_in]; never negative."""
        return self.activate(self.hidden(x))

    def decode(self, f: Tensor) -> Tensor:
        """Reconstruction x̂ [..., d_in] from latents f [..., d_sae]."""
        return f @ self.W_dec + self.b_dec

    def forward(self, x: Tensor) -> Tensor:
        """x̂, the reconstruction of x."""
        return self.decode(self.encode(x))

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        """The training loss on a batch x [batch, d_in].

        y is the target (only a transcoder's differs from x), `dead` [d_sae] marks latents that have long been
        silent (for AuxK), and `warm` in 0 … 1 multiplies the sparsity penalty.
        """
        raise NotImplementedError

    @torch.no_grad()
    def start_at(self, x: Tensor, y: Tensor) -> None:
        """Set b_dec to the mean of a first batch, so that the dictionary need not learn it."""
        self.b_dec.copy_(y.mean(0).flatten())

    @torch.no_grad()
    def set_biases(self, rows: Tensor, x: Tensor, size: Tensor) -> None:
        """Let latent rows[i] be size[i] at x[i], the activations x [n, d_in]."""
        for name in self.biases:
            getattr(self, name)[rows] = 0.0
        bias = size - self.hidden(x).gather(1, rows[:, None])[:, 0]
        for name in self.biases:
            getattr(self, name)[rows] = bias

    @torch.no_grad()
    def rescale(self, s: float, s_out: float | None = None) -> None:
        """Make it the same dictionary for activations s times as large: f and x̂ grow by s as well."""
        for name in self.scaled_with_x:
            getattr(self, name).mul_(s_out or s)


@torch.no_grad()
def above(h: Tensor, threshold: Tensor) -> Tensor:
    """1[h > threshold] in h's dtype: numbers multiply faster than booleans."""
    return torch.gt(h, threshold, out=torch.empty_like(h))


def check_whole(**sizes: Any) -> None:
    """Raise ValueError unless each of these is a whole number, 1 or more."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, not {size!r}.")


def check_amount(*, zero: bool = True, **amounts: Any) -> None:
    """Raise ValueError unless each of these is a finite number, 0 or more (without `zero`: more than 0)."""
    for name, amount in amounts.items():
        if not (math.isfinite(amount) and (amount > 0 or (zero and amount == 0))):
            raise ValueError(f"{name} must be a number, {'0 or more' if zero else 'more than 0'}, not {amount!r}.")


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x - x̂‖²: summed over everything but the batch, averaged over the batch."""
    return (x - x_hat).square().flatten(1).sum(1).mean()


class StandardSAE(SAE):
    """ReLU and an L1 penalty (Bricken et al. 2023).

        f = ReLU(h)
        loss = ‖x - x̂‖² + l1 · Σᵢ fᵢ

    The penalty also pulls the fᵢ that stay: that of a lone feature, on with probability p, by l1 / (2 (1 - p)).
    """

    def __init__(self, d_in: int, d_sae: int, l1: float = 1.0, **more):
        super().__init__(d_in, d_sae, l1=l1, **more)
        check_amount(l1=l1)
        self.l1 = l1

    def activate(self, h: Tensor) -> Tensor:
        return h.relu()

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        f = self.encode(x)
        x_hat = self.decode(f)
        penalty = f.sum(dtype=torch.float32) / len(x)
        return Loss({"mse": squared_error(x, x_hat), "l1": warm * self.l1 * penalty}, f, x_hat)


class GatedSAE(SAE):
    """One path decides whether a latent is on, another how much; only the first is penalised.

        π = (x - b_dec) W_enc + b_gate                   is it on?
        m = (x - b_dec) W_enc · exp(r_mag) + b_mag       how much?
        f = 1[π > 0] · ReLU(m)
        loss = ‖x - x̂‖² + l1 · Σᵢ ReLU(πᵢ) + ‖x - (ReLU(π) W_dec + b_dec)‖²     W_dec, b_dec frozen in the last

    Rajamanoharan et al. 2024, "Improving Dictionary Learning with Gated Sparse Autoencoders".
    """

    scaled_with_x = ("b_gate", "b_mag", "b_dec")
    biases = ("b_gate", "b_mag")
    of_latents = ("W_enc", "W_dec", "b_gate", "b_mag", "r_mag")

    def __init__(self, d_in: int, d_sae: int, l1: float = 1.0, **more):
        super().__init__(d_in, d_sae, l1=l1, **more)
        check_amount(l1=l1)
        self.l1 = l1
        del self.b_enc
        self.b_gate = nn.Parameter(torch.zeros(d_sae))
        self.b_mag = nn.Parameter(torch.zeros(d_sae))
        self.r_mag = nn.Parameter(torch.zeros(d_sae))

    def hidden(self, x: Tensor) -> Tensor:
        return (x - self.b_dec) @ self.W_enc

    def activate(self, h: Tensor) -> Tensor:
        return above(h, -self.b_gate) * torch.addcmul(self.b_mag, h, self.r_mag.exp()).relu()

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        h = self.hidden(x)
        f = self.activate(h)
        x_hat = self.decode(f)
        gate = (h + self.b_gate).relu()
        by_gate = gate @ self.W_dec.detach() + self.b_dec.detach()
        penalty = gate.sum(dtype=torch.float32) / len(x)
        terms = {"mse": squared_error(x, x_hat), "l1": warm * self.l1 * penalty, "gate": squared_error(x, by_gate)}
        return Loss(terms, f, x_hat)

    @torch.no_grad()
    def set_biases(self, rows: Tensor, x: Tensor, size: Tensor) -> None:
        """Let latent rows[i] be size[i] at x[i], and both its paths the same."""
        super().set_biases(rows, x, size)
        self.r_mag[rows] = 0.0


class JumpReLUSAE(SAE):
    """Each latent has a threshold θ of its own, trained with an L0 penalty by straight-through gradients.

        f = h · 1[h > θ]
        loss = ‖x - x̂‖² + l0 · Σᵢ 1[hᵢ > θᵢ]

    A step has no gradient, so a kernel K = 1[|·| < ½] of width ε stands in for it at the threshold:

        ∂f/∂θ := -(θ/ε) K((h - θ)/ε)          ∂1[h > θ]/∂θ := -(1/ε) K((h - θ)/ε)

    Rajamanoharan et al. 2024, "Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse
    Autoencoders". There log θ is trained; here θ itself, kept at 0 or more by the training loop. A lone feature
    is worth its latent where f² > l0. ε and the first θ are wide, for short runs: `train` scales activations so
    that at first h has a standard deviation of about 1.
    """

    scaled_with_x = ("b_enc", "b_dec", "threshold")
    of_latents = ("W_enc", "W_dec", "b_enc", "threshold")

    def __init__(self, d_in: int, d_sae: int, l0: float = 1.0, bandwidth: float = 0.5, threshold: float = 1.0, **more):
        super().__init__(d_in, d_sae, l0=l0, bandwidth=bandwidth, **more)
        check_amount(l0=l0, threshold=threshold)
        check_amount(bandwidth=bandwidth, zero=False)
        self.l0, self.bandwidth = l0, bandwidth
        self.threshold = nn.Parameter(torch.full((d_sae,), float(threshold)))

    def activate(self, h: Tensor) -> Tensor:
        return Jump.apply(h, self.threshold, self.bandwidth)[0]

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        f, on = Jump.apply(self.hidden(x), self.threshold, self.bandwidth)
        x_hat = self.decode(f)
        return Loss({"mse": squared_error(x, x_hat), "l0": warm * self.l0 * on.sum() / len(x)}, f, x_hat)

    @torch.no_grad()
    def set_biases(self, rows: Tensor, x: Tensor, size: Tensor) -> None:
        """Let latent rows[i] be size[i] at x[i], twice its threshold."""
        super().set_biases(rows, x, size)
        self.threshold[rows] = size / 2


class Jump(torch.autograd.Function):
    """(h · 1[h > θ], 1[h > θ]) with the two gradients for θ that JumpReLUSAE's docstring gives."""

    @staticmethod
    def forward(ctx, h: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
        on = above(h, threshold)
        ctx.save_for_backward(h, on, threshold)
        ctx.bandwidth = bandwidth
        return h * on, on

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad_f, grad_on), (h, on, threshold) = grads, ctx.saved_tensors
        near = (h - threshold).abs_().lt_(ctx.bandwidth / 2)
        to_threshold = torch.addcmul(grad_on, grad_f, threshold).mul_(near).flatten(0, -2).sum(0)
        return grad_f * on, -to_threshold / ctx.bandwidth, None
