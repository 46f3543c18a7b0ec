"""Is a dictionary compared with a null that is fair, and are latents paired one to one?"""

import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32


def problem(rng, tokens=40, d_in=7, d_sae=12):
    "x far from 0, its second half and its first dimensions larger; W_dec with all lengths; sparse f; noise."
    x = rng.normal(tokens, d_in) * torch.linspace(0.5, 2.0, tokens)[:, None] / torch.arange(1, d_in + 1)
    noise, x = rng.normal(d_sae, d_in) * rng.uniform(d_sae, 1, low=0.5, high=3.0), x + 3 * rng.normal(d_in)
    h = pre_activations(x, noise).flatten().sort().values
    gaps, fewest = h.diff().flip(0), h.numel() // 10
    n = fewest + 1 + int(gaps[fewest : 2 * fewest].argmax())  # clear which are the n largest: rounding changes nothing
    order = (rng.uniform(tokens, d_sae) + torch.linspace(0, 0.5, tokens)[:, None]).flatten().argsort(descending=True)
    f = torch.zeros(tokens * d_sae).index_fill(0, order[:n], 1.0) * rng.uniform(tokens * d_sae, low=0.1, high=2.0)
    W_dec = normalize(rng.normal(d_sae, d_in), dim=1) * rng.uniform(d_sae, 1, low=0.2, high=3.0)
    return x, f.view(tokens, d_sae), W_dec, noise


def pre_activations(x, noise):
    return (x - x.mean(0)) @ normalize(noise, dim=1).T


def code(x, noise, n):
    h = pre_activations(x, noise)
    return h * (h >= h.flatten().topk(n).values[-1])


def test_a_gain_and_a_bias_are_allowed_and_nothing_else_is(explained, rng):
    "x is a gain times r, plus a bias, plus a rest at right angles to r. What share of what varies is the first part?"
    _, f, W_dec, _ = problem(rng)
    r = f @ W_dec - (f @ W_dec).mean(0)
    rest = rng.normal(40, 7) * torch.arange(1, 8)
    rest = rest - rest.mean(0)
    rest = rest - (rest * r).sum() / r.square().sum() * r
    for gain, size in ((0.3, 1.0), (4.0, 1e-4), (-1.0, 1e4)):
        x = size * (gain * (f @ W_dec) + rest / rest.norm() * r.norm() + 3 * rng.normal(7))
        for given in ((x, f, size * W_dec), (x.double(), f.double(), size * W_dec.double())):
            score, expected = explained(*given), gain**2 / (gain**2 + 1)
            assert abs(score - expected) < 1e-4, f"gain {gain}: expected {expected:.4f}, got {score:.4f}"


def test_a_dictionary_that_is_never_on_explains_nothing_nor_does_its_null(explained, sanity_suite, rng):
    "Without a latent on, r doesn't vary, and the formula is 0/0. The null has as many on: none."
    x, f, W_dec, noise = problem(rng)
    score, null, _ = sanity_suite(x, 0 * f, W_dec, W_dec, noise)
    assert (score, null) == (0, 0), f"No latent is on: expected 0 and a null of 0, got {score} and {null}."
    score = explained(x, torch.zeros_like(f), W_dec)
    assert score == 0, f"No latent is on: expected 0, got {score}."


def test_a_shuffled_copy_is_found_again_whatever_its_lengths(partners, rng):
    "Directions decide about partners. Entry i is the cosine of row i of W, wherever its partner stands in V."
    Q, c, lengths = rng.rotation(9), torch.tensor([1.0, 0.95, 0.85, 0.75]), torch.tensor([[0.2], [1], [3], [9]])
    V = torch.cat([(Q[:4] * c[:, None] + Q[4:8] * (1 - c**2).sqrt()[:, None]) * lengths.flip(0), Q[8:]])
    W, mixed = Q[:4] * lengths * rng.uniform(4, 1, low=0.9, high=1.1), torch.tensor([4, 2, 0, 3, 1])
    for mine in (W, W.double()):
        assert_close(partners(mine, V[mixed.roll(rng.integer(0, 2))].to(mine)), c.to(mine), **CLOSE)


def test_a_latent_turned_round_is_another_latent(partners, rng):
    "Row 2 meets its opposite, and a row at right angles. Which of the two is nearer?"
    Q = rng.rotation(6)
    V = torch.cat([Q[:2], -Q[2:3], Q[4:]])
    assert_close(partners(Q[:3], V), torch.tensor([1.0, 1.0, 0.0]), **CLOSE)
    assert_close(partners(Q[2:3], -Q[2:3]), torch.tensor([-1.0]), **CLOSE)


def test_pairs_are_one_to_one_and_their_sum_is_the_largest(partners, rng):
    "Both rows are nearest to the same row. The *sum* of the cosines decides which of them gets it, not the best pair."
    mine, theirs = torch.tensor([10.0, -30.0]).deg2rad(), torch.tensor([0.0, 80.0]).deg2rad()
    plane, order = rng.rotation(4)[:2], rng.permutation(2)
    W, V = (torch.stack([a.cos(), a.sin()], dim=1) @ plane for a in (mine, theirs))
    expected = torch.tensor([70.0, 30.0]).deg2rad().cos()  # the other pairs have cos 10°, above 0.9, and cos 110°
    assert_close(partners(W[order], V), expected[order], **CLOSE)


def test_a_row_of_zeros_has_cosine_0_with_every_row(partners, rng):
    "Row 1 of W is zero: its entry is 0, in its own place, and the other pairs are as without it (mind 0/0)."
    Q = rng.rotation(5)
    W = Q[:3] * torch.tensor([[1.0], [0.0], [1.0]])
    assert_close(partners(W, Q[[2, 0, 4]]), torch.tensor([1.0, 0.0, 1.0]), **CLOSE)


def test_a_dictionary_made_like_the_null_is_no_better_than_the_null(sanity_suite, rng):
    "Here W_dec has the null's directions and its way to choose latents. Do tokens, L0, norms and mean match too?"
    for sizes in [(40, 7, 12), (60, 4, 9)]:
        x, f, W_dec, noise = problem(rng, *sizes)
        f, W_dec = code(x, noise, int((f > 0).sum())), normalize(noise, dim=1) * W_dec.norm(dim=1, keepdim=True)
        score, null, _ = sanity_suite(x, f, W_dec, W_dec, noise)
        assert abs(score - null) < 1e-4, (
            f"Made like the null it scores {score:.4f}; so should the null, not {null:.4f}."
        )


def test_the_null_takes_only_l0_and_row_lengths_from_the_dictionary(sanity_suite, rng):
    "The *second* result is the null's score. Turn the dictionary and exchange its latents: it must not change."
    x, f, W_dec, noise = problem(rng)
    _, null, _ = sanity_suite(x, code(x, noise, int((f > 0).sum())), W_dec, W_dec, noise)
    _, again, _ = sanity_suite(x, f, W_dec @ rng.rotation(7), W_dec, noise)
    assert abs(null - again) < 1e-4, f"As many on, rows as long, the same noise: {null:.4f}, but then {again:.4f}."


def test_shared_is_the_share_of_latents_with_their_own_partner(sanity_suite, rng):
    "Count the partners with a cosine of 0.9 or more. Two rows that resemble the same partner can't both have it."
    x, f, _, noise = problem(rng, d_in=15, d_sae=7)
    Q, found = rng.rotation(15), rng.integer(2, 6)
    f[:, :2] = 0.0  # dead latents have rows like the others
    c = torch.tensor([1.0, 0.92, 0.95, 0.98, 0.93, 0.96])[:, None].where(torch.arange(6)[:, None] < found, 0.88)
    other = torch.cat([Q[:6] * c + Q[6:12] * (1 - c**2).sqrt(), Q[12:13]]).roll(rng.integer(1, 6), 0)
    W_dec = torch.cat([Q[:6], 0.96 * Q[:1] + 0.28 * Q[13:14]]) * rng.uniform(7, 1, low=0.5, high=2.0)
    shared = sanity_suite(x, f, W_dec, other, noise)[2]
    assert abs(shared - found / 7) < 1e-6, f"expected {found} of 7 latents to be shared, got a share of {shared:.4f}"
    few = (torch.arange(40)[:, None] < 5).float()  # tokens where a dictionary of one latent is on
    shared = sanity_suite(x, few, Q[:1], -Q[:1], noise[:1])[2]
    assert shared == 0, f"The only latent is turned round in the other dictionary: expected 0, got {shared}."


def test_agrees_with_the_reference_on_random_dictionaries(sanity_suite, explained, partners, reference, rng):
    "This tries all three numbers at once, on several sizes."
    for sizes in [(40, 7, 12), (30, 3, 5), (50, 10, 8)]:
        x, f, W_dec, noise = problem(rng, *sizes)
        for given in (
            (x, f, W_dec, noise, noise),
            tuple(t.double() for t in (x, f, W_dec, noise - W_dec.roll(1, 0), noise)),
        ):
            assert abs(explained(*given[:3]) - reference.explained(*given[:3])) < 1e-4, "explained differs"
            assert_close(partners(given[2], given[3]), reference.partners(given[2], given[3]), **CLOSE)
            assert_close(torch.tensor(sanity_suite(*given)), torch.tensor(reference(*given)), atol=1e-4, rtol=0.0)
