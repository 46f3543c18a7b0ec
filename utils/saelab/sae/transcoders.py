"""Dictionaries whose input and output are different places: transcoders, and a crosscoder for several at once."""

import torch
from torch import Tensor, nn

from .architectures import Loss, check_whole, squared_error
from .topk import BatchTopKSAE


class Transcoder(BatchTopKSAE):
    """What an MLP computes, sparsely: from its input x [..., d_in] to its output y [..., d_out].

        h = x W_enc + b_enc           no b_dec here: it belongs to y
        f = BatchTopK(h)
        ŷ = f W_dec + b_dec
        loss = ‖y - ŷ‖² + AuxK's term

    Dunefsky et al. 2024, "Transcoders Find Interpretable LLM Feature Circuits" (there with ReLU and L1).
    """

    pairs = True

    def __init__(self, d_in: int, d_sae: int, k: int, d_out: int | None = None, **more):
        super().__init__(d_in, d_sae, k, d_out=d_out or d_in, **more)
        self.d_out = self.config["d_out"] = d_out or d_in

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (self.d_out,)

    def hidden(self, x: Tensor) -> Tensor:
        return x @ self.W_enc + self.b_enc

    def output(self, x: Tensor, f: Tensor) -> Tensor:
        """ŷ [..., d_out] from latents f and, in a skip transcoder, the input."""
        return self.decode(f)

    def forward(self, x: Tensor) -> Tensor:
        """ŷ, the prediction of the output at x."""
        return self.output(x, self.encode(x))

    def loss(self, x: Tensor, y: Tensor | None = None, *, dead: Tensor | None = None, warm: float = 1.0) -> Loss:
        if y is None:
            raise ValueError("A transcoder's batch is a pair: the activations at its input and at its output.")
        h = self.hidden(x)
        f = self.activate(h)
        y_hat = self.output(x, f)
        return Loss({"mse": squared_error(y, y_hat), "aux": self.aux_k(h, y - y_hat, dead)}, f, y_hat)

    @torch.no_grad()
    def start_at(self, x: Tensor, y: Tensor) -> None:
        """b_dec is the mean output; b_enc takes the mean input away."""
        self.b_dec.copy_(y.mean(0))
        self.b_enc.copy_(-x.mean(0) @ self.W_enc)

    @torch.no_grad()
    def rescale(self, s: float, s_out: float | None = None) -> None:
        """The same transcoder for inputs s times and outputs s_out times as large; f grows by s_out."""
        super().rescale(s, s_out)
        self.W_enc.mul_((s_out or s) / s)


class SkipTranscoder(Transcoder):
    """A transcoder with a linear way past the latents, W_skip [d_in, d_out].

        ŷ = f W_dec + x W_skip + b_dec

    Paulo et al. 2025, "Transcoders Beat Sparse Autoencoders for Interpretability".
    """

    def __init__(self, d_in: int, d_sae: int, k: int, d_out: int | None = None, **more):
        super().__init__(d_in, d_sae, k, d_out, **more)
        self.W_skip = nn.Parameter(torch.zeros(d_in, d_out or d_in))

    def output(self, x: Tensor, f: Tensor) -> Tensor:
        return self.decode(f) + x @ self.W_skip

    @torch.no_grad()
    def rescale(self, s: float, s_out: float | None = None) -> None:
        """The same transcoder for inputs s times and outputs s_out times as large; f grows by s_out."""
        super().rescale(s, s_out)
        self.W_skip.mul_((s_out or s) / s)


class Crosscoder(BatchTopKSAE):
    """One set of latents for several sites (two models, or two layers), x [..., sites, d_in].

        h = Σₛ (xₛ - b_decₛ) W_encₛ + b_enc
        f = BatchTopK(h)
        x̂ₛ = f W_decₛ + b_decₛ
        loss = Σₛ ‖xₛ - x̂ₛ‖² + AuxK's term

    So it is an SAE on the sites joined end to end: W_enc [sites · d_in, d_sae], W_dec [d_sae, sites · d_in]. A
    latent's norm over all sites is 1; how it divides among them says whose feature it is (`norms`). Bring the
    sites to one scale first. Lindsey et al. 2024, "Sparse Crosscoders for Cross-Layer Features and Model
    Diffing", weigh an L1 penalty by the sum of the norms instead.
    """

    def __init__(self, d_in: int, d_sae: int, k: int, sites: int = 2, **more):
        check_whole(d_in=d_in, sites=sites)
        super().__init__(sites * d_in, d_sae, k, **more)
        self.sites, self.d_in = sites, d_in
        self.config.update(d_in=d_in, sites=sites)

    @property
    def in_shape(self) -> tuple[int, ...]:
        return (self.sites, self.d_in)

    def hidden(self, x: Tensor) -> Tensor:
        return super().hidden(x.flatten(-2))

    def decode(self, f: Tensor) -> Tensor:
        """Reconstruction x̂ [..., sites, d_in] from latents f [..., d_sae]."""
        return super().decode(f).unflatten(-1, (self.sites, self.d_in))

    @property
    def decoders(self) -> Tensor:
        """W_dec seen by site, [d_sae, sites, d_in]."""
        return self.W_dec.unflatten(-1, (self.sites, self.d_in))

    @property
    def norms(self) -> Tensor:
        """Each site's share of each latent's decoder norm, [d_sae, sites]; rows sum to 1."""
        norms = self.decoders.norm(dim=-1)
        return norms / norms.sum(-1, keepdim=True)
