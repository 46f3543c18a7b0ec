"""How well does a dictionary reconstruct, how sparsely, and what does the model lose by it?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 8192  # tokens at a time


@dataclass(frozen=True)
class Quality:
    """Figures of a dictionary over a stream of N tokens; x the target, x̂ the reconstruction, μ the mean of x.

    - fvu: Σ‖x − x̂‖² / Σ‖x − μ‖², fraction of variance unexplained: one ratio of sums. 0 perfect, 1 as good as μ.
    - l0: mean number of latents > 0 a token.   - frequency [d_sae]: fraction of tokens on which each is > 0.
    - dead: fraction of latents that never fire on these N tokens (so it falls as N grows).
    - cosine: mean over tokens of cos(x, x̂), the mean not removed; 0 where either vector is 0.
    - shrinkage: Σ‖x̂ − μ‖² / Σ(x̂ − μ)·(x − μ), 1 if nothing is to be gained by scaling x̂ − μ, below 1 if it is too
      short. (Rajamanoharan et al. 2024, "Improving Dictionary Learning with Gated Sparse Autoencoders", the relative
      reconstruction bias; μ is removed here, or a large mean would hide the shrinkage.)
    """

    fvu: float
    l0: float
    frequency: Tensor
    dead: float
    cosine: float
    shrinkage: float
    tokens: int


@torch.no_grad()
def quality(sae, chunks: Tensor | Iterable) -> Quality:
    """Quality of `sae` on activations [N, d_in], or on an iterable of chunks [n, d_in]; memory is that of a chunk.

    `sae` has encode and decode (or is callable, which then gives x̂: a skip transcoder's skip counts). For a
    transcoder each chunk is a pair (input, target). Put a BatchTopK in eval mode first.
    """
    n, shift = 0, None
    fired = sums = cosine = torch.zeros(())
    for chunk in chunks_of(chunks):
        x, target = chunk if isinstance(chunk, tuple) else (chunk, chunk)
        latents = sae.encode(x)
        n_latents = latents.shape[-1]
        fired = fired + (latents > 0).reshape(-1, n_latents).sum(0).cpu()
        y = target.reshape(latents.numel() // n_latents, -1)  # a crosscoder's two activations count as one
        x_hat = reconstruct(sae, x, latents).reshape(y.shape)
        if shift is None:
            shift = y.double().mean(0)  # sums around a point near the mean lose no digits
        y, r = y.double() - shift, x_hat.double() - shift
        cosine = cosine + torch.cosine_similarity(y + shift, r + shift, dim=-1).sum().cpu()
        parts = [y.sum(0), r.sum(0), (y * y).sum(), (r * r).sum(), (y * r).sum()]
        sums = sums + torch.cat([p.reshape(-1) for p in parts]).cpu()
        n += len(y)
    if n == 0:
        raise ValueError("There are no activations to measure; give at least one chunk [n, d_in].")
    d = (len(sums) - 3) // 2
    sum_y, sum_r, (yy, rr, yr) = sums[:d], sums[d : 2 * d], sums[2 * d :]
    mean = sum_y / n
    variance, error = yy - n * mean @ mean, yy + rr - 2 * yr
    along = yr - mean @ sum_r
    size = rr - 2 * mean @ sum_r + n * mean @ mean
    return Quality(
        fvu=float(error / variance),
        l0=float(fired.sum() / n),
        frequency=fired / n,
        dead=float((fired == 0).double().mean()),
        cosine=float(cosine / n),
        shrinkage=float(size / along),
        tokens=n,
    )


@dataclass(frozen=True)
class RandomDictionary:
    """f = the k largest of relu((x − b_dec) W_enc), x̂ = f W_dec + b_dec; W_enc [d_in, d_sae], W_dec [d_sae, d_in]."""

    W_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    k: int

    def encode(self, x: Tensor) -> Tensor:
        """Latents [..., d_sae] of activations [..., d_in]."""
        f = ((x - self.b_dec) @ self.W_enc).relu()
        top = f.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(f).scatter(-1, top.indices, top.values)

    def decode(self, latents: Tensor) -> Tensor:
        """Reconstruction [..., d_in] of latents [..., d_sae]."""
        return latents @ self.W_dec + self.b_dec


def random_dictionary(acts: Tensor, k: int, d_sae: int, seed: int = 0) -> RandomDictionary:
    """The null dictionary: unit random directions around the mean of acts [N, d_in], TopK by dot product.

    One number is fitted, the scale of its latents (least squares on `acts`), so that its FVU is not worse than need be.
    """
    generator = torch.Generator().manual_seed(seed)
    W = torch.nn.functional.normalize(torch.randn(d_sae, acts.shape[1], generator=generator), dim=1).to(acts)
    plain = RandomDictionary(W.T, W, acts.mean(0), k)
    x, x_hat = acts - plain.b_dec, plain.decode(plain.encode(acts)) - plain.b_dec
    scale = (x * x_hat).sum() / (x_hat * x_hat).sum()
    return RandomDictionary(scale * W.T, W, plain.b_dec, k)


def reconstruct(sae, x: Tensor, latents: Tensor | None = None) -> Tensor:
    """x̂ of x [..., d_in]: what calling `sae` gives, or where it can't be called decode(latents of x)."""
    if callable(sae):
        return sae(x)
    return sae.decode(sae.encode(x) if latents is None else latents)


def chunks_of(stream: Tensor | Iterable) -> Iterator:
    """Pieces of at most CHUNK rows of a tensor; the items of anything else."""
    return iter(stream.split(CHUNK) if isinstance(stream, Tensor) else stream)
