"""Is λ the mean distance of real tokens' activations from their mean, times the unit?"""

import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32, and room for another order of sums


def texts(rng, n=4, length=6, d_in=5):  # activations far from 0 and unequal in length; BOS first, and scattered pads
    acts = 3 * rng.normal(d_in) + rng.uniform(n, length, 1, low=0.2, high=4.0) * rng.normal(n, length, d_in)
    real = rng.uniform(n, length) < 0.7
    real[:, 0], real[:, 1] = False, True
    acts[:, 0] = 30 * normalize(rng.normal(d_in), dim=0)
    return acts, real


def test_two_tokens_are_each_half_their_distance_from_the_mean(l1_from_deviation, rng):
    "Two activations: their mean lies halfway, so the mean length of the deviations is half of their distance."
    a, b, unit = rng.normal(7), rng.normal(7), rng.uniform(1, low=0.1).item()
    acts, real = torch.stack([a, b])[None], torch.ones(1, 2) > 0
    assert_close(l1_from_deviation(acts, real, unit), unit * (a - b).norm().item() / 2, **CLOSE)


def test_the_lengths_of_the_deviations_are_averaged(l1_from_deviation, rng):
    "Deviations of 1, 1 and 2: their mean length is 4/3. Take no root of a mean square, no sum, no median."
    direction, shift = normalize(rng.normal(4), dim=0), rng.normal(4)
    acts = torch.tensor([1.0, 1.0, -2.0])[:, None, None] * direction + shift
    assert_close(l1_from_deviation(acts, torch.ones(3, 1) > 0, 1.0), 4 / 3, **CLOSE)


def test_activations_c_times_as_large_need_c_times_the_penalty(l1_from_deviation, rng):
    "x → cx has to give λ → cλ: neither c² nor √c. (The sign of c makes no difference.)"
    acts, real = texts(rng)
    for c in (10.0, -0.1):
        assert_close(l1_from_deviation(c * acts, real, 0.3), abs(c) * l1_from_deviation(acts, real, 0.3), **CLOSE)


def test_a_shift_of_all_activations_changes_nothing(l1_from_deviation, rng):
    "b_dec takes up a vector that is added to all activations. Look at which mean you subtract, and over which axes."
    acts, real = texts(rng)
    assert_close(l1_from_deviation(acts + 5 * rng.normal(5), real, 0.3), l1_from_deviation(acts, real, 0.3), **CLOSE)


def test_a_rotation_of_all_activations_changes_nothing(l1_from_deviation, rng):
    "The length of a vector is that of its arrow: a root of a sum of squares over d_in, not a sum of sizes."
    acts, real = texts(rng)
    assert_close(l1_from_deviation(acts @ rng.rotation(5), real, 0.3), l1_from_deviation(acts, real, 0.3), **CLOSE)


def test_bos_and_pads_count_nowhere(l1_from_deviation, rng):
    "What the mask leaves out is in neither of the two means, and is no row of zeros either."
    acts, real = texts(rng)
    other = torch.where(real[..., None], acts, 100 * rng.normal(4, 6, 5))
    assert_close(l1_from_deviation(other, real, 0.3), l1_from_deviation(acts, real, 0.3), **CLOSE)
    alone = l1_from_deviation(acts[real][None], torch.ones(1, int(real.sum())) > 0, 0.3)
    assert_close(l1_from_deviation(acts, real, 0.3), alone, **CLOSE)


def test_all_texts_share_one_mean(l1_from_deviation, rng):
    "Two texts, each of one activation again and again: the distance is that between the texts."
    a, b, real = rng.normal(3), rng.normal(3), torch.ones(2, 4) > 0
    acts = torch.stack([a.expand(4, 3), b.expand(4, 3)])
    assert_close(l1_from_deviation(acts, real, 2.0), (a - b).norm().item(), **CLOSE)


def test_repeated_rows_and_dimensions_of_zeros_change_nothing(l1_from_deviation, rng):
    "The same activations twice, or with as many dimensions more that are 0: λ is the same."
    acts, real = texts(rng)
    for more, mask in [(acts.repeat(2, 1, 1), real.repeat(2, 1)), (torch.cat([acts, 0 * acts], dim=-1), real)]:
        assert_close(l1_from_deviation(more, mask, 0.3), l1_from_deviation(acts, real, 0.3), **CLOSE)


def test_agrees_with_the_reference_on_any_activations(l1_from_deviation, reference, rng):
    "This tries one token (it is its own mean, λ = 0), one dimension, a unit of 0, double precision."
    for n, length, d_in, unit in [(1, 2, 3, 0.5), (3, 7, 1, 1e-5), (2, 5, 9, 0.0), (6, 4, 16, 2.0)]:
        acts, real = texts(rng, n, length, d_in)
        real[0, 1] = True
        for given in (acts, acts.double()):
            assert_close(l1_from_deviation(given, real, unit), reference(given, real, unit), **CLOSE)
