"""Does a threshold let through what it should, and do the samples near it move it?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32, sums of a few numbers


def thresholds(rng, batch=12, d_sae=7):
    """h, θ, ε and which h lie in the window: none is close to an edge of it or to θ, where rounding would decide."""
    theta, eps = rng.uniform(d_sae, low=0.4, high=2.0), rng.uniform(1, low=0.2, high=0.7).item()
    near = rng.uniform(batch, d_sae) < 0.5
    u = torch.where(near, rng.uniform(batch, d_sae, low=0.05, high=0.45), rng.uniform(batch, d_sae, low=0.55, high=3))
    side = torch.where(rng.uniform(batch, d_sae) < 0.5, -1.0, 1.0)
    return theta + eps * u * side, theta, eps, near.float()


def test_only_what_is_above_its_threshold_passes_and_it_passes_whole(jumprelu, step, rng):
    "jumprelu is h itself or 0, step is 1 or 0, also where h is far below 0; the bandwidth changes no value."
    h, theta, eps, _ = thresholds(rng)
    h = torch.cat([h, -h])
    for width in (eps, 5 * eps):
        assert_close(jumprelu(h, theta, width), torch.where(h > theta, h, 0.0), **CLOSE)
        assert_close(step(h, theta, width), (h > theta).float(), **CLOSE)


def test_a_latent_exactly_at_its_threshold_is_off(jumprelu, step, rng):
    "Is it h > θ or h ≥ θ? The text decides."
    theta = rng.uniform(5, low=0.4, high=2.0)
    h = torch.stack([theta, theta + 0.1])
    assert_close(jumprelu(h, theta, 0.3), torch.stack([0 * theta, theta + 0.1]), **CLOSE)
    assert_close(step(h, theta, 0.3), torch.tensor([[0.0], [1.0]]).expand(2, 5), **CLOSE)


def test_a_gradient_reaches_h_where_the_latent_is_on(jumprelu, rng):
    "For h a JumpReLU is a line of slope 1 or 0. What comes from above is multiplied by it; the window has no say here."
    h, theta, eps, _ = thresholds(rng)
    weights = rng.normal(*h.shape)
    assert_close(gradients(jumprelu, h, theta, eps, weights=weights)[0], weights * (h > theta), **CLOSE)


def test_the_step_sends_no_gradient_to_h(step, rng):
    "By convention the count moves thresholds only: what does `backward` return for h?"
    h, theta, eps, _ = thresholds(rng)
    assert_close(gradients(step, h, theta, eps, weights=rng.normal(*h.shape))[0], torch.zeros_like(h), **CLOSE)


@pytest.mark.parametrize("side", [-1, 1], ids=["just below", "just above"])
def test_one_sample_pushes_its_threshold_by_the_jump_over_the_bandwidth(jumprelu, step, rng, side):
    "Within half a bandwidth, on either side: a higher θ means less output. The jump is θ high, the step 1."
    theta, eps = rng.uniform(6, low=0.4, high=2.0), rng.uniform(1, low=0.2, high=0.7).item()
    u = side * rng.uniform(6, low=0.05, high=0.45)
    for t in (theta, 0.04 * eps * theta):  # the second so small that h below it may be negative
        h = (t + eps * u)[None]
        assert_close(gradients(jumprelu, h, t, eps)[1], -t / eps, **CLOSE)
        assert_close(gradients(step, h, t, eps)[1], torch.full((6,), -1 / eps), **CLOSE)


@pytest.mark.parametrize("side", [-1, 1], ids=["below", "above"])
def test_a_sample_beyond_half_a_bandwidth_pushes_no_threshold(jumprelu, step, rng, side):
    "The whole window is ε wide, so it ends at a distance of ε/2 from θ."
    theta, eps = rng.uniform(6, low=0.4, high=2.0), rng.uniform(1, low=0.2, high=0.7).item()
    h = (theta + side * eps * torch.cat([rng.uniform(3, low=0.52, high=0.98), rng.uniform(3, low=1.02, high=5)]))[None]
    assert_close(gradients(jumprelu, h, theta, eps)[1], torch.zeros(6), **CLOSE)
    assert_close(gradients(step, h, theta, eps)[1], torch.zeros(6), **CLOSE)


def test_a_threshold_gets_the_sum_over_all_samples_near_it(jumprelu, step, rng):
    "Each sample's slope times what comes from above for *this* sample, then the sum (no mean) over the batch."
    h, theta, eps, near = thresholds(rng)
    weights = rng.normal(*h.shape)
    said = -(weights * near).sum(dim=0) / eps
    assert_close(gradients(jumprelu, h, theta, eps, weights=weights)[1], theta * said, **CLOSE)
    assert_close(gradients(step, h, theta, eps, weights=weights)[1], said, **CLOSE)


def test_the_slope_of_the_count_is_its_finite_difference(step, rng):
    "Count at θ + ε/2, count at θ − ε/2, divide by ε: that is what the slopes of a whole batch add up to."
    h, theta, eps, _ = thresholds(rng, batch=40)
    counts = [step(h, theta + side * eps / 2, eps).sum(dim=0) for side in (-1, 1)]
    assert_close(gradients(step, h, theta, eps)[1], (counts[1] - counts[0]) / eps, **CLOSE)


def test_a_threshold_of_zero_has_no_jump_but_still_counts(jumprelu, step, rng):
    "At θ = 0 a JumpReLU is a ReLU, without a jump; the step is as high as ever."
    h, theta = (
        torch.cat([rng.uniform(5, 4, low=-0.09, high=-0.01), rng.uniform(3, 4, low=0.01, high=0.09)]),
        torch.zeros(4),
    )
    assert_close(gradients(jumprelu, h, theta, 0.2)[1], theta, **CLOSE)
    assert_close(gradients(step, h, theta, 0.2)[1], torch.full((4,), -8 / 0.2), **CLOSE)


def test_agrees_with_the_reference_in_any_shape_and_precision(jumprelu, step, reference, rng):
    "This tries all at once, from one sample and one latent to many: compare one number with the equations."
    for batch, d_sae in [(1, 1), (1, 5), (6, 1), (5, 5), (9, 4)]:
        h, theta, eps, _ = thresholds(rng, batch, d_sae)
        for x, t in ((h, theta), (h.double(), theta.double())):
            weights = rng.normal(batch, d_sae).to(x)
            for ours, right in ((jumprelu, reference), (step, reference.step)):
                assert_close(ours(x, t, eps), right(x, t, eps), **CLOSE)
                expected = gradients(right, x, t, eps, weights=weights)[:2]
                assert_close(gradients(ours, x, t, eps, weights=weights)[:2], expected, **CLOSE)
