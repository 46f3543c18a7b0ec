"""By how much does a penalty make a latent fall short, and how is that measured?"""

import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def test_without_a_penalty_nothing_shrinks(shrinkage, rng):
    "λ = 0: the best reconstruction is exact, whatever p."
    assert_close(shrinkage(0.0, rng.uniform(5, high=0.9)), torch.zeros(5), **CLOSE)


def test_a_very_rare_feature_falls_short_by_half_of_lam(shrinkage, rng):
    "With p = 0 the bias is of no use, and only −2(a − f) + λ = 0 is left."
    lam = rng.uniform(1, low=0.2, high=2.0).item()
    assert_close(shrinkage(lam, torch.zeros(3)), torch.full((3,), lam / 2), **CLOSE)


def test_a_feature_on_half_of_the_time_shrinks_twice_as_far(shrinkage, rng):
    "At p = 1/2 the bias β takes over as much again as the reconstruction falls short by; each feature has its own p."
    lam = rng.uniform(1, low=0.2, high=2.0).item()
    assert_close(shrinkage(lam, torch.tensor([0.5, 0.0])), torch.tensor([lam, lam / 2]), **CLOSE)


def test_no_other_shrinkage_is_cheaper(shrinkage, rng):
    "With f = a − s where the feature is on, and the best bias, the loss is lowest where s is the law's."
    on, lam = rng.permutation(200) < rng.integer(2, 150), rng.uniform(1, low=0.1, high=0.3).item()
    a = (on * rng.uniform(200, low=2.0, high=4.0)).double()
    s = shrinkage(lam, on.double().mean()[None]).item()

    def cost(s: float) -> float:
        f = (a - s) * on
        return ((a - f - (a - f).mean()).square().mean() + lam * f.mean()).item()  # the best β is the mean of a − f

    best = min((cost(s * factor), factor) for factor in (0.5, 0.9, 0.98, 1.0, 1.02, 1.1, 2.0))[1]
    assert best == 1.0, f"λ = {lam:.3f}, on in {int(on.sum())} of 200: {best} times your {s:.4f} would be cheaper."


def sure(rng, feats=4, d_sae=7):  # a, latents that fall short by `short` wherever their feature is on, index, short
    a = rng.uniform(90, feats, low=1.0, high=2.0) * (rng.uniform(90, feats) < 0.5)
    short, index, f = rng.uniform(feats, low=0.1, high=0.9), rng.permutation(d_sae)[:feats], 3 * rng.uniform(90, d_sae)
    f[:, index] = (a - short).clamp_min(0)
    return a, f, index, short


def test_each_feature_is_measured_on_its_own_latent(measured_shrinkage, rng):
    "The amount is a − f, for column i of a and column index[i] of f: more latents than features, in another order."
    a, f, index, short = sure(rng)
    assert_close(measured_shrinkage(a, f, index), short, **CLOSE)
    assert_close(measured_shrinkage(a.double(), f.double(), index), short.double(), **CLOSE)


def test_examples_without_the_feature_do_not_count(measured_shrinkage, rng):
    "Count only where a > 0: elsewhere a latent at 0 brings the mean down, and a false alarm spoils it."
    a, f, index, short = sure(rng)
    f[:, index] += (a == 0) * (rng.uniform(90, 4) < 0.3) * rng.uniform(90, 4)
    assert_close(measured_shrinkage(a, f, index), short, **CLOSE)


def test_examples_where_the_latent_is_off_do_not_count(measured_shrinkage, rng):
    "Count only where f > 0: a latent that is off falls short by all of a, and that is not shrinkage."
    a, f, index, short = sure(rng)
    f[:, index] *= rng.uniform(90, 4) < 0.7
    assert_close(measured_shrinkage(a, f, index), short, **CLOSE)


def test_a_latent_above_its_feature_has_a_negative_shrinkage(measured_shrinkage, rng):
    "a − f keeps its sign, and it is an amount, the mean of differences: no absolute value, no ratio."
    a, f, index, _ = sure(rng)
    over = rng.uniform(4, low=0.1, high=0.9)
    f[:, index] = (a + over * (2 * (rng.uniform(90, 4) < 0.5))) * (a > 0)
    on = a > 0
    expected = torch.stack([(a[on[:, i], i] - f[on[:, i], index[i]]).mean() for i in range(4)])
    assert_close(measured_shrinkage(a, f, index), expected, **CLOSE)


def test_a_feature_without_a_latent_or_an_example_gets_nan(measured_shrinkage, rng):
    "Index −1 means that the feature has no latent: it must not read the last one. And a mean of nothing is NaN."
    a, f, index, short = sure(rng)
    a[:, 0], index[1] = 0.0, -1
    expected = torch.cat([torch.full((2,), torch.nan), short[2:]])
    assert_close(measured_shrinkage(a, f, index), expected, equal_nan=True, **CLOSE)


def test_agrees_with_the_reference(shrinkage, measured_shrinkage, reference, rng):
    "Both on random numbers, from one feature to many: compare one with the equation, or by hand."
    for feats in (1, 6):
        p, lam = rng.uniform(feats, high=0.99), rng.uniform(1, high=3.0).item()
        for given in (p, p.double()):
            assert_close(shrinkage(lam, given), reference(lam, given), **CLOSE)
    for batch, feats, d_sae in [(1, 1, 1), (50, 3, 3), (200, 5, 2), (120, 2, 9)]:
        a, f = rng.normal(batch, feats).clamp_min(0), rng.normal(batch, d_sae).clamp_min(0)
        index = (rng.uniform(feats) * (d_sae + 1)).long() - 1
        expected = reference.measured_shrinkage(a, f, index)
        assert_close(measured_shrinkage(a, f, index), expected, equal_nan=True, **CLOSE)
