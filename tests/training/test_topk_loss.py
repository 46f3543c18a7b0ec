"""What do the k largest leave over, and which latents have to explain that?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def transparent(rng, batch=4, n=9):
    # weights through which one sees h: h_i = x_i − b_dec_i + b_enc_i, and latent i writes to dimension i alone
    b_enc, b_dec = rng.normal(n) / 2, rng.normal(n) * 2
    h = (rng.normal(batch, n) + 0.3) * rng.uniform(1, low=0.5, high=2.0)
    return h, [h + b_dec - b_enc, torch.eye(n), b_enc, torch.eye(n), b_dec]


def top(row, k):  # ReLU of the k largest, by hand
    first = sorted(range(len(row)), key=row.tolist().__getitem__)[-k:]
    return row.relu() * torch.zeros_like(row).index_fill(0, torch.tensor(first), 1.0)


def expected_loss(h, weights, dead, k, k_aux, aux):
    total = torch.zeros(())
    for row in h:
        e = row - weights[2] - top(row, k)  # x − b_dec − f
        total = total + e.square().sum()
        if dead.any():
            e_hat = torch.zeros_like(e).index_put((dead,), top(row[dead], k_aux))
            total = total + aux * (e - e_hat).square().sum()
    return total / len(h)


def any_sae(rng, batch=6, d_in=5, d_sae=11):
    shapes = [(batch, d_in), (d_in, d_sae), (d_sae,), (d_sae, d_in), (d_in,)]
    return [rng.normal(*shape) for shape in shapes], rng.permutation(d_sae) < d_sae // 2


@pytest.mark.parametrize("k", [1, 2, 5], ids=["k = 1", "k = 2", "k = 5"])
def test_every_row_keeps_its_own_k_largest(keep_top, rng, k):
    "Each row has k places, whatever the other rows hold, and what stays keeps its value."
    h = rng.uniform(4, 7, low=0.5, high=3.0) * torch.tensor([1.0, 5.0, 0.2, 1.0])[:, None]
    assert_close(keep_top(h, k), torch.stack([top(row, k) for row in h]), **CLOSE)


def test_of_equal_entries_no_more_stay_than_there_is_room_for(keep_top, rng):
    "A row may hold the same number several times: k entries stay, no more and no fewer, no matter which of them."
    equal, top_one = rng.uniform(1, low=0.5, high=2.0).item(), rng.integer(0, 9)
    h = torch.full((3, 9), equal)
    h[1, top_one] = 3.0
    for k in (1, 2, 5):
        f = keep_top(h, k)
        got = (f > 0).sum(dim=1).tolist()
        assert got == [k] * 3, f"Rows of equal entries, k = {k}: expected {k} on in each, got {got}."
        assert_close(f.sum(dim=1), torch.tensor([k, k - 1, k]) * equal + torch.tensor([0.0, 3.0, 0.0]), **CLOSE)


def test_a_negative_entry_is_never_on(keep_top, rng):
    "Where fewer than k entries are positive, fewer are on, with k ≥ d_sae too. Largest is not largest in size."
    h = -rng.uniform(3, 8, low=1.0, high=4.0)
    h[:, 2], h[:, 5] = rng.uniform(3, low=0.1, high=0.9), rng.uniform(3, low=0.1, high=0.9)
    for k in (2, 3, 7, 8, 20):
        assert_close(keep_top(h, k), h.relu(), **CLOSE)


def test_the_gradient_flows_through_what_is_kept(keep_top, rng):
    "The slope is 1 where a latent is on and 0 elsewhere. A new tensor made from numbers has none."
    h, weights = rng.normal(3, 8) + 1.0, rng.normal(3, 8)
    on = torch.stack([top(row, 3) for row in h]) > 0
    assert_close(gradients(keep_top, h, 3, weights=weights)[0], weights * on, **CLOSE)


def test_where_none_is_dead_only_the_reconstruction_counts(topk_loss, rng):
    "Squares are summed over d_in and averaged over the batch; with none dead that is all, and it has its gradient."
    h, weights = transparent(rng)
    none = torch.zeros(9, dtype=torch.bool)
    assert_close(topk_loss(*weights, none, 3, 4, 0.5), expected_loss(h, weights, none, 3, 4, 0.5), **CLOSE)
    f, got = torch.stack([top(row, 3) for row in h]), gradients(topk_loss, *weights, none, 3, 4, 0.5)
    assert_close(got[3], -2 / len(h) * f.T @ (h - weights[2] - f), **CLOSE)


@pytest.mark.parametrize(
    "n_dead, k_aux",
    [(1, 2), (5, 1), (5, 3), (5, 9), (9, 4)],
    ids=["one dead", "k_aux 1 of 5 dead", "k_aux 3 of 5 dead", "k_aux above the dead", "all dead"],
)
def test_dead_latents_pay_for_the_error_they_leave(topk_loss, rng, n_dead, k_aux):
    "The target is the error of the living. The k_aux largest of the dead try it, through ReLU, without b_dec."
    h, weights = transparent(rng, batch=12)
    dead, aux = rng.permutation(9) < n_dead, rng.uniform(1, low=0.3, high=2.0).item()
    assert_close(topk_loss(*weights, dead, 2, k_aux, aux), expected_loss(h, weights, dead, 2, k_aux, aux), **CLOSE)


def test_the_second_term_moves_no_living_latent(topk_loss, rng):
    "The error is a target that is held fixed: for the living the gradient is the same whatever aux is."
    weights, dead = any_sae(rng, batch=20)
    with_it, without = (gradients(topk_loss, *weights, dead, 3, 4, aux) for aux in (2.0, 0.0))
    for one, other, axis in zip(with_it[1:4], without[1:4], [1, 0, 0]):
        living = (~dead).nonzero()[:, 0]
        assert_close(one.index_select(axis, living), other.index_select(axis, living), **CLOSE)


def test_a_dead_latent_learns_from_the_error(topk_loss, rng):
    "Its decoder row turns towards the error on the rows where its h is positive: what must keep its gradient?"
    h, weights = transparent(rng)
    dead = torch.arange(9) == rng.integer(0, 9)
    with_it, without = (gradients(topk_loss, *weights, dead, 2, 1, aux) for aux in (1.0, 0.0))
    f = torch.stack([top(row, 2) for row in h])
    e, attempt = h - weights[2] - f, h.relu() * dead
    pull = 2 / len(h) * (attempt - e) * (attempt > 0)
    assert_close(with_it[2] - without[2], pull.sum(dim=0), **CLOSE)
    assert_close(with_it[3] - without[3], attempt.T @ (attempt - e) * 2 / len(h), **CLOSE)


@pytest.mark.parametrize(
    "batch, d_in, d_sae", [(1, 3, 8), (7, 6, 4), (5, 1, 3)], ids=["one row", "few latents", "one dimension"]
)
def test_agrees_with_the_reference_on_random_weights(topk_loss, keep_top, reference, rng, batch, d_in, d_sae):
    "This tries all at once, values and gradients, in float32 and float64: compare one row with the equations."
    (x, *weights), dead = any_sae(rng, batch, d_in, d_sae)
    for given in ([x, *weights], [w.double() for w in (x, *weights)]):
        assert_close(topk_loss(*given, dead, 2, 2, 0.7), reference(*given, dead, 2, 2, 0.7), **CLOSE)
        assert_close(keep_top(given[1], 3), reference.keep_top(given[1], 3), **CLOSE)
    ours, theirs = (gradients(fn, x, *weights, dead, 2, 2, 0.7) for fn in (topk_loss, reference))
    for one, other in zip(ours, theirs):
        assert_close(one, other, **CLOSE)
