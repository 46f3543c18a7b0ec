"""What is the least a linear model with m hidden dimensions must lose?"""

import pytest
import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-7, "rtol": 1e-4}  # float32 sums of a few numbers near 1


def rising(rng, n):  # importances, no two alike
    return 0.3 * torch.arange(1.0, n + 1) + rng.uniform(n, high=0.1)


def test_dense_equal_features_lose_a_twelfth_for_each_one_dropped(linear_optimum_loss, rng):
    """Exactly n − m are dropped, a mean over n; each costs the variance of U[0, 1], 1/12: a formula, not a draw of
    samples."""
    n, m = rng.integer(5, 12), rng.integer(1, 4)
    assert_close(linear_optimum_loss(n, m, torch.ones(n), 1.0), (n - m) / n / 12, **CLOSE)


@pytest.mark.parametrize("low", [0.05, 0.3, 0.6], ids=["rarely on", "sometimes on", "mostly on"])
def test_with_no_dimension_at_all_the_bias_still_gives_every_mean(linear_optimum_loss, rng, low):
    "m = 0: the model can only say one number for each feature. What remains of E[x²] when it says the best one?"
    n, p = rng.integer(3, 9), rng.uniform(1, low=low, high=low + 0.2).item()
    assert_close(linear_optimum_loss(n, 0, torch.ones(n), p), p / 3 - p**2 / 4, **CLOSE)


def test_the_order_of_the_features_does_not_matter(linear_optimum_loss, rng):
    "Which features are kept? Features come in any order of importance, not with the best first."
    importance, p = rising(rng, 7), rng.uniform(1, low=0.2).item()
    for order in (importance.flip(0), importance[rng.permutation(7)]):
        assert_close(linear_optimum_loss(7, 3, order, p), linear_optimum_loss(7, 3, importance, p), **CLOSE)


def test_the_most_important_feature_is_never_dropped(linear_optimum_loss, rng):
    "The loss to make small is weighted by importance: which feature is the most expensive to drop?"
    n, p = 6, rng.uniform(1, low=0.2).item()
    importance = torch.ones(n).index_fill(0, rng.permutation(n)[:1], 50 + rng.uniform(1).item())
    assert_close(linear_optimum_loss(n, 1, importance, p), (n - 1) / n * (p / 3 - p**2 / 4), **CLOSE)


def test_one_more_dimension_saves_the_best_of_the_dropped_features(linear_optimum_loss, rng):
    """From m to m + 1 dimensions exactly one feature changes sides, the best of the dropped. It cost importance ·
    variance / n."""
    importance, p = rising(rng, 8), rng.uniform(1, low=0.2).item()
    for m in (0, 2, 7):
        less, more = (float(linear_optimum_loss(8, dims, importance, p)) for dims in (m, m + 1))
        saved, cost = less - more, importance[7 - m].item() * (p / 3 - p**2 / 4) / 8
        told = f"the loss should fall by {cost:.4g} from m = {m} to {m + 1}; it went from {less:.4g} to {more:.4g}"
        assert abs(saved - cost) <= 1e-6 + 1e-4 * cost, told


def test_with_as_many_dimensions_as_features_nothing_is_lost(linear_optimum_loss, rng):
    "m may be as large as n or larger. Look at what your slice or count does with n - m ≤ 0."
    for m in ((n := rng.integer(2, 7)), n + 1, 2 * n + 1):
        assert_close(linear_optimum_loss(n, m, rising(rng, n), 0.5), 0.0, **CLOSE)


def test_a_feature_of_importance_0_still_counts_in_the_mean(linear_optimum_loss, rng):
    "A feature of importance 0 adds no error, but it counts as a feature: the mean runs over all n of them."
    importance, p = rising(rng, 5), rng.uniform(1, low=0.2).item()
    more = torch.cat([torch.zeros(1), importance])
    assert_close(linear_optimum_loss(6, 2, more, p), linear_optimum_loss(5, 2, importance, p) * 5 / 6, **CLOSE)


def test_pca_on_sampled_features_loses_as_much(linear_optimum_loss, rng):
    "Sampled features, scaled by √importance and projected on m principal components, lose this much on average."
    n, m, samples, p = 4, 2, 20_000, rng.uniform(1, low=0.2).item()
    importance = rising(rng, n)[rng.permutation(n)]
    x = torch.where(rng.uniform(samples, n) < p, rng.uniform(samples, n), 0.0) * importance.sqrt()
    missed = (x - x.mean(dim=0)) @ torch.linalg.eigh(torch.cov(x.T)).eigenvectors[:, : n - m]
    losses = missed.pow(2).sum(dim=1) / n
    eight_errors = 8 * losses.std().item() / samples**0.5
    assert_close(linear_optimum_loss(n, m, importance, p), losses.mean().item(), atol=eight_errors, rtol=0)


def test_agrees_with_the_reference_on_random_importances(linear_optimum_loss, reference, rng):
    "All at once, m = 0 and m ≥ n included: compare one case with the equation."
    for n, m in [(1, 0), (1, 1), (5, 2), (9, 8), (20, 5), (3, 4)]:
        importance, p = rng.uniform(n, high=3.0), rng.uniform(1).item()
        for given in (importance, importance.double()):
            assert_close(linear_optimum_loss(n, m, given, p), reference(n, m, given, p), atol=1e-6, rtol=1e-4)
