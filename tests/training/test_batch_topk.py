"""Which rows share the budget, and what decides when there is no batch?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-6, "rtol": 1e-5}


def kept(h, k):  # ReLU of the k · batch largest, by hand
    ranked = sorted(h.flatten().tolist(), reverse=True)
    edge = ranked[k * len(h) - 1] if k * len(h) < h.numel() else -torch.inf
    return torch.where((h >= edge) & (h > 0), h, 0.0)


def test_a_busy_row_takes_the_places_of_a_calm_one(batch_topk, rng):
    "k · batch places for the whole batch, and the largest entries get them, all in one row if need be."
    h, busy = rng.uniform(4, 12, high=1.0), rng.integer(0, 4)
    h[busy] += 2.0
    f = batch_topk(h, 2)
    assert_close(f.count_nonzero(dim=1), torch.zeros(4, dtype=torch.long).index_fill(0, torch.tensor(busy), 8))
    assert_close(f, kept(h, 2), **CLOSE)


@pytest.mark.parametrize("k", [1, 3], ids=["k = 1", "k = 3"])
def test_the_average_row_keeps_k_entries(batch_topk, rng, k):
    "Count what is on: k for the average row, no more where entries are equal; and what is on keeps its value."
    h = rng.uniform(5, 9, low=0.1)
    assert_close(batch_topk(h, k), kept(h, k), **CLOSE)
    equal = h.clamp_max(h.median())  # more than half of the entries
    assert_close(batch_topk(equal, k).sum(), 5 * k * h.median(), **CLOSE)


def test_a_negative_entry_is_never_on(batch_topk, rng):
    "Where too few entries are positive, places stay empty; a very negative entry takes no place."
    h = -rng.uniform(3, 8, low=1.0, high=4.0)
    h[rng.integer(0, 3), 2:4], h[1, 5] = rng.uniform(2, low=0.1, high=0.9), 0.5
    for k in (1, 2, 4):
        assert_close(batch_topk(h, k), h.relu(), **CLOSE)


def test_with_room_for_all_it_is_relu(batch_topk, rng):
    "k · batch may be as large as the whole of h, or larger."
    h = rng.normal(3, 6)
    for k in (6, 9):
        assert_close(batch_topk(h, k), h.relu(), **CLOSE)


def test_with_a_threshold_a_row_does_not_depend_on_other_rows(batch_topk, rng):
    "With a theta neither k nor the other rows matter: a row alone gives what it gives among others."
    h, theta = rng.normal(6, 10), rng.uniform(1, low=0.2, high=0.6).item()
    h[0] += 3.0
    for rows in (h, h[:1], h[3:5]):
        expected = torch.stack([torch.stack([v if v > theta else torch.zeros(()) for v in row]) for row in rows])
        assert_close(batch_topk(rows, 1, theta), expected, **CLOSE)


def test_an_entry_equal_to_the_threshold_is_off(batch_topk, rng):
    "The rule is h > theta: an entry that equals theta is off, one just above it is on, with all of its value."
    theta = rng.integer(2, 9) / 8  # exact in any float
    h = theta + torch.tensor([[0.0, 0.125, -0.125, 0.0], [1.0, 0.0, 0.25, -3.0]])[:, rng.permutation(4)]
    assert_close(batch_topk(h, 2, theta), torch.where(h - theta > 0.1, h, 0.0), **CLOSE)


def test_zero_is_a_threshold_too(batch_topk, rng):
    "theta = 0.0 leaves ReLU, whatever k is. How do you ask whether there is a theta?"
    h = rng.normal(4, 9)
    assert_close(batch_topk(h, 1, 0.0), h.relu(), **CLOSE)


@pytest.mark.parametrize("theta", [None, 0.4], ids=["in training", "with a threshold"])
def test_the_gradient_flows_through_what_is_kept(batch_topk, rng, theta):
    "The slope is 1 where a latent is on and 0 elsewhere, in training and in use. A tensor made anew has none."
    h, weights = rng.normal(4, 8), rng.normal(4, 8)
    on = (kept(h, 2) if theta is None else torch.where(h > theta, h, 0.0)) > 0
    assert_close(gradients(batch_topk, h, 2, theta, weights=weights)[0], weights * on, **CLOSE)


def test_the_threshold_is_the_mean_over_batches_of_the_smallest_kept_entry(inference_threshold, rng):
    "Take one number per batch, the smallest that BatchTopK keeps in it; then the mean over the batches."
    h = rng.uniform(3, 4, 7, low=0.1) * torch.tensor([1.0, 3.0, 10.0])[:, None, None]
    h[:, 0] *= 2
    smallest = [sorted(batch.flatten().tolist())[-8] for batch in h]
    assert abs(inference_threshold(h, 2) - sum(smallest) / 3) < 1e-4, (
        f"The 8th largest of 3 batches of 4 rows are {smallest}, k is 2: expected their mean {sum(smallest) / 3:.4f}, "
        f"got {inference_threshold(h, 2):.4f}."
    )


def test_entries_that_are_off_have_no_part_in_the_threshold(inference_threshold, rng):
    "A batch with fewer positive entries than places: its smallest latent is its smallest positive entry, no 0, no −1."
    h = -rng.uniform(2, 3, 6, low=0.5, high=2.0)
    least = rng.uniform(2, low=0.2, high=0.4)
    h[:, 1, 2], h[:, 2, 4], h[0, 0, 0] = least, least * 3, 2.0
    got = inference_threshold(h, 3)
    assert abs(got - least.mean().item()) < 1e-5, f"Smallest above 0: {least.tolist()}. Expected their mean, got {got}."


@pytest.mark.parametrize(
    "batches, batch, d_sae, k",
    [(1, 1, 5, 1), (4, 1, 3, 2), (2, 7, 4, 5), (5, 3, 11, 2)],
    ids=["one row", "batches of one row", "k above d_sae", "five batches"],
)
def test_agrees_with_the_reference_on_random_numbers(
    batch_topk, inference_threshold, reference, rng, batches, batch, d_sae, k
):
    "This tries all at once, from a single row on, in float32 and float64: compare with the table."
    h = rng.normal(batches, batch, d_sae)
    h[:, 0, 0] = h[:, 0, 0].abs() + 0.1  # every batch has a positive entry
    for given in (h, h.double()):
        assert_close(batch_topk(given[0], k), reference(given[0], k), **CLOSE)
        assert_close(batch_topk(given[0], k, 0.3), reference(given[0], k, 0.3), **CLOSE)
        got, expected = inference_threshold(given, k), reference.inference_threshold(given, k)
        assert abs(got - expected) < 1e-5, f"theta: expected {expected:.6f}, got {got:.6f}."
