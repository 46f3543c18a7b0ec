# Generated from chapters/superposition/07_decoding.py by `saelab build`: edit that file, not this one.
"""Reading superposed features: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict  # noqa: F401


def sparse_samples(
    rows: int, W: Float[Tensor, "hidden feats"], k: int, noise: float = 0.02, signed: bool = True
) -> tuple[Float[Tensor, "rows hidden"], Float[Tensor, "rows feats"]]:
    """x = W f + noise, and f, with k features on in each row; their sizes are uniform in [0.5, 1.5]."""
    on = torch.rand(rows, W.shape[1]).topk(k, dim=1).indices
    sizes = 0.5 + torch.rand(rows, k)
    if signed:
        sizes = sizes * torch.randn(rows, k).sign()
    f = torch.zeros(rows, W.shape[1]).scatter(1, on, sizes)
    return f @ W.T + noise * torch.randn(rows, W.shape[0]), f


def found(f_hat: Float[Tensor, "rows feats"], f: Float[Tensor, "rows feats"]) -> float:
    """Of the k largest entries in each row of f_hat, the share that is on in f, where k are on."""
    k = int((f[0] != 0).sum())
    return (f.gather(1, f_hat.abs().topk(k, dim=1).indices) != 0).float().mean().item()


def omp(x: Float[Tensor, "batch hidden"], W: Float[Tensor, "hidden feats"], k: int) -> Float[Tensor, "batch feats"]:
    """Coefficients f with W f near x and at most k entries in each row, by orthogonal matching pursuit.

    k times: pick, among the columns not picked yet, the one with the largest |W_i · residual| / ‖W_i‖, then refit the
    coefficients of all picked columns to x by least squares. They belong to the columns of W as they are, not
    to unit vectors, and may be negative. A zero column is never picked. A row stops early when no column is left to
    pick (k is at least 1, and may be larger than feats), or nothing is left to explain: a residual with a norm below
    1e-5 ‖x‖ is rounding. Entries not picked are exactly 0.

    (Pati, Rezaiifar and Krishnaprasad 1993, "Orthogonal matching pursuit")

    >>> W = torch.tensor([[1.0, 0.6], [0.0, 0.8]])
    >>> omp(torch.tensor([[2.6, 0.8]]), W, k=1), omp(torch.tensor([[2.6, 0.8]]), W, k=2).round(decimals=3)
    (tensor([[2.6000, 0.0000]]), tensor([[2., 1.]]))
    """
    # BEGIN SOLUTION
    lengths = W.norm(dim=0).clamp_min(1e-12)  # a zero column matches nothing
    f = x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        while len(picked) < k and residual.norm() > 1e-5 * target.norm():
            match = (residual @ W).abs() / lengths
            match[picked] = 0
            if match.max() == 0:
                break
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.lstsq(W[:, picked], target[:, None]).solution[:, 0]
            residual = target - W @ f[row]
    return f
    # END SOLUTION


def ista(
    x: Float[Tensor, "batch hidden"], W: Float[Tensor, "hidden feats"], lam: float, steps: int
) -> Float[Tensor, "batch feats"]:
    """f after `steps` ≥ 0 steps of iterative soft thresholding, from f = 0, towards min ½‖x − W f‖² + lam ‖f‖₁.

    The step is 1/L, with L the largest eigenvalue of WᵀW (W is not all zeros).

    >>> ista(torch.tensor([[3.0]]), torch.tensor([[2.0]]), lam=2.0, steps=1)
    tensor([[1.]])
    """
    # BEGIN SOLUTION
    L = torch.linalg.matrix_norm(W, ord=2) ** 2
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = g.sign() * (g.abs() - lam / L).clamp_min(0)
    return f
    # END SOLUTION
