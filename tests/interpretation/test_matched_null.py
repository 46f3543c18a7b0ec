"""Is the null as the dictionary in all that should not matter?"""

import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 sums in another order
NAN = float("nan")


def a_run(rng, n=20, d_in=6, d_sae=9):  # x with a mean, sparse f (a token and a latent without any), directions
    x = rng.normal(n, d_in) * rng.uniform(n, 1, low=0.3, high=3.0) + 2 * rng.normal(d_in)
    f = (rng.normal(n, d_sae) - 0.8).relu() * rng.uniform(d_sae, low=0.2, high=4.0)
    f[rng.integer(0, n)], f[:, rng.integer(0, d_sae)] = 0.0, 0.0
    return x, f, rng.normal(d_sae, d_in) * rng.uniform(d_sae, 1, low=0.2, high=4.0)


def projections(x, directions):
    return (x - x.mean(dim=0)) @ (directions / directions.norm(dim=1, keepdim=True)).T


def test_the_null_has_as_many_above_zero_and_they_are_the_largest(matched_null, rng):
    "K is the number of entries of f above 0; the K largest of *all* projections stay, and all others are 0."
    for _ in range(3):
        x, f, directions = a_run(rng)
        h, K = projections(x, directions), int((f > 0).sum())
        limit = h.flatten().sort(descending=True).values[K - 1 : K + 1].mean()
        got = matched_null(x, f, directions)
        on = got > 0
        assert bool((got >= 0).all()), f"A latent is never negative; the least is {got.min():.3f}."
        lost = f.norm(dim=1, keepdim=True) == 0  # what has length 0 can't be seen
        assert bool((on == ((h > limit) & ~lost)).all()), f"{int(on.sum())} are above 0, the {K} largest should be."


def test_the_null_is_as_long_as_the_dictionary_at_each_token(matched_null, rng):
    "The length of its activations is that of f at the same token, or 0 where none of them is left."
    for _ in range(2):
        x, f, directions = a_run(rng)
        got, K = matched_null(x, f, directions), int((f > 0).sum())
        h = projections(x, directions)
        some = (h >= h.flatten().sort(descending=True).values[K - 1]).any(dim=1)
        assert_close(got.norm(dim=1), f.norm(dim=1) * some, **CLOSE)


def test_within_a_token_the_null_is_in_the_proportions_of_the_projections(matched_null, reference, rng):
    "Moved activations, longer directions, other latents of the same number and length: the null stays the same."
    x, f, directions = a_run(rng)
    expected = reference.matched_null(x, f, directions)
    turned = f @ torch.eye(9)[rng.permutation(9)]
    longer = directions * rng.uniform(9, 1, low=0.1, high=10.0)
    for given in (
        (x + 3 * rng.normal(6), f, directions),
        (x, turned, directions),
        (x, f, longer),
        (5 * x, f, directions),
    ):
        assert_close(matched_null(*given), expected, atol=1e-4, rtol=1e-3)


def test_strong_is_measured_by_each_latents_own_maximum(statistics, rng):
    "Multiply each latent by a number of its own: no count may change. With share 0 all that is on is strong."
    _, f, _ = a_run(rng)
    scaled = f * 2.0 ** torch.tensor([rng.integer(-6, 7) for _ in range(9)])
    for share in (0.0, 0.3, 0.7):
        expected = ((f > 0) & (f > share * f.max(dim=0).values)).sum(dim=1)
        assert_close(statistics(f, share)[0].long(), expected)
        assert_close(statistics(scaled, share)[0].long(), expected)


def test_frequency_is_the_share_of_tokens_where_a_latent_is_on(statistics, rng):
    "A faint activation is on as well. A latent in k of n tokens has frequency k/n."
    n, k = 24, torch.tensor([0, 1, 7, 24, rng.integer(2, 20)])
    f = torch.stack([(rng.permutation(n) < size) * rng.uniform(n, low=1e-3, high=2.0) for size in k], dim=1)
    assert_close(statistics(f, 0.5)[1], k / n, **CLOSE)


def test_strength_is_the_mean_where_it_is_on_and_nan_for_a_dead_latent(statistics, rng):
    "Tokens where the latent is off don't make it weaker. One that is never on has no strength: nan."
    values = [rng.uniform(size, low=0.1, high=5.0) for size in (1, 3, 8)]
    f = torch.zeros(12, 4)
    for column, some in enumerate(values):
        f[rng.permutation(12)[: len(some)], column] = some
    expected = torch.stack([some.mean() for some in values] + [torch.tensor(NAN)])
    order = rng.permutation(4)
    assert_close(statistics(f[:, order], 0.2)[2], expected[order], equal_nan=True, **CLOSE)


def test_each_kind_has_its_own_mean(excess_by_kind, rng):
    "Score minus null, over the factors of that kind and no others; a kind without factors is nan."
    for n_kinds in (2, 4):
        kind = (rng.permutation(4 * n_kinds) % n_kinds) + (rng.permutation(4 * n_kinds) < 1)  # one is of no kind asked
        score, null = rng.uniform(2, 4 * n_kinds)
        groups = [kind == which for which in range(n_kinds)]
        expected = torch.stack([(score[group] - null[group]).mean() for group in groups] + [torch.tensor(NAN)] * 2)
        got = excess_by_kind(
            torch.cat([score[kind < n_kinds]]), null[kind < n_kinds], kind[kind < n_kinds], n_kinds + 2
        )
        assert_close(got, expected, equal_nan=True, **CLOSE)


def test_only_factors_with_both_figures_count(excess_by_kind, rng):
    "nan in the score or in the null: this factor is left out on both sides, and the others of its kind stay."
    for _ in range(2):
        score, null = rng.uniform(2, 15)
        kind = rng.permutation(15) % 3
        missing = rng.permutation(15)
        with_gaps = torch.where(missing < 3, NAN, score), torch.where((missing > 1) & (missing < 6), NAN, null)
        complete = missing > 5
        expected = [(score - null)[complete & (kind == which)].mean() for which in range(3)]
        assert_close(excess_by_kind(*with_gaps, kind, 3), torch.stack(expected), equal_nan=True, **CLOSE)


def test_agrees_with_the_reference_on_random_dictionaries(matched_null, statistics, excess_by_kind, reference, rng):
    "This tries everything at once, on several sizes and in both float types."
    for sizes, dtype in [((8, 3, 5), torch.float32), ((30, 10, 40), torch.float64)]:
        x, f, directions = (part.to(dtype) for part in a_run(rng, *sizes))
        assert_close(matched_null(x, f, directions), reference(x, f, directions), atol=1e-4, rtol=1e-3)
        for got, right in zip(statistics(f, 0.4), reference.statistics(f, 0.4)):
            assert_close(got.to(dtype), right.to(dtype), equal_nan=True, **CLOSE)
        score, null = rng.uniform(2, 12).to(dtype)
        kind = rng.permutation(12) % 5
        right = reference.excess_by_kind(score, null, kind, 6)
        assert_close(excess_by_kind(score, null, kind, 6), right, equal_nan=True, **CLOSE)
