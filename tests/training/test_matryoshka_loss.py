"""Does every prefix of the dictionary have to reconstruct x on its own?"""

import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32, sums of some hundred numbers


def dictionary(rng, batch=6, d_in=5, d_sae=11):
    """x, f, W_dec, b_dec; about half of f is 0."""
    return rng.normal(batch, d_in), rng.normal(batch, d_sae).clamp_min(0), rng.normal(d_sae, d_in), rng.normal(d_in)


def squared_error(x, x_hat):
    return (x - x_hat).square().sum(dim=1).mean()


def test_a_single_prefix_is_the_plain_squared_error(matryoshka_loss, rng):
    "With prefixes [d_sae] only the whole dictionary counts: sum over d_in, take the mean over the batch."
    x, f, W_dec, b_dec = dictionary(rng)
    assert_close(matryoshka_loss(x, f, W_dec, b_dec, [11]), squared_error(x, f @ W_dec + b_dec), **CLOSE)


def test_one_more_prefix_adds_the_error_of_its_latents_alone(matryoshka_loss, rng):
    "A prefix has the first m latents, all of them and no others; what the other prefixes pay doesn't change."
    x, f, W_dec, b_dec = dictionary(rng)
    for m, others in [(1, [11]), (3, [5, 11]), (7, [2, 11]), (10, [4, 6, 11])]:
        more = matryoshka_loss(x, f, W_dec, b_dec, sorted([m, *others])) - matryoshka_loss(x, f, W_dec, b_dec, others)
        assert_close(more, squared_error(x, f[:, :m] @ W_dec[:m] + b_dec), atol=1e-3, rtol=1e-4)  # a small difference


def test_with_nothing_on_each_prefix_pays_the_distance_to_the_bias(matryoshka_loss, rng):
    "All reconstructions are then b_dec, once in each, and their errors are summed."
    x, f, W_dec, b_dec = dictionary(rng)
    for prefixes in ([11], [4, 11], [1, 2, 5, 11]):
        expected = len(prefixes) * squared_error(x, b_dec)
        assert_close(matryoshka_loss(x, 0 * f, W_dec, b_dec, prefixes), expected, **CLOSE)


def test_the_first_latent_serves_every_prefix_and_the_last_only_one(matryoshka_loss, rng):
    "One latent reconstructs x exactly. Which prefixes contain it, and which ones miss all of x?"
    _, _, W_dec, b_dec = dictionary(rng)
    for i, without in [(0, 0), (2, 1), (3, 2), (7, 2), (8, 3), (10, 3)]:  # prefixes of 1, 3, 8 and 11 latents
        f = torch.zeros(4, 11)
        f[:, i] = rng.uniform(4, low=0.5, high=2.0)
        expected = without * squared_error(f @ W_dec, 0.0)
        assert_close(matryoshka_loss(f @ W_dec + b_dec, f, W_dec, b_dec, [1, 3, 8, 11]), expected, **CLOSE)


def test_moving_the_data_and_the_bias_together_changes_nothing(matryoshka_loss, rng):
    "Each reconstruction has b_dec exactly once, whichever block it ends with."
    x, f, W_dec, b_dec = dictionary(rng)
    shift, prefixes = rng.normal(5), [2, 3, 7, 11]
    moved = matryoshka_loss(x + shift, f, W_dec, b_dec + shift, prefixes)
    assert_close(moved, matryoshka_loss(x, f, W_dec, b_dec, prefixes), **CLOSE)


def test_a_latent_is_trained_by_every_prefix_that_contains_it(matryoshka_loss, rng):
    "Its gradient is a sum over all those prefixes; nothing is detached, and the last block is trained as well."
    x, f, W_dec, b_dec = dictionary(rng)
    prefixes = [2, 6, 11]
    errors = [f[:, :m] @ W_dec[:m] + b_dec - x for m in prefixes]
    pulls = [sum(e for e, m in zip(errors, prefixes) if i < m) for i in range(11)]  # batch d_in, for each latent
    _, to_f, to_W, to_b, _ = gradients(matryoshka_loss, x, f, W_dec, b_dec, prefixes)
    assert_close(to_f, torch.stack([2 * h @ row / 6 for h, row in zip(pulls, W_dec)], dim=1), **CLOSE)
    assert_close(to_W, torch.stack([2 * column @ h / 6 for h, column in zip(pulls, f.T)]), **CLOSE)
    assert_close(to_b, 2 * sum(errors).mean(dim=0), **CLOSE)


def test_agrees_with_the_reference_in_any_shape_and_precision(matryoshka_loss, reference, rng):
    "This tries everything at once, from one sample and one latent to many. Compare one number with the equation."
    for batch, d_in, prefixes in [(1, 1, [1]), (1, 4, [1, 2]), (6, 3, [1, 2, 3]), (5, 7, [4]), (3, 2, [2, 3, 9])]:
        given = dictionary(rng, batch, d_in, prefixes[-1])
        for dtype in (torch.float32, torch.float64):
            args = [*(n.to(dtype) for n in given), prefixes]
            assert_close(matryoshka_loss(*args), reference(*args), **CLOSE)
            assert_close(gradients(matryoshka_loss, *args), gradients(reference, *args), **CLOSE)
