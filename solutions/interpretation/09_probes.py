# Generated from chapters/interpretation/09_probes.py by `saelab build`: edit that file, not this one.
"""Is a latent better than a mean?: the exercises of this section, solved."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize, softplus

from saelab import check, hint, lab, plots, predict


def auc(score: Float[Tensor, "token"], y: Bool[Tensor, "token"]) -> float:
    """The share of pairs (true, false) in which the true one has the larger score; equal scores count half.

    nan unless there are both true and false ones.

    >>> auc(torch.tensor([3.0, 1.0, 2.0, 1.0]), torch.tensor([True, True, False, False]))  # 1, 1, 0 and ½ of 4
    0.625
    """
    # BEGIN SOLUTION
    true, false = score[y].contiguous(), score[~y].sort().values
    if not len(true) or not len(false):
        return float("nan")
    below = torch.searchsorted(false, true) + torch.searchsorted(false, true, right=True)
    return below.double().mean().item() / (2 * len(false))
    # END SOLUTION


def logistic_probe(
    x: Float[Tensor, "token feats"], y: Bool[Tensor, "token"], ridge: float
) -> tuple[Float[Tensor, "feats"], Float[Tensor, ""]]:
    """The (w, b) that minimise L(w, b) above, with ridge for ρ. ridge is above 0, and y has both values.

    The gradient of L at the result is 0, up to 0.001.

    >>> w, b = logistic_probe(torch.zeros(4, 2), torch.tensor([True, True, True, False]), ridge=0.1)
    >>> w, b  # log 3
    (tensor([0., 0.]), tensor(1.0986))
    """
    # BEGIN SOLUTION
    X = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double()  # the last column is for b
    penalty = torch.full_like(X[0], ridge)
    penalty[-1] = 0
    w = torch.zeros_like(X[0])
    for _ in range(30):  # Newton's method
        p = (X @ w).sigmoid()
        gradient = X.T @ (p - y.double()) / len(X) + penalty * w
        hessian = (X.T * (p * (1 - p))) @ X / len(X) + penalty.diag()
        step = torch.linalg.solve(hessian, gradient)
        w = w - step
        if step.norm() < 1e-9:
            break
    return w[:-1].to(x.dtype), w[-1].to(x.dtype)
    # END SOLUTION


def sparse_probe(
    f: Float[Tensor, "token d_sae"],
    y: Bool[Tensor, "token"],
    train: Bool[Tensor, "token"],
    test: Bool[Tensor, "token"],
    k: int,
    ridge: float = 0.01,
) -> tuple[Int[Tensor, "k"], float]:
    """(the k chosen latents, the one with the largest |g| first; the AUC of their probe on the test tokens).

    Steps 1 to 3 above. Tokens in neither train nor test count for nothing. σ may divide by n or by n - 1. k may be as
    large as d_sae; a latent that doesn't vary in training is chosen last and doesn't disturb the others.

    >>> f = torch.tensor([[0.0, 5.0], [0.0, 4.0], [2.0, 5.0], [2.1, 6.0], [0.0, 9.0], [7.0, 3.0]])
    >>> y = torch.tensor([False, False, True, True, False, True])
    >>> train = torch.tensor([True, True, True, True, False, False])
    >>> sparse_probe(f, y, train, ~train, k=1)
    (tensor([0]), 1.0)
    """
    # BEGIN SOLUTION
    mean, deviation = f[train].mean(dim=0), f[train].std(dim=0)
    deviation = torch.where(deviation > 0, deviation, torch.inf)  # a latent that doesn't vary becomes 0
    g = (f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)) / deviation
    chosen = g.abs().topk(k).indices
    z = (f[:, chosen] - mean[chosen]) / deviation[chosen]
    w, _ = logistic_probe(z[train], y[train], ridge)
    return chosen, auc(z[test] @ w, y[test])
    # END SOLUTION


def diff_mean(acts: Float[Tensor, "token d_in"], labels: Bool[Tensor, "token"]) -> Float[Tensor, "d_in"]:
    """The mean activation where the label is true, minus the mean where it is false. Not normalised.

    >>> diff_mean(torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]]), torch.tensor([True, True, False]))
    tensor([ 2., -5.])
    """
    # BEGIN SOLUTION
    return acts[labels].mean(dim=0) - acts[~labels].mean(dim=0)
    # END SOLUTION


def best_latent(f: Float[Tensor, "token d_sae"], labels: Bool[Tensor, "token"]) -> int:
    """The number of the latent whose activation has the largest AUC for the label.

    An AUC near 0 is not a good one here: the latent should fire where the label is true.

    >>> f = torch.tensor([[0.0, 1.0, 9.0], [3.0, 2.0, 9.0], [2.0, 0.0, 0.0], [0.0, 0.0, 8.0]])
    >>> best_latent(f, torch.tensor([True, True, False, False]))
    1
    """
    # BEGIN SOLUTION
    values = [auc(f[:, latent], labels) for latent in range(f.shape[1])]
    return max(range(len(values)), key=values.__getitem__)
    # END SOLUTION


def compare(
    acts: Float[Tensor, "token d_in"],
    f: Float[Tensor, "token d_sae"],
    labels: Bool[Tensor, "token"],
    train: Bool[Tensor, "token"],
    test: Bool[Tensor, "token"],
) -> dict[str, float]:
    """{"latent": …, "diff_mean": …, "probe": …}: their AUCs on the test tokens, all learned on the training tokens.

    The table above says what is learned. Tokens in neither train nor test count for nothing.

    >>> acts = torch.tensor([[0.0, 1.0], [0.0, 2.0], [4.0, 1.0], [5.0, 2.0], [1.0, 0.0], [6.0, 0.0]])
    >>> labels = torch.tensor([False, False, True, True, False, True])
    >>> train = torch.tensor([True, True, True, True, False, False])
    >>> compare(acts, acts, labels, train, ~train)
    {'latent': 1.0, 'diff_mean': 1.0, 'probe': 1.0}
    """
    # BEGIN SOLUTION
    latent = best_latent(f[train], labels[train])
    direction = diff_mean(acts[train], labels[train])
    return {
        "latent": auc(f[test, latent], labels[test]),
        "diff_mean": auc(acts[test] @ direction, labels[test]),
        "probe": sparse_probe(acts, labels, train, test, acts.shape[1])[1],
    }
    # END SOLUTION
