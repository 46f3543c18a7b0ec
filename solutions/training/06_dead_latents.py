# Generated from chapters/training/06_dead_latents.py by `saelab build`: edit that file, not this one.
"""Dead latents: the exercises of this section, solved."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, plots, predict

State = list[Tensor]  # W_enc, b_enc, W_dec, b_dec, each [3, …]: the value, and Adam's two running means m and v of it


def sparse_batch(truth: Float[Tensor, "feats d_in"], p: Float[Tensor, "feats"], batch: int) -> Tensor:
    """x [batch, d_in], sums of features: each is on with its own probability, and then between 0.5 and 1.5 strong."""
    on = torch.rand(batch, len(p)) < p
    return (on * (0.5 + torch.rand(batch, len(p)))) @ truth


def run(state: State, truth: Tensor, p: Tensor, first: int, steps: int, lr: float) -> tuple[State, Tensor, list[float]]:
    """Train an L1 dictionary (λ = 0.3) from step `first` on: the new state, f of the last 100 steps, all errors."""
    state, window, errors = [s.clone() for s in state], [], []
    for t in range(first, first + steps):
        x = sparse_batch(truth, p, 256)
        W_enc, b_enc, W_dec, b_dec = now = [s[0].clone().requires_grad_() for s in state]
        f = ((x - b_dec) @ W_enc + b_enc).relu()
        error = (x - f @ W_dec - b_dec).square().sum(dim=1).mean()
        for (value, m, v), grad in zip(state, torch.autograd.grad(error + 0.3 * f.sum(dim=1).mean(), now)):
            m.lerp_(grad, 0.1)
            v.lerp_(grad.square(), 0.001)
            value -= lr * m / (1 - 0.9 ** (t + 1)) / ((v / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
        state[2][0] = normalize(state[2][0], dim=1)
        window.append(f.detach())
        errors.append(error.item())
    return state, torch.stack(window[-100:]), errors


def found(state: State, truth: Tensor, f: Tensor) -> int:
    """Number of features with a live latent whose decoder has a cosine above 0.9 with them."""
    live = (f > 0).flatten(0, -2).any(dim=0)
    return int(((state[2][0][live] @ truth.T).amax(dim=0) > 0.9).sum())


def resample(
    W_enc: Float[Tensor, "3 d_in d_sae"],
    b_enc: Float[Tensor, "3 d_sae"],
    W_dec: Float[Tensor, "3 d_sae d_in"],
    b_dec: Float[Tensor, "3 d_in"],
    f: Float[Tensor, "steps batch d_sae"],
    fresh: Float[Tensor, "d_sae d_in"],
) -> tuple[
    Float[Tensor, "3 d_in d_sae"], Float[Tensor, "3 d_sae"], Float[Tensor, "3 d_sae d_in"], Float[Tensor, "3 d_in"]
]:
    """New W_enc, b_enc, W_dec, b_dec in which dead latents start again (Bricken et al. 2023, appendix).

    Index 0 of a stack is the value, 1 and 2 are Adam's m and v of it. Latent i is dead if f (≥ 0) is 0 for it on every
    row of every step. A dead latent gets the direction d = fresh[i] / |fresh[i]|: decoder row d, encoder column
    0.2 · n · d with n the mean length of the live latents' encoder columns, bias 0, and m = v = 0 for all of these.
    Everything else comes back as it was. There is at least one live latent, possibly no dead one; no row of fresh is 0.

    >>> f = torch.tensor([[[1.0, 0.0]]])  # one step, one row: latent 1 is dead
    >>> fresh = torch.tensor([[9.0, 9.0], [3.0, 4.0]])
    >>> resample(torch.ones(3, 2, 2), torch.ones(3, 2), torch.ones(3, 2, 2), torch.ones(3, 2), f, fresh)[2][:, 1]
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000],
            [0.0000, 0.0000]])
    """
    # BEGIN SOLUTION
    dead = (f == 0).all(dim=1).all(dim=0)  # d_sae
    d = fresh[dead] / fresh[dead].norm(dim=1, keepdim=True)  # dead d_in
    length = 0.2 * W_enc[0, :, ~dead].norm(dim=0).mean()
    W_enc, b_enc, W_dec = W_enc.clone(), b_enc.clone(), W_dec.clone()
    W_enc[..., dead], b_enc[..., dead], W_dec[:, dead] = 0.0, 0.0, 0.0  # value, m and v
    W_enc[0, :, dead], W_dec[0, dead] = length * d.T, d
    return W_enc, b_enc, W_dec, b_dec.clone()
    # END SOLUTION


def resample_by_loss(
    x: Float[Tensor, "rows d_in"],
    x_hat: Float[Tensor, "rows d_in"],
    b_dec: Float[Tensor, "d_in"],
    u: Float[Tensor, "draws"],
) -> Float[Tensor, "draws d_in"]:
    """Unit directions (x_r − b_dec) / |x_r − b_dec|, one for each u, with row r drawn by its squared loss.

    The loss of a row is |x_r − x_hat_r|², summed over d_in; its probability is proportional to the square of that. For
    0 ≤ u < 1 row r is the first at which the cumulative probability exceeds u. A row without a loss is never drawn,
    however close u is to 1. Some row has a loss, and no row of x is b_dec.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> resample_by_loss(x, torch.zeros(2, 2), torch.zeros(2), torch.tensor([0.05, 0.5]))  # P = 1/17, 16/17
    tensor([[1., 0.],
            [0., 1.]])
    """
    # BEGIN SOLUTION
    weight = (x - x_hat).square().sum(dim=1) ** 2  # rows
    upto = weight.cumsum(dim=0)
    upto = upto / upto[-1]  # by its own last entry: the last is then 1 exactly, and u stays below it
    r = torch.searchsorted(upto, u, right=True)
    d = x[r] - b_dec
    return d / d.norm(dim=1, keepdim=True)
    # END SOLUTION
