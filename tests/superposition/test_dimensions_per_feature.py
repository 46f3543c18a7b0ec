"""How much of a dimension is there for each learned feature, and how rare are they?"""

import torch
from torch.testing import assert_close


def unit_columns(rng, inst, hidden, feats):
    """Random columns of length one."""
    W = rng.normal(inst, hidden, feats)
    return W / W.norm(dim=1, keepdim=True)


def test_features_of_length_one_share_the_dimensions_evenly(dimensions_per_feature, rng):
    """n columns of length one: ‖W‖² is the sum of all squares, n, so y = m/‖W‖² is m/n. What is your m, what your
    ‖W‖²?"""
    hidden, feats = rng.integer(2, 6), rng.integer(7, 20)
    y = dimensions_per_feature(unit_columns(rng, 3, hidden, feats), rng.uniform(3, low=0.1))[1]
    assert_close(y, torch.full((3,), hidden / feats), atol=1e-5, rtol=1e-4)


def test_dropped_features_do_not_count(dimensions_per_feature, rng):
    """A column of zeros takes no dimension from anyone: count by squared lengths."""
    W, learned = unit_columns(rng, 4, 5, 12), torch.tensor([3, 8, 12, 1])
    W = W * (torch.arange(12) < learned[:, None])[:, None, rng.permutation(12)]
    y = dimensions_per_feature(W, rng.uniform(4, low=0.1))[1]
    assert_close(y, 5 / learned, atol=1e-5, rtol=1e-4)


def test_pairs_back_to_back_have_half_a_dimension_each(dimensions_per_feature, rng):
    """Sum the squares of all the entries of one instance: m axes with two features each give ‖W‖² = 2m."""
    Q = rng.rotation(6)
    W = torch.cat([Q, -Q, torch.zeros(6, 7)], dim=1)[None, :, rng.permutation(19)]
    assert_close(dimensions_per_feature(W, rng.uniform(1))[1], torch.tensor([0.5]), atol=1e-5, rtol=1e-4)


def test_weights_twice_as_large_count_four_times(dimensions_per_feature, rng):
    """Divide by ‖W‖², the square of the norm, not by the norm itself."""
    for start in (1.0, 0.03):  # as before training, when ‖W‖² is far below 1
        W, p, factor = start * rng.normal(3, 4, 9), rng.uniform(3, low=0.1), rng.uniform(1, low=1.5, high=3.0)
        y, larger = dimensions_per_feature(W, p)[1], dimensions_per_feature(W * factor, p)[1]
        assert_close(larger, y / factor**2, atol=1e-5, rtol=1e-4)


def test_each_instance_counts_its_own_features_only(dimensions_per_feature, rng):
    """Which axis must be left after the sum?"""
    W, p = rng.normal(4, 3, 8), rng.uniform(4, low=0.1)
    alone = [dimensions_per_feature(W[i : i + 1], p[i : i + 1])[1] for i in range(4)]
    assert_close(dimensions_per_feature(W, p)[1], torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_a_feature_is_on_once_in_x_examples(dimensions_per_feature, rng):
    """p is the probability to be on, 1 − S: features that are always on have x = 1."""
    p = torch.tensor([1.0, 0.5, 0.2, 0.01])[rng.permutation(4)]
    assert_close(dimensions_per_feature(rng.normal(4, 2, 5), p)[0], 1 / p, atol=1e-5, rtol=1e-4)


def test_agrees_with_the_reference_on_random_weights(dimensions_per_feature, reference, rng):
    """Compare one value with the equation."""
    for inst, hidden, feats in [(1, 1, 1), (1, 3, 7), (4, 6, 2), (5, 5, 5), (2, 10, 100)]:
        W, p = rng.normal(inst, hidden, feats) * 0.7, rng.uniform(inst, low=0.01)
        assert_close(dimensions_per_feature(W, p), reference(W, p), atol=1e-5, rtol=1e-4)
        assert_close(dimensions_per_feature(W.double(), p.double()), reference(W.double(), p.double()))
