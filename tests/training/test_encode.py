"""Does each component see what is left without its b_dec, through its own weights, and put b_dec back?"""

import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-4, "rtol": 1e-4}  # float32; sums of some ten terms of size one


def weights(rng, comp=3, d_in=4, d_sae=7):
    """W_enc, b_enc, b_dec"""
    return rng.normal(comp, d_in, d_sae), rng.normal(comp, d_sae), rng.normal(comp, d_in) * 2


def test_where_x_equals_b_dec_each_latent_shows_its_own_bias(encode, rng):
    "With x = b_dec nothing is left but b_enc, and the ReLU comes after it."
    W_enc, b_enc, b_dec = weights(rng)
    assert_close(encode(b_dec.repeat(5, 1, 1), W_enc, b_enc, b_dec), b_enc.clamp(min=0).repeat(5, 1, 1), **CLOSE)


def test_no_latent_is_negative(encode, rng):
    "The ReLU comes last."
    W_enc, b_enc, b_dec = weights(rng)
    f = encode(rng.normal(20, 3, 4), W_enc, b_enc, b_dec)
    assert f.min() >= 0, f"Latents should be 0 or more; the smallest is {f.min():.3f}."


def test_a_latent_with_a_zero_column_in_W_enc_shows_only_its_bias(encode, rng):
    "Column i of W_enc [d_in, d_sae] is what latent i reads along: sum over d_in. d_in and d_sae are equal here."
    (W_enc, b_enc, b_dec), i = (w.double() for w in weights(rng, 3, 5, 5)), rng.integer(0, 5)
    W_enc[:, :, i] = 0
    f = encode(rng.normal(4, 3, 5).double(), W_enc, b_enc + 0.1, b_dec)
    assert_close(f[..., i], (b_enc + 0.1)[:, i].clamp(min=0).repeat(4, 1), **CLOSE)


def test_moving_x_and_b_dec_together_changes_no_latent(encode, rng):
    "The encoder sees x − b_dec only: b_dec is subtracted on the way in."
    (W_enc, b_enc, b_dec), x, shift = weights(rng), rng.normal(5, 3, 4), rng.normal(3, 4)
    assert_close(encode(x + shift, W_enc, b_enc, b_dec + shift), encode(x, W_enc, b_enc, b_dec), **CLOSE)


def test_each_component_gives_what_it_gives_alone(encode, decode, rng):
    "Component c uses x[..., c, :] and its own weights and biases, and nothing of the others."
    (W_enc, b_enc, b_dec), x, f, W_dec = weights(rng), rng.normal(5, 3, 4), rng.uniform(5, 3, 7), rng.normal(3, 7, 4)
    latents, x_hat = encode(x, W_enc, b_enc, b_dec), decode(f, W_dec, b_dec)
    for c in range(3):
        one = slice(c, c + 1)
        assert_close(latents[:, one], encode(x[:, one], W_enc[one], b_enc[one], b_dec[one]), **CLOSE)
        assert_close(x_hat[:, one], decode(f[:, one], W_dec[one], b_dec[one]), **CLOSE)


def test_a_row_gives_the_same_alone_and_among_as_many_rows_as_components(encode, decode, rng):
    "All sizes are equal here, so a bias or a product along the wrong axis runs. Which axis is whose?"
    (W_enc, b_enc, b_dec), x, f, W_dec = weights(rng, 4, 4, 4), *(rng.normal(4, 4, 4) for _ in range(3))
    latents, x_hat = encode(x, W_enc, b_enc, b_dec), decode(f.abs(), W_dec, b_dec)
    for r in range(4):
        assert_close(latents[r], encode(x[r : r + 1], W_enc, b_enc, b_dec)[0], **CLOSE)
        assert_close(x_hat[r], decode(f[r : r + 1].abs(), W_dec, b_dec)[0], **CLOSE)


def test_each_component_has_its_own_numbers_and_rows_feel_nothing_of_each_other(encode, decode, rng):
    "Give one component other weights, and one row of the batch other numbers: what may change, and what may not?"
    (W_enc, b_enc, b_dec), x, W_dec = weights(rng), rng.normal(5, 3, 4), rng.normal(3, 7, 4)
    b_enc = b_enc + 20  # all latents are on
    f = encode(x, W_enc, b_enc, b_dec)
    x_hat = decode(f, W_dec, b_dec)
    row, c = rng.integer(0, 5), rng.integer(1, 3)
    among = x.index_fill(0, torch.tensor([row]), 3.0)
    others = [r for r in range(5) if r != row]
    assert_close(encode(among, W_enc, b_enc, b_dec)[others], f[others], **CLOSE)
    given = [w.clone() for w in (W_enc, b_enc, b_dec, W_dec)]
    for w in given:
        w[c] += 1.0
    changed = (encode(x, *given[:3]) != f).any(0).any(-1), (decode(f, given[3], given[2]) != x_hat).any(0).any(-1)
    assert_close(torch.stack(changed), (torch.arange(3) == c).repeat(2, 1))


def test_any_number_of_axes_may_stand_before_the_components(encode, decode, rng):
    "None, one or two axes before `comp`: count axes from the end, or use `...`."
    (W_enc, b_enc, b_dec), x, W_dec = weights(rng), rng.normal(2, 5, 3, 4), rng.normal(3, 7, 4)
    x_hat = decode(f := encode(x.flatten(0, 1), W_enc, b_enc, b_dec), W_dec, b_dec)
    assert_close(encode(x, W_enc, b_enc, b_dec), f.view(2, 5, 3, 7), **CLOSE)
    assert_close(encode(x[1, 4], W_enc, b_enc, b_dec), f[9], **CLOSE)
    assert_close(decode(f.view(2, 5, 3, 7), W_dec, b_dec), x_hat.view(2, 5, 3, 4), **CLOSE)
    assert_close(decode(f[9], W_dec, b_dec), x_hat[9], **CLOSE)


def test_a_dictionary_of_axes_in_both_directions_reconstructs_any_x(encode, decode, rng):
    "With these weights f holds what is above and what is below b_dec: adding up must give x again, of any sign."
    x, b_dec, W_dec = rng.normal(6, 2, 5), rng.normal(2, 5), torch.cat([torch.eye(5), -torch.eye(5)]).repeat(2, 1, 1)
    assert_close(decode(encode(x, W_dec.mT.clone(), torch.zeros(2, 10), b_dec), W_dec, b_dec), x, **CLOSE)


def test_each_latent_adds_its_row_to_b_dec(decode, rng):
    "x̂ is b_dec plus, for each latent that is on, its strength times its row of W_dec."
    W_dec, b_dec, i = rng.normal(2, 5, 5), rng.normal(2, 5), rng.integer(0, 5)
    f, expected = torch.zeros(3, 2, 5), b_dec.repeat(3, 1, 1)
    f[1, 0, i], f[2, 1, i] = 2, 3
    expected[1, 0] += 2 * W_dec[0, i]
    expected[2, 1] += 3 * W_dec[1, i]
    assert_close(decode(f, W_dec, b_dec), expected, **CLOSE)


def test_b_dec_gets_a_gradient_from_encode_and_from_decode(encode, decode, rng):
    "Gradients: four of the seven latents are on, and b_dec pulls through their −W_enc; on the way out, directly."
    (W_enc, b_enc, b_dec), x, f, W_dec = weights(rng), rng.normal(1, 3, 4), rng.uniform(5, 3, 7), rng.normal(3, 7, 4)
    on = (rng.permutation(7) < 4).float()
    dx, dW, db, dc = gradients(encode, x, W_enc, b_enc + 200 * on - 100, b_dec)
    assert_close((dx[0], db, dc), ((W_enc * on).sum(dim=2), on.repeat(3, 1), -(W_enc * on).sum(dim=2)), **CLOSE)
    assert_close(dW, (x[0] - b_dec)[..., None] * on, **CLOSE)
    df, dW, dc = gradients(decode, f, W_dec, b_dec)
    assert_close((df[0], dc), (W_dec.sum(dim=2), torch.full((3, 4), 5.0)), **CLOSE)
    assert_close(dW, f.sum(dim=0)[..., None].repeat(1, 1, 4), **CLOSE)


def test_agrees_with_the_reference_on_random_weights(encode, decode, reference, rng):
    "This tries every axis at once: compare one row with the equations."
    for batch, comp, d_in, d_sae in [(1, 1, 1, 1), (5, 12, 3, 8), (12, 12, 4, 6), (2, 3, 5, 5), (4, 2, 6, 3)]:
        (W_enc, b_enc, b_dec), W_dec = weights(rng, comp, d_in, d_sae), rng.normal(comp, d_sae, d_in)
        x = rng.normal(batch, comp, d_in)
        for as_type in (torch.float32, torch.float64):
            args = [each.to(as_type) for each in (x, W_enc, b_enc, b_dec)]
            f = reference(*args)
            assert_close(encode(*args), f, **CLOSE)
            given = f - 1, W_dec.to(as_type), b_dec.to(as_type)  # the decoder has no ReLU
            assert_close(decode(*given), reference.decode(*given), **CLOSE)
