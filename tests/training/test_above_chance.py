"""What would chance find, when would random twins be on, and how far above both is a score?"""

import math

import torch
from torch.testing import assert_close


def close(got, expected, what):
    assert abs(got - expected) < 1e-6, f"{what}: expected {expected:.7f}, got {got:.7f}"


def case(rng, tokens=40, d_in=6, d_sae=9):
    """x far from 0, noise of all lengths, and latents from never on to always on."""
    x = rng.normal(tokens, d_in) + 3 * rng.normal(d_in)
    often = torch.cat([torch.tensor([0, tokens, 1]), 2 + rng.permutation(tokens - 3)[: d_sae - 3]])[
        rng.permutation(d_sae)
    ]
    places = rng.uniform(tokens, d_sae).argsort(dim=0).argsort(dim=0)
    f = (places < often) * rng.uniform(tokens, d_sae, low=0.1, high=3.0)
    return x, f, rng.normal(d_sae, d_in) * rng.uniform(d_sae, 1, low=0.2, high=4.0)


def test_one_row_in_three_dimensions_finds_half_of_what_is_left_of_one(found_by_chance, rng):
    """With a single row the share is that of one cap. Only the row's own direction counts, not its opposite."""
    for tau in (0.0, *rng.uniform(4, high=0.95).tolist()):
        close(found_by_chance(3, 1, tau), (1 - tau) / 2, f"3 dimensions, one row, τ = {tau:.3f}")
        close(found_by_chance(2, 1, tau), math.acos(tau) / math.pi, f"2 dimensions, one row, τ = {tau:.3f}")


def test_a_feature_is_missed_only_if_every_row_misses_it(found_by_chance, rng):
    """What is the chance that one row misses, and that all do? They are independent."""
    for n in (2, 7, 40):
        tau = float(rng.uniform(1, low=0.1, high=0.9))
        expected = 1 - ((1 + tau) / 2) ** n
        close(found_by_chance(3, n, tau), expected, f"3 dimensions, {n} rows, τ = {tau:.3f}")


def test_random_rows_find_as_much_as_computed(found_by_chance, rng):
    """Here 20,000 features meet random rows. Six standard errors are allowed."""
    for d_in, d_sae in ((5, 3), (12, 30)):
        tau = float(rng.uniform(1, low=0.3, high=0.5))
        rows = torch.nn.functional.normalize(rng.normal(20_000, d_sae, d_in), dim=2)
        share = float((rows[..., 0].amax(dim=1) >= tau).float().mean())  # the feature is the first axis
        got, error = found_by_chance(d_in, d_sae, tau), 6 * (share * (1 - share) / 20_000) ** 0.5
        assert abs(got - share) < error, (
            f"{d_sae} rows in {d_in} dimensions found {share:.4f}, not {got:.4f} (± {error:.4f})"
        )


def test_each_twin_is_on_as_often_as_its_latent(random_twin, rng):
    """Count down each column of f what is above 0. A latent that is never on, or always, has a twin like it."""
    for sizes in ((40, 6, 9), (15, 3, 12)):
        x, f, noise = case(rng, *sizes)
        assert_close(random_twin(x, f, noise).sum(dim=0), (f > 0).sum(dim=0))


def test_a_twin_is_on_where_x_reaches_farthest_along_its_direction(random_twin, rng):
    """Where a twin is on, its product with x is larger than anywhere else."""
    x, f, noise = case(rng)
    on, h = random_twin(x, f, noise), x @ noise.T
    for i in range(f.shape[1]):
        if 0 < int(on[:, i].sum()) < len(x):
            low, high = float(h[on[:, i], i].min()), float(h[~on[:, i], i].max())
            assert low > high, f"twin {i} is on at a product of {low:.3f}, and off at one of {high:.3f}"


def test_twins_know_nothing_of_when_the_latents_were_on(random_twin, rng):
    """The dictionary says only *how often*. Shuffle its tokens, and the twins must stay as they were."""
    x, f, noise = case(rng)
    shuffled = random_twin(x, f[rng.permutation(len(f))], noise)
    assert_close(random_twin(x, 7 * f, noise), shuffled)


def test_p_is_the_share_of_all_scores_that_are_as_good_as_yours(above_chance, rng):
    """Yours is one of them, so p is never 0. A null that ties is as good."""
    for m in (4, 19, 50):
        nulls, better = rng.uniform(m, high=0.9).double(), rng.integer(0, m)
        score = float(nulls.sort(descending=True).values[better])  # ties with one null
        close(
            above_chance(score, nulls)[0], (better + 2) / (m + 1), f"{better} of {m} nulls are better, one is as good"
        )
        close(above_chance(0.95, nulls)[0], 1 / (m + 1), f"none of {m} nulls is as good")


def test_above_chance_is_the_share_of_the_way_from_the_mean_null_to_a_perfect_score(above_chance, rng):
    """0 at the mean of the nulls, 1 at a perfect score, a half halfway, and negative below the mean."""
    for m in (3, 20):
        nulls = rng.uniform(m, high=0.8).double()
        for share in (1.0, 0.5, float(rng.uniform(1)), 0.0, -0.3):
            score = share + (1 - share) * float(nulls.mean())
            close(above_chance(score, nulls)[1], share, f"score {score:.4f}, mean null {float(nulls.mean()):.4f}")


def test_agrees_with_the_reference_on_random_numbers(above_chance, found_by_chance, random_twin, reference, rng):
    """Everything together, in float64 too."""
    for d_in, d_sae in ((2, 5), (9, 100), (64, 1000)):
        tau = float(rng.uniform(1, high=0.9))
        close(found_by_chance(d_in, d_sae, tau), reference.found_by_chance(d_in, d_sae, tau), f"{d_in}, {d_sae}, {tau}")
    for sizes in ((30, 5, 8), (11, 2, 3)):
        given = [t.double() for t in case(rng, *sizes)]
        assert_close(random_twin(*given), reference.random_twin(*given))
    for m in (5, 30):
        nulls = rng.uniform(m)
        for score in rng.uniform(4).tolist():
            for got, expected in zip(above_chance(score, nulls), reference(score, nulls), strict=True):
                close(got, expected, f"score {score:.4f}")
