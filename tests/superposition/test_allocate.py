"""How much of a dimension does each feature get?"""

import torch
from torch.testing import assert_close

SLACK = dict(atol=1.5e-4, rtol=0)  # the exercise asks for 1e-4; exact solvers differ by 3e-7


def market(rng, n):  # importance and kurtosis
    return rng.uniform(n, low=0.2, high=2.0), rng.uniform(n, low=4.0, high=30.0)


def mixed(rng):
    """A giant, four that will share two dimensions, and a dwarf."""
    v = [rng.uniform(k, low=a, high=b) for k, a, b in [(1, 20.0, 30.0), (4, 0.8, 1.2), (1, 0.001, 0.003)]]
    return torch.cat(v), rng.uniform(6, low=10.0, high=30.0)


def test_the_capacities_sum_to_m(allocate, rng):
    """Add up what you return, bounds applied: the shares C themselves. If that isn't m, look at where your search
    stops, and at what it compares with m."""
    for v, K, m in [(*market(rng, 9), 4), (*market(rng, 4), 4), (*market(rng, 1), 1), (*mixed(rng), 3)]:
        total = allocate(v.double(), K.double(), m).sum().item()
        assert abs(total - m) < 1.5e-4 * len(v), f"The capacities must sum to m = {m}, and they sum to {total:.4f}."


def test_every_capacity_lies_between_0_and_1(allocate, rng):
    """Apply both bounds: the first feature here is a giant, full at 1, the last a dwarf, dropped at 0."""
    C = allocate(*mixed(rng), 3)
    assert abs(C[0] - 1) + abs(C[-1]) < 3e-4, f"The first should get 1, the last 0, not {C[0]:.4f} and {C[-1]:.4f}."
    assert C.min() > -1.5e-4 and C.max() < 1.00015, f"All C lie in [0, 1]; yours in [{C.min():.4f}, {C.max():.4f}]."


def test_equal_features_share_equally(allocate, rng):
    """Features of one importance and one kurtosis share evenly, to 1e-4, with dwarfs beside them or without."""
    for dwarfs, light, n, heavy in [(0, 6, rng.integer(2, 9), 9), (4, 9, 4, 9), (1, 5, 6, 60), (20, 4, 6, 20)]:
        v, K = [0.001] * dwarfs + [1.0] * n, [light] * dwarfs + [heavy] * n
        v, K, C = torch.tensor([v, K, [0] * dwarfs + [1 / n] * n])
        assert_close(allocate(rng.uniform(1, low=0.5, high=2) * v, K, 1), C, **SLACK)


def test_features_that_share_gain_the_same_from_a_little_more_capacity(allocate, rng):
    """Put your C into the return -l'(C), with each feature's own v and K: who gains more from a little more capacity
    should be given more. Do K - 1 and K - 3 stand where the loss has them?"""
    v, K = mixed(rng)
    earned = 2 * (v * (K - 1) / (2 + (K - 3) * allocate(v, K, 3)))[1:5] ** 2
    assert earned.max() < 1.01 * earned.min(), f"Marginal returns -l'(C) of the middle four should be equal: {earned}."


def test_shares_are_accurate_at_large_and_small_importances(allocate, rng):
    """Each share is accurate to 1e-4, at large and small prices and with kurtosis near 3. When does your search
    stop?"""
    for low, high, price in [(3.05, 3.2, 1.0), (4.0, 30.0, 4e4), (4.0, 30.0, 4e-4)]:
        C, K = 0.3 + 0.4 * rng.uniform(8).double(), rng.uniform(8, low=low, high=high).double()
        C += 0.5 - C.mean()
        assert_close(allocate(price * (2 + (K - 3) * C) / (K - 1), K, 4), C, **SLACK)
    v, K, C = torch.tensor([[1, 0.98, 0.5], [3.1, 3.2, 3.05], [0.48458, 0.51542, 0]])
    assert_close(allocate(v, K, 1), C, **SLACK)


def test_two_features_split_one_dimension_only_if_kurtosis_is_high(allocate, rng):
    """Is the weaker one's first bit of room worth more than the stronger one's last? If so, both returns are equal."""
    for low, high in [(2.0, 8.0), (30.0, 60.0), (-2.0, -0.5)]:
        b, ratio, gap = (torch.tensor([0.3, 2.5, low]) + torch.tensor([2.7, 1.5, high - low]) * rng.uniform(3)).tolist()
        K, a = 1 + 2 * ratio + gap, ratio * b
        C = min((a * (K - 1) - 2 * b) / ((a + b) * (K - 3)), 1.0)
        assert_close(allocate(torch.tensor([b, a]), torch.tensor([K, K]), 1), torch.tensor([1 - C, C]), **SLACK)


def test_neither_the_unit_of_importance_nor_the_order_of_features_matters(allocate, rng):
    """A factor on all importances moves the price only. If you sort, put the answers back in their places."""
    (v, K), order = market(rng, 7), rng.permutation(7)
    for scale in (0.02, 50.0):
        before, after = allocate(v, K, 3)[order], allocate(scale * v[order], K[order], 3)
        told = f"Times {scale}, in order {order.tolist()}, your\n{before} became\n{after}; only the order may change."
        assert (after - before).abs().max() < 3e-4, told


def test_agrees_with_the_reference_on_random_features(allocate, reference, rng):
    """Here is all of the above on random features."""
    for feats, m in [(3, 2), (8, 3), (20, 5)]:
        v, K = market(rng, feats)
        assert_close(allocate(v, K, m), reference(v, K, m), **SLACK)
