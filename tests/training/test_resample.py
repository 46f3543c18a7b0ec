"""Which latents are dead, what do they get, and where do they point?"""

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

CLOSE = {"atol": 1e-6, "rtol": 1e-4}


def patient(rng, n_dead=4, n_live=5, d_in=7, steps=4, batch=6):
    # a dictionary with Adam's means, f, directions, which are live, which dead; `live[0]` is always on, the others once
    n, order = n_dead + n_live, rng.permutation(n_dead + n_live)
    live, dead = order[:n_live], order[n_live:]
    f = torch.zeros(steps * batch, n)
    f[rng.permutation(steps * batch)[: n_live - 1], live[1:]] = torch.logspace(-6, 0, max(n_live - 1, 1))[: n_live - 1]
    f[:, live[0]] = rng.uniform(steps * batch, low=0.1)
    state = [rng.normal(3, *shape) for shape in [(d_in, n), (n,), (n, d_in), (d_in,)]]
    for stack in state:
        stack[2] = stack[2].square() + 0.1
    state[0][0] *= torch.ones(n).index_fill(0, dead, 3.0)  # the dead ones were long
    return state, f.view(steps, batch, n), rng.normal(n, d_in) * 3, live, dead


def inputs(rng, losses, d_in=5):  # x, x_hat, b_dec with these losses
    x, b_dec = rng.normal(len(losses), d_in), rng.normal(d_in) * 2
    return x, x + normalize(rng.normal(len(losses), d_in), dim=1) * losses.sqrt()[:, None], b_dec


@pytest.mark.parametrize("n_dead", [0, 1, 4], ids=["none dead", "one dead", "four dead"])
def test_a_latent_that_is_on_even_once_keeps_everything(resample, rng, n_dead):
    "Only a latent that is off on all rows of all steps is dead. Of any other keep the value, and Adam's m and v too."
    state, f, fresh, live, _ = patient(rng, n_dead)
    for before, after, axis in zip(state[:3], resample(*state, f, fresh), [2, 1, 1]):
        assert_close(after.index_select(axis, live), before.index_select(axis, live), atol=0.0, rtol=0.0)


def test_the_decoder_bias_stays_as_it_is(resample, rng):
    "b_dec, and what Adam remembers of it, serve the live latents too: does it come back as it was?"
    state, f, fresh, _, _ = patient(rng)
    assert_close(resample(*state, f, fresh)[3], state[3], atol=0.0, rtol=0.0)


def test_a_dead_latent_points_along_its_own_row_of_fresh(resample, rng):
    "Decoder row i is row i of `fresh`, made a unit vector, for each dead i; the encoder column points the same way."
    state, f, fresh, _, dead = patient(rng)
    W_enc, _, W_dec, _ = resample(*state, f, fresh)
    assert_close(W_dec[0, dead], normalize(fresh[dead], dim=1), **CLOSE)
    assert_close(normalize(W_enc[0, :, dead], dim=0).T, normalize(fresh[dead], dim=1), **CLOSE)


def test_a_new_encoder_column_is_a_fifth_as_long_as_usual(resample, rng):
    "How long are the encoder columns of the live latents, on average? A new one is 0.2 times as long."
    state, f, fresh, live, dead = patient(rng)
    state[0] *= rng.uniform(1, low=0.2, high=0.5) if rng.integer(0, 2) else rng.uniform(1, low=2.0, high=5.0)
    usual = sum(state[0][0, :, i].square().sum() ** 0.5 for i in live) / len(live)
    assert_close(resample(*state, f, fresh)[0][0, :, dead].norm(dim=0), (0.2 * usual).repeat(len(dead)), **CLOSE)


def test_a_new_latent_has_no_bias(resample, rng):
    "The bias that kept the latent off has to go."
    state, f, fresh, _, dead = patient(rng)
    assert_close(resample(*state, f, fresh)[1][0, dead], torch.zeros(len(dead)), atol=0.0, rtol=0.0)


def test_adam_forgets_the_weights_that_are_replaced(resample, rng):
    "m and v of a dead latent's column, bias and row were means over another latent's gradients."
    state, f, fresh, _, dead = patient(rng)
    for after, axis in zip(resample(*state, f, fresh)[:3], [2, 1, 1]):
        memory = after[1:].index_select(axis, dead)
        assert_close(memory, torch.zeros_like(memory), atol=0.0, rtol=0.0)


def test_a_row_with_three_times_the_loss_is_drawn_nine_times_as_often(resample_by_loss, rng):
    "Probabilities go with the square of the loss, and the loss is a sum of squares. Compare two rows with the table."
    ratio, size = rng.uniform(1, low=2.5, high=4.0).item(), rng.uniform(1, low=0.5, high=2.0).item()
    x, x_hat, b_dec = inputs(rng, size * torch.tensor([1.0, ratio]))
    first, by_loss, by_length = (1 / (1 + ratio**power) for power in (2, 1, 0.5))  # where row 0 ends, and would end
    u = torch.tensor([0.97 * first, 1.03 * first, 0.97 * by_loss, 0.97 * by_length, 0.6])
    assert_close(resample_by_loss(x, x_hat, b_dec, u), normalize(x - b_dec, dim=1)[[0, 1, 1, 1, 1]], **CLOSE)


def test_every_u_draws_the_row_in_whose_share_it_lies(resample_by_loss, rng):
    "Lay the probabilities end to end from 0 to 1: u falls into the share of one row, whatever the other u say."
    share = normalize(rng.uniform(8, low=0.1), p=1, dim=0)
    x, x_hat, b_dec = inputs(rng, 10 * share.sqrt())
    r = rng.permutation(8)[torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2])]
    u = share.cumsum(0)[r] - share[r] * rng.uniform(11, low=0.05, high=0.95)
    assert_close(resample_by_loss(x, x_hat, b_dec, u), normalize(x - b_dec, dim=1)[r], **CLOSE)


def test_a_row_without_a_loss_is_never_drawn(resample_by_loss, rng):
    "A row without a loss has probability 0, however long its input is; a sum of 0 does not *exceed* u = 0."
    bad = rng.integer(1, 6)
    x, x_hat, b_dec = inputs(rng, torch.zeros(6).index_fill(0, torch.tensor(bad), 2.0))
    expected = normalize(x[bad] - b_dec, dim=0).expand(5, -1)
    u = torch.tensor([0, 1, 1, 1, 1]) * rng.uniform(5, low=0.01, high=0.99)
    assert_close(resample_by_loss(x, x_hat, b_dec, u), expected, **CLOSE)


def test_a_row_without_a_loss_is_not_drawn_at_the_largest_u_either(resample_by_loss, rng):
    "u is the last number below 1. Do your sums of 200 shares end at 1, or a rounding below it?"
    u = torch.tensor([1 - 2.0**-24])
    for _ in range(25):
        x, x_hat, b_dec = inputs(rng, rng.uniform(200, low=0.5) * (torch.arange(200) < 195), d_in=3)
        x_hat[195:] = x[195:]  # explained to the last bit
        assert_close(resample_by_loss(x, x_hat, b_dec, u)[0], normalize(x[194] - b_dec, dim=0), **CLOSE)


@pytest.mark.parametrize(
    "n_dead, n_live, d_in, steps, batch",
    [(3, 1, 4, 1, 1), (7, 2, 1, 2, 3), (2, 12, 9, 5, 8)],
    ids=["one live latent", "one dimension", "few dead ones"],
)
def test_agrees_with_the_reference_on_random_states(
    resample, resample_by_loss, reference, rng, n_dead, n_live, d_in, steps, batch
):
    "This tries all at once, in both float types, from a single row on: compare one column with the equation."
    state, f, fresh, _, _ = patient(rng, n_dead, n_live, d_in, steps, batch)
    for given in ([*state, f, fresh], [part.double() for part in (*state, f, fresh)]):
        assert_close(resample(*given), reference(*given), **CLOSE)
    single = (*inputs(rng, torch.tensor([0.7]), d_in), rng.uniform(3, high=0.99))
    assert_close(resample_by_loss(*single), reference.resample_by_loss(*single), **CLOSE)
    double = [part.double() for part in single]
    assert_close(resample_by_loss(*double), reference.resample_by_loss(*double), **CLOSE)
