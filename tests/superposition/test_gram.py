"""Which feature casts a shadow on which?"""

import torch
from torch.nn.functional import normalize, pad
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32, and room for a small number added against 0/0


def test_features_at_right_angles_leave_each_other_alone(gram, rng):
    "Features are the columns of W. Columns at right angles have no shadow on each other, however long they are."
    W = rng.rotation(4) * rng.uniform(4, low=0.5, high=3.0)
    assert_close(gram(W), torch.zeros(4, 4), **CLOSE)


def test_a_feature_is_not_in_its_own_way(gram, rng):
    "Only other features interfere: the diagonal is 0."
    assert_close(gram(rng.normal(3, 8)).diagonal(), torch.zeros(8), **CLOSE)
    assert_close(gram(rng.normal(3, 1)), torch.zeros(1, 1), **CLOSE)


def test_back_to_back_each_feature_reads_minus_the_length_of_the_other(gram, rng):
    """Standing on direction i, a vector of length exactly 1, you see all of an opposite j: minus j's length, whatever
    i's is."""
    short, long = rng.uniform(1, low=0.3, high=0.6).item(), rng.uniform(1, low=3.0, high=4.0).item()
    W = normalize(rng.normal(3), dim=0)[:, None] * torch.tensor([short, -long])
    assert_close(gram(W), torch.tensor([[0.0, -long], [-short, 0.0]]), **CLOSE)


def test_features_on_the_same_side_interfere_positively(gram, rng):
    "The sign matters: a neighbour on your side pushes your reading up, one behind you pushes it down."
    (x, y), length = rng.uniform(2, low=0.5, high=3.0).tolist(), rng.uniform(1, low=2.0, high=3.0).item()
    seen = torch.tensor([[0.0, x / (x**2 + y**2) ** 0.5 * length], [x, 0.0]])
    assert_close(gram(torch.tensor([[x, length], [y, 0.0]])), seen, **CLOSE)


def test_features_in_one_direction_see_each_other_in_full(gram, rng):
    "Which entries are 0 by themselves? Only those at [i, i]. Two features may well have equal columns."
    W, length = normalize(rng.normal(3), dim=0)[:, None], rng.uniform(1, low=0.5, high=3.0).item()
    assert_close(gram((length * W).repeat(1, 2)), torch.tensor([[0.0, length], [length, 0.0]]), **CLOSE)


def test_a_longer_feature_changes_its_column_and_nothing_else(gram, rng):
    "Make W_j longer: all others see more of it (column j), while it sees of them what it saw before (row j)."
    W, j, scale = rng.normal(4, 6), rng.integer(0, 6), rng.uniform(1, low=2.0, high=3.0).item()
    grown, expected = W.clone(), gram(W).clone()
    grown[:, j] *= scale
    expected[:, j] *= scale
    assert_close(gram(grown), expected, **CLOSE)


def test_rotating_the_hidden_space_changes_nothing(gram, rng):
    "Only angles and lengths count, not the hidden axes: look at which axis your product and your norm run over."
    W, turn = rng.normal(5, 5).double(), rng.rotation(5).double()
    assert_close(gram(turn @ W), gram(W), **CLOSE)


def test_the_row_and_column_of_a_dropped_feature_are_zero(gram, rng):
    "A column of zeros has no direction: its row and its column are 0, and the rest is as if it weren't there."
    W, order = rng.normal(3, 5), rng.permutation(6)
    assert_close(gram(pad(W, (0, 1))[:, order]), pad(gram(W), (0, 1, 0, 1))[order][:, order], **CLOSE)


def test_only_a_column_of_zeros_counts_as_dropped(gram, reference, rng):
    "A feature of length 0.001, or one with some zeros or a sum of 0, has a direction too, and a full row."
    tiny, mixed = normalize(rng.normal(4), dim=0) / 1000, torch.tensor([0.0, 1.0, -1.0, 0.0])
    W = torch.cat([torch.stack([tiny, mixed], dim=1), rng.normal(4, 4)], dim=1)[:, rng.permutation(6)]
    assert_close(gram(W), reference(W), atol=1e-5, rtol=7e-3)  # room for 1e-6 added to a length


def test_gradients_reach_both_features_of_a_pair(gram, rng):
    "The shadow of W_1 on the direction of W_0 changes when either moves: keep both, and the length, in the graph."
    W = rng.normal(4, 2) + torch.eye(4)[:, :2] * 3
    only = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    direction, length = normalize(W[:, 0], dim=0), W[:, 0].norm()
    towards = (W[:, 1] - direction * (direction @ W[:, 1])) / length
    assert_close(gradients(gram, W, weights=only)[0], torch.stack([towards, direction], dim=1), **CLOSE)


def test_a_dropped_feature_leaves_the_gradients_of_the_others_alone(gram, rng):
    "0/0 is NaN, and `where` or `nan_to_num` afterwards hides the value only: guard *before* you divide."
    W, weights = normalize(rng.normal(3, 5), dim=0) * rng.uniform(5, low=0.5, high=2.0), rng.normal(6, 6)
    alone = gradients(gram, W, weights=weights[:5, :5])[0]
    beside = gradients(gram, pad(W, (0, 1)), weights=weights)[0]  # the last one is dropped
    assert_close(beside[:, :5], alone, **CLOSE)


def test_agrees_with_the_reference_on_random_weights(gram, reference, rng):
    "All at once, from one feature to more features than dimensions: compare one entry with the equation."
    for hidden, feats in [(1, 1), (1, 4), (2, 5), (6, 6), (5, 20), (9, 4)]:
        W = normalize(rng.normal(hidden, feats), dim=0) * rng.uniform(feats, low=0.5, high=3.0)
        for given in (W, W.double()):
            assert_close(gram(given), reference(given), **CLOSE)
