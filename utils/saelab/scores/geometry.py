"""Are there more factors in the activations than dimensions, and how do their directions share the room?"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ._halves import asked_tokens
from .probes import linear_probe_auc, mean_differences


@dataclass(frozen=True)
class Superposition:
    """F factors in d_model dimensions, beside their nulls.

    Geometry, over pairs of different directions (unit length): `mean_squared_cosine`, and `nearest_cosine`, the mean
    over factors of the largest |cosine| with another. `null_…` is the same for as many random directions with the
    covariance of the activations; `welch` the least mean squared cosine that F directions can have in d_model.
    `effective_rank` of the activations is (Σλ)² / Σλ² of their covariance's eigenvalues.

    Decoding: number of factors whose linear probe has a held-out AUC above the bound; the same with the labels given to
    other tokens (what luck decodes), and on the activations of a random-weight model (what the input alone gives).

    It shows: more factors than dimensions, each linearly readable, on nearly separate directions. It does not show that
    the model uses them, nor that they are independent: linear readings of d_model numbers are linearly dependent once
    there are more than d_model, and factors that imply each other (a word and its topic) count separately.
    """

    factors: int
    d_model: int
    effective_rank: float
    mean_squared_cosine: float
    null_mean_squared_cosine: float
    welch: float
    nearest_cosine: float
    null_nearest_cosine: float
    decodable: int
    decodable_shuffled: int
    decodable_random_weights: int | None


@torch.no_grad()
def superposition(
    acts: Tensor,
    labels: Tensor,
    directions: Tensor | None = None,
    random_acts: Tensor | None = None,
    mask: Tensor | None = None,
    above: float = 0.9,
    seed: int = 0,
) -> Superposition:
    """Superposition of F factors in acts [N, d_model], measured with labels [N, F].

    directions [F, d_model], by default `mean_differences`; factors without a direction (nan) are left out of the
    geometry. random_acts [N, d]: activations of the same tokens in a model with random weights. mask: as in `auc`.
    """
    asked = asked_tokens(labels, mask)
    generator = torch.Generator().manual_seed(seed)
    directions = mean_differences(acts, labels, mask) if directions is None else directions
    directions = directions[directions.isfinite().all(1)]
    if len(directions) < 2:
        raise ValueError("Superposition is about pairs of factors; give at least two that are both true and false.")
    (n, d), n_factors = directions.shape, labels.shape[1]
    spread, axes = torch.linalg.eigh(torch.cov(acts.double().cpu().T))
    spread = spread.clamp(min=0)
    random = (torch.randn(n, d, generator=generator, dtype=torch.float64) * spread.sqrt()) @ axes.T
    squared, nearest = _geometry(directions)
    null_squared, null_nearest = _geometry(random)

    def decodable(a: Tensor, order: Tensor) -> int:
        return int((linear_probe_auc(a, labels[order], asked[order]) > above).sum())

    as_is, elsewhere = torch.arange(len(labels)), torch.randperm(len(labels), generator=generator)
    return Superposition(
        factors=n_factors,
        d_model=d,
        effective_rank=float(spread.sum() ** 2 / (spread**2).sum()),
        mean_squared_cosine=squared,
        null_mean_squared_cosine=null_squared,
        welch=max(0.0, (n - d) / (d * (n - 1))),
        nearest_cosine=nearest,
        null_nearest_cosine=null_nearest,
        decodable=decodable(acts, as_is),
        decodable_shuffled=decodable(acts, elsewhere),
        decodable_random_weights=None if random_acts is None else decodable(random_acts, as_is),
    )


def _geometry(directions: Tensor) -> tuple[float, float]:
    """Mean squared cosine over pairs, and the mean over directions of the largest |cosine| with another."""
    unit = normalize(directions.double(), dim=1)
    cosine = (unit @ unit.T).fill_diagonal_(0)
    n = len(unit)
    return float((cosine**2).sum() / (n * (n - 1))), float(cosine.abs().amax(1).mean())
