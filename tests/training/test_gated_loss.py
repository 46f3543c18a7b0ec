"""Does the gate decide, does the magnitude measure, and is the penalty on the right one of the two?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32, sums of a few dozen numbers


def for_the_loss(rng, batch=6, d_in=5, d_sae=8, least=0.0):
    """x, f, gate, W_dec, b_dec, λ; about half of f and of gate is 0, not in the same places, or `least`: |gate| at 0
    may have any slope, because the ReLU that gate comes from passes none on."""
    f, gate = rng.normal(batch, d_sae).clamp_min(least), rng.normal(batch, d_sae).clamp_min(least)
    return rng.normal(batch, d_in), f, gate, rng.normal(d_sae, d_in), rng.normal(d_in), rng.uniform(1, low=0.1).item()


def for_the_encoder(rng, batch=6, d_in=5, d_sae=8):
    """x, W_enc, b_gate, r_mag, b_mag, b_dec; no π is so close to 0 that rounding decides."""
    while True:
        x, W_enc, b_dec = rng.normal(batch, d_in), rng.normal(d_in, d_sae), rng.normal(d_in)
        b_gate, r_mag, b_mag = rng.normal(d_sae), rng.normal(d_sae), rng.normal(d_sae)
        if ((x - b_dec) @ W_enc + b_gate).abs().min() > 1e-3:
            return x, W_enc, b_gate, r_mag, b_mag, b_dec


def test_with_nothing_on_the_loss_is_twice_the_squared_distance_from_b_dec(gated_loss, rng):
    "Both reconstructions are b_dec then. Squared errors are summed over d_in and averaged over the batch."
    x, f, gate, W_dec, b_dec, lam = for_the_loss(rng)
    expected = 2 * (x - b_dec).square().sum(dim=1).mean()
    assert_close(gated_loss(x, 0 * f, 0 * gate, W_dec, b_dec, lam), expected, **CLOSE)


def test_each_term_counts_once(gated_loss, rng):
    "Make the two reconstructions perfect in turn; then change λ. No term is multiplied by more than the text says."
    x, f, gate, W_dec, b_dec, lam = for_the_loss(rng)
    by_f, by_gate = f @ W_dec + b_dec, gate @ W_dec + b_dec
    apart, paid = (by_f - by_gate).square().sum(dim=1).mean(), gate.sum(dim=1).mean()
    for perfect in (by_f, by_gate):
        assert_close(gated_loss(perfect, f, gate, W_dec, b_dec, 0.0), apart, **CLOSE)
        assert_close(gated_loss(perfect, f, gate, W_dec, b_dec, 3 * lam), apart + 3 * lam * paid, **CLOSE)


def test_moving_the_data_and_the_bias_together_changes_nothing(gated_loss, rng):
    "Only x − b_dec matters, in the gate's reconstruction too."
    x, f, gate, W_dec, b_dec, lam = for_the_loss(rng)
    shift = rng.normal(5)
    moved = gated_loss(x + shift, f, gate, W_dec, b_dec + shift, lam)
    assert_close(moved, gated_loss(x, f, gate, W_dec, b_dec, lam), **CLOSE)


def test_the_penalty_pulls_on_the_gate_and_not_on_the_magnitudes(gated_loss, rng):
    "Where both reconstructions are perfect the penalty alone has a gradient: does f get any of it, or the gate?"
    x, f, _, W_dec, b_dec, lam = for_the_loss(rng, batch=1, least=0.1)
    x = f @ W_dec + b_dec
    _, to_f, to_gate, *_ = gradients(gated_loss, x, f, f, W_dec, b_dec, lam)
    assert_close(to_f, torch.zeros_like(f), atol=1e-4, rtol=0.0)  # rounding, times the length of a row
    assert_close(to_gate, torch.full_like(f, lam), atol=1e-4, rtol=0.0)


def test_the_decoder_learns_from_the_magnitudes_alone(gated_loss, rng):
    "The gate's reconstruction uses the decoder and must not change it, weights and bias."
    x, f, gate, W_dec, b_dec, lam = for_the_loss(rng)
    error = f @ W_dec + b_dec - x
    *_, to_W, to_b, _ = gradients(gated_loss, x, f, gate, W_dec, b_dec, lam)
    assert_close(to_W, 2 * f.T @ error / len(x), **CLOSE)
    assert_close(to_b, 2 * error.mean(dim=0), **CLOSE)


def test_the_gate_learns_from_its_own_reconstruction(gated_loss, rng):
    "Without it only the penalty would reach the gate, and close it. What must stay in the graph, and what must not?"
    x, f, gate, W_dec, b_dec, lam = for_the_loss(rng, least=0.1)
    to_gate = gradients(gated_loss, x, f, gate, W_dec, b_dec, lam)[2]
    assert_close(to_gate, (2 * (gate @ W_dec + b_dec - x) @ W_dec.T + lam) / len(x), **CLOSE)


def test_the_gate_says_whether_and_the_magnitude_how_much(gated_encode, rng):
    "f is ReLU(m) where the gate is open and 0 elsewhere; how far open it is does not matter. And gate is ReLU(π)."
    x, W_enc, b_gate, r_mag, b_mag, b_dec = for_the_encoder(rng)
    h = (x - b_dec) @ W_enc
    m = torch.stack([(x - b_dec) @ (column * r.exp()) for column, r in zip(W_enc.T, r_mag)], dim=1) + b_mag
    f, gate = gated_encode(x, W_enc, b_gate, r_mag, b_mag, b_dec)
    assert_close(gate, (h + b_gate).clamp_min(0), **CLOSE)
    assert_close(f, torch.where(h + b_gate > 0, m.clamp_min(0), 0.0), **CLOSE)


def test_magnitudes_double_with_every_log_2_on_r_mag(gated_encode, rng):
    "Without b_mag, adding log 2 to r doubles m, from whatever r. The gate doesn't see it."
    x, W_enc, b_gate, r_mag, b_mag, b_dec = for_the_encoder(rng)
    f, gate = gated_encode(x, W_enc, b_gate, r_mag, 0 * b_mag, b_dec)
    for doublings in (-2, 1, 2):
        r = r_mag + doublings * torch.log(torch.tensor(2.0))
        f_new, gate_new = gated_encode(x, W_enc, b_gate, r, 0 * b_mag, b_dec)
        assert_close(f_new, f * 2.0**doublings, **CLOSE)
        assert_close(gate_new, gate, **CLOSE)


def test_where_x_equals_b_dec_only_b_gate_and_b_mag_are_left(gated_encode, rng):
    "With x = b_dec every h is 0: π is b_gate and m is b_mag, not scaled by anything. A gate at exactly 0 is closed."
    _, W_enc, b_gate, r_mag, b_mag, b_dec = for_the_encoder(rng)
    b_gate[rng.integer(0, 8)], b_mag = 0.0, b_mag + b_mag.sign()
    b_mag[b_gate == 0] = 1.0
    f, gate = gated_encode(b_dec[None], W_enc, b_gate, r_mag, b_mag, b_dec)
    assert_close(gate[0], b_gate.clamp_min(0), **CLOSE)
    assert_close(f[0], torch.where(b_gate > 0, b_mag.clamp_min(0), 0.0), **CLOSE)


@pytest.mark.parametrize("p", [1.0, 0.5, 0.05], ids=["p = 1", "p = 0.5", "p = 0.05"])
def test_a_latent_that_is_on_costs_its_power_and_zeros_cost_nothing(annealed_penalty, rng, p):
    "Sum over latents, average over samples, take no root. Latents at 0 cost nothing; the faintest that is on does."
    sizes, places = rng.uniform(3, low=0.3, high=5.0) * torch.tensor([1.0, 1.0, 1e-7]), rng.permutation(21)
    f = torch.cat([sizes, torch.zeros(18)])[places].view(3, 7)
    assert_close(annealed_penalty(f, p), sum(size**p for size in sizes) / 3, **CLOSE)


@pytest.mark.parametrize("p", [1.0, 0.5, 0.2], ids=["p = 1", "p = 0.5", "p = 0.2"])
def test_the_pull_grows_towards_zero_and_is_gone_at_zero(annealed_penalty, rng, p):
    "It is p·f^(p−1) over the batch size where f > 0. At 0 the formula is infinite for p < 1; by convention it is 0."
    f = rng.uniform(4, 6, low=0.2, high=4.0) * (rng.permutation(24) < 12).view(4, 6)
    f[0] *= 1e-5
    expected = torch.where(f > 0, p * f.clamp_min(1e-6) ** (p - 1) / 4, 0.0)
    assert_close(gradients(annealed_penalty, f, p)[0], expected, **CLOSE)


def test_a_batch_with_nothing_on_has_no_cost_and_no_gradient(annealed_penalty, rng):
    "Nothing to add up is a tensor too: 0, with a gradient of 0 for every latent, so that training goes on."
    off = torch.zeros(rng.integer(1, 5), 6)
    assert_close(annealed_penalty(off, 0.5), torch.tensor(0.0))
    assert_close(gradients(annealed_penalty, off, 0.5)[0], off)


def test_agrees_with_the_reference_in_any_shape_and_precision(
    gated_loss, gated_encode, annealed_penalty, reference, rng
):
    "This tries all at once, from one sample and one latent to many: compare one number with the equations."
    for batch, d_in, d_sae in [(1, 1, 1), (1, 4, 7), (6, 3, 3)]:
        loss, encode = for_the_loss(rng, batch, d_in, d_sae, 0.1), for_the_encoder(rng, batch, d_in, d_sae)
        for dtype in (torch.float32, torch.float64):
            a, b = ([n if isinstance(n, float) else n.to(dtype) for n in given] for given in (loss, encode))
            assert_close(gradients(gated_loss, *a)[1:5], gradients(reference, *a)[1:5], **CLOSE)
            assert_close(gated_loss(*a), reference(*a), **CLOSE)
            assert_close(gated_encode(*b), reference.gated_encode(*b), **CLOSE)
            for i in range(2):
                ours, right = (lambda *n, fn=fn: fn(*n)[i] for fn in (gated_encode, reference.gated_encode))  # noqa: B023
                assert_close(gradients(ours, *b), gradients(right, *b), **CLOSE)
            assert_close(annealed_penalty(a[1], 0.3), reference.annealed_penalty(a[1], 0.3), **CLOSE)
