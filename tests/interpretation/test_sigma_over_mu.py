"""What does a list of latents, sorted by σ/μ, sort by?"""

import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 sums in another order
NAN = float("nan")


def latents(
    rng, n=40, counts=(1, 3, 10, 25, 40)
):  # on at so many tokens, unequally strong, each with a scale of its own
    columns = [(rng.permutation(n) < k) * rng.uniform(n, low=0.2, high=3.0) for k in counts]
    return torch.stack(columns, dim=1) * 10 ** rng.uniform(len(counts), low=-2.0, high=2.0)


def test_equally_strong_at_a_share_p_gives_the_root_of_one_minus_p_over_p(sigma_over_mu, rng):
    "On at k of n tokens: √((n − k)/k), 0 where it is always on. The zeros belong to σ and μ; σ divides by n."
    n = rng.integer(20, 60)
    k = torch.tensor([1, n // 2, n, rng.integer(2, n)])
    f = torch.stack([(rng.permutation(n) < size).float() for size in k], dim=1) * rng.uniform(4, low=0.1, high=9.0)
    assert_close(sigma_over_mu(f), ((n - k) / k).sqrt(), **CLOSE)


def test_the_scale_of_a_latent_drops_out(sigma_over_mu, reference, rng):
    "Ten times as strong everywhere: the same ratio. It is a deviation over a mean, not a variance."
    f = latents(rng)
    for scaled in (f, 10 * f, f * rng.uniform(5, low=0.01, high=1.0)):
        assert_close(sigma_over_mu(scaled), reference(f), **CLOSE)


def test_a_latent_that_is_never_on_has_nan(sigma_over_mu, rarity_law, rng):
    "0/0: there is nothing to say of it, by measurement or by the law. Those beside it keep their figures."
    f = torch.cat([latents(rng), torch.zeros(40, 2)], dim=1)[:, rng.permutation(7)]
    dead = (f == 0).all(dim=0)
    for part in (sigma_over_mu, rarity_law):
        expected = torch.where(dead, NAN, f.double().std(dim=0, correction=0) / f.double().mean(dim=0)).float()
        assert_close(part(f), expected, equal_nan=True, **CLOSE)


def test_the_law_is_exact_for_one_strength_and_for_two(rarity_law, rng):
    "c is 0 where a latent is on at one strength. Half at m(1 + c), half at m(1 − c): put c and p in, and compare."
    n, k = 40, torch.tensor([2, 10, 24, 40])
    for c in (0.0, *rng.uniform(2, low=0.1, high=0.9).tolist()):
        sign = torch.where(torch.arange(n)[:, None] % 2 == 0, 1 + c, 1 - c)
        f = ((torch.arange(n)[:, None] < k) * sign * rng.uniform(4, low=0.1, high=5.0))[rng.permutation(n)]
        p = k / n
        assert_close(rarity_law(f), ((1 + c**2 - p) / p).sqrt(), **CLOSE)


def test_the_law_says_what_is_measured(rarity_law, rng):
    "Whatever the activations are: it is the same number, written with p and c. Are m and c those where it is on?"
    for n in (15, 40):
        f = latents(rng, n, (1, 2, 7, n // 2, n))
        expected = f.double().std(dim=0, correction=0) / f.double().mean(dim=0)
        assert_close(rarity_law(f), expected.float(), atol=1e-3, rtol=1e-3)


def test_the_list_runs_from_the_largest_to_the_smallest(by_ratio, rng):
    "It has the latents' numbers, not their ranks and not their ratios; equal ones in rising order."
    for n in (6, 11):
        ratio = rng.permutation(n).float() + 0.5
        ratio[rng.permutation(n)[:2]] = 3.25
        values = ratio.tolist()
        assert_close(by_ratio(ratio).long(), torch.tensor(sorted(range(n), key=lambda i: (-values[i], i))))


def test_nan_comes_last_in_rising_order(by_ratio, rng):
    "A latent that was never on is not at the head of the list, and not left out. Infinity is a large number, not nan."
    for n in (7, 12):
        ratio = 10 * rng.normal(n)
        gone = rng.permutation(n)
        ratio[gone[:3]], ratio[gone[3]] = NAN, float("inf")
        alive = (~ratio.isnan()).nonzero()[:, 0]
        expected = torch.cat([alive[ratio[alive].argsort(descending=True)], gone[:3].sort().values])
        assert_close(by_ratio(ratio).long(), expected)


def test_agrees_with_the_reference_on_random_latents(sigma_over_mu, rarity_law, by_ratio, reference, rng):
    "This tries everything at once, with one latent and many, in both float types."
    for n, d_sae, dtype in [(5, 1, torch.float32), (30, 50, torch.float64), (3, 8, torch.float32)]:
        f = (rng.normal(n, d_sae) - 1).relu().to(dtype)
        ratio = reference(f)
        assert_close(sigma_over_mu(f), ratio, equal_nan=True, **CLOSE)
        assert_close(rarity_law(f), reference.rarity_law(f), equal_nan=True, atol=1e-3, rtol=1e-3)
        assert_close(by_ratio(ratio).long(), reference.by_ratio(ratio))
