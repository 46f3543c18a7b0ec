"""How nearly orthogonal are the features, and how nearly orthogonal could they be?"""

import pytest
import torch
from torch.testing import assert_close

CLOSE = dict(atol=1e-4, rtol=0)  # cosines are exact to about 1e-6 in float32


def regular(n):
    angle = torch.arange(n) * 2 * torch.pi / n
    return torch.stack([angle.cos(), angle.sin()])


def test_orthogonal_features_have_coherence_zero(coherence, rng):
    """Which pairs do you compare? Two different columns: no feature with itself, and no rows."""
    assert_close(coherence(rng.rotation(6)[:, :4]), 0.0, **CLOSE)


def test_an_antipodal_pair_overlaps_completely(coherence, rng):
    """Two features back to back lie on one line. What does a cosine of −1 say about their overlap?"""
    v = rng.normal(3, 1)
    assert_close(coherence(torch.cat([v, -v], dim=1)), 1.0, **CLOSE)


def test_two_equal_features_overlap_completely(coherence, rng):
    """A pair is two different features, i and j, also when their columns are equal. What do you leave out?"""
    v = rng.normal(3, 1)
    assert_close(coherence(torch.cat([v, v], dim=1)), 1.0, **CLOSE)


def test_the_most_similar_pair_decides(coherence, rng):
    """The second and the fifth feature are twins, of cosine c. The answer is c: the largest |cosine| of a pair, as it
    is."""
    Q, c = rng.rotation(7), float(rng.uniform(1, low=0.5, high=0.9))
    twin = c * Q[:, 1:2] + (1 - c**2) ** 0.5 * Q[:, 6:]
    assert_close(coherence(torch.cat([Q[:, :4], twin, Q[:, 4:6]], dim=1)), c, **CLOSE)


def test_lengths_do_not_matter(coherence, rng):
    """What do you divide by, and along which axis? A feature is a column."""
    lengths = rng.uniform(3, low=0.05, high=20.0)
    assert_close(coherence(regular(3) * lengths), 0.5, **CLOSE)


def test_a_short_feature_is_still_a_feature(coherence, rng):
    """What do you do with small lengths? Only a length of exactly zero means that a feature is dropped."""
    length = float(rng.uniform(1, low=0.012, high=0.02))
    assert_close(coherence(torch.tensor([[1.0, length, 0.0], [0.0, length, 1.0]])), 0.5**0.5, **CLOSE)


@pytest.mark.parametrize("sign", [1, -1], ids=["as they are", "turned round"])
def test_only_a_column_of_zeros_counts_as_dropped(coherence, rng, sign):
    """How do you find dropped features? *All* entries of a dropped one are zero, not some, and not just their sum."""
    some_zeros = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    sums_zero = torch.tensor([[1.0, 2.0, 0.0], [-1.0, -1.0, 3.0], [0.0, -1.0, -3.0]])
    for shift in range(3):
        for W, c in (some_zeros, 0.5**0.5), (sums_zero, 0.75**0.5):
            lengths = sign * rng.uniform(3, low=0.3, high=3.0)
            assert_close(coherence(W.roll(shift, dims=0) * lengths), c, **CLOSE)


def test_dropped_features_are_left_out(coherence, rng):
    """What does a column of zeros do to your division, and how many ones does the diagonal then hold?"""
    Q, c = rng.rotation(6), float(rng.uniform(1, low=0.5, high=0.9))
    twin = c * Q[:, :1] + (1 - c**2) ** 0.5 * Q[:, 5:]
    for dropped in (1, 2, 3):
        W = torch.cat([Q[:, :4], torch.zeros(6, dropped), twin], dim=1)
        assert_close(coherence(W[:, rng.permutation(5 + dropped)]), c, **CLOSE)


def test_without_a_second_feature_nothing_overlaps(coherence, rng):
    """Here fewer than two columns are not zero: one of three, a single one, none. Then nothing overlaps."""
    for W in (torch.cat([torch.zeros(5, 2), rng.normal(5, 1)], dim=1), rng.normal(4, 1), torch.zeros(2, 3)):
        assert_close(coherence(W), 0.0, **CLOSE)


def test_the_bound_is_zero_for_up_to_m_features(welch, rng):
    """What does the formula do for n ≤ m, and for n = 1?"""
    m = rng.integer(3, 50)
    for n in (1, m - 1, m):
        assert_close(welch(n, m), 0.0, **CLOSE)


def test_with_one_feature_more_than_dimensions_the_bound_is_1_over_m(coherence, welch, rng):
    """Put n = m + 1 into the formula: 1/m comes out, in full precision, and a simplex meets it. What stands under the
    root?"""
    m = rng.integer(2, 9)
    assert_close(welch(m + 1, m), 1 / m, **CLOSE)
    assert_close(coherence(torch.linalg.eigh(torch.eye(m + 1) - 1 / (m + 1)).eigenvectors[:, 1:].T), 1 / m, **CLOSE)


def test_the_lines_of_a_pentagon_are_36_degrees_apart(coherence):
    """Which two lines are closest? |cos 36°|, the cosine as it is, neither squared nor averaged over pairs."""
    assert_close(coherence(regular(5)), 0.80902, **CLOSE)


def test_the_bound_for_five_features_in_a_plane(welch):
    """Put n = 5 and m = 2 into the formula. The pentagon stays above: with n > m + 1 the bound isn't 1/m any more."""
    assert_close(welch(5, 2), 0.61237, **CLOSE)


def test_agrees_with_the_reference_on_random_numbers(coherence, welch, reference, rng):
    """Here is all of the above at other sizes: more rows than columns, equally many, billions of features."""
    for hidden, feats in [(1, 3), (5, 20), (20, 7), (4, 4), (3, 2)]:
        W = rng.normal(hidden, feats)
        assert_close(coherence(W), reference(W), **CLOSE)
        assert_close(coherence(W.double()), reference(W.double()), **CLOSE)
        assert_close(welch(feats, hidden), reference.welch(feats, hidden), **CLOSE)
    assert_close(welch(10**9, m := rng.integer(2, 900)), reference.welch(10**9, m), **CLOSE)
