"""What is summed, what is averaged, and what does being on cost?"""

import pytest
import torch
from torch.nn.functional import pad
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def case(rng, batch=5, d_in=4, d_sae=7):
    """x, f, x_hat, lam: half of the latents are off"""
    lam = rng.uniform(1, low=0.3, high=3).item()
    return rng.normal(batch, d_in), rng.normal(batch, d_sae).clamp(min=0), rng.normal(batch, d_in), lam


def test_the_squared_error_is_summed_over_dimensions_and_averaged_over_rows(sae_loss, rng):
    "Sum the squared error over d_in and average it over the batch, without a factor and without a root."
    (x, f, _, lam), error = case(rng), rng.uniform(1, low=0.5, high=2)[0]
    x_hat = x.clone()
    x_hat[rng.integer(0, 5), rng.integer(0, 4)] += error
    assert_close(sae_loss(x, torch.zeros_like(f), x_hat, lam), error**2 / 5, **CLOSE)


def test_one_latent_that_is_on_costs_its_strength_times_lam(sae_loss, rng):
    "Charge the strength itself, neither squared nor counted, times lam; then average over the rows of the batch."
    (x, _, _, lam), strength, f_on = case(rng), rng.uniform(1, low=1.5, high=3)[0], torch.zeros(5, 7)
    f_on[rng.integer(0, 5), rng.integer(0, 7)] = strength
    assert_close(sae_loss(x, f_on, x.clone(), lam), lam * strength / 5, **CLOSE)


def test_a_perfect_dictionary_with_nothing_on_costs_nothing(sae_loss, rng):
    "Without error and without a latent on, nothing is left to pay."
    x, f, _, lam = case(rng)
    assert_close(sae_loss(x, torch.zeros_like(f), x.clone(), lam), torch.tensor(0.0))


def test_latents_that_are_off_cost_nothing_however_many_there_are(sae_loss, rng):
    "A wider dictionary whose new latents are off costs no less and no more: don't divide by d_sae."
    x, f, x_hat, lam = case(rng)
    assert_close(sae_loss(x, pad(f, (0, 9)), x_hat, lam), sae_loss(x, f, x_hat, lam), **CLOSE)


def test_dimensions_without_error_change_nothing_however_many_there_are(sae_loss, rng):
    "More dimensions that are all right leave the loss as it was: don't divide by d_in."
    x, f, x_hat, lam = case(rng)
    assert_close(sae_loss(pad(x, (0, 9)), f, pad(x_hat, (0, 9)), lam), sae_loss(x, f, x_hat, lam), **CLOSE)


@pytest.mark.parametrize("lam", [0.0, 1.5], ids=["error alone", "with penalty"])
def test_the_same_rows_twice_cost_the_same(sae_loss, rng, lam):
    "Both terms are averaged over the batch: the loss must not grow with its size."
    x, f, x_hat, _ = case(rng)
    assert_close(sae_loss(*(torch.cat([t, t]) for t in (x, f, x_hat)), lam), sae_loss(x, f, x_hat, lam), **CLOSE)


def test_lam_scales_the_penalty_and_nothing_else(sae_loss, rng):
    "From lam = 0 on, the loss grows in proportion to lam, by the strength of a row's latents, on average."
    x, f, x_hat, lam = case(rng)
    grown = sae_loss(x, f, x_hat, lam) - sae_loss(x, f, x_hat, 0.0)
    assert_close(grown, lam * f.sum() / 5, atol=1e-4, rtol=1e-4)


def test_the_gradient_pushes_down_every_latent_that_is_on_by_the_same(sae_loss, rng):
    "The gradient is lam / batch at each latent that is on, strong or weak, and 2 (x̂ − x) / batch at x̂."
    x, f, x_hat, lam = case(rng)
    _, at_f, at_x_hat, _ = gradients(sae_loss, x, f + 0.1, x_hat, lam)
    assert_close((at_f, at_x_hat), (torch.full((5, 7), lam / 5), 2 * (x_hat - x) / 5), **CLOSE)


def test_agrees_with_the_reference_on_random_rows(sae_loss, reference, rng):
    "This tries every axis at once, from one row on: compare one row with the equation."
    for shape in [(1, 1, 1), (1, 4, 9), (6, 3, 3), (4, 4, 4), (9, 5, 2)]:
        *tensors, lam = case(rng, *shape)
        for given in (tensors, [t.double() for t in tensors]):
            assert_close(sae_loss(*given, lam), reference(*given, lam), **CLOSE)
