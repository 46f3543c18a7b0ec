"""Are the levels, the signs and the name of a run read off its four curves?"""

import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-6, "rtol": 1e-5}  # float32, a division
ORDER = ("data ran out", "penalty too weak", "penalty too sudden", "too short", "rate too high", "latents die")
NAMES = (*ORDER, "penalty too strong", "healthy")


def run(rng, *ailments, d_in=24, m=7):
    """Curves of a run with these ailments, m points per fifth (odd): no sign is near its limit."""
    H = rng.uniform(1, low=0.05, high=0.35) * torch.tensor([3.0, 1.4, 1.0, 0.95, 0.9])
    L = rng.uniform(1, low=0.5, high=1.1) * torch.tensor([0.8, 0.6, 0.5, 0.45, 0.4]) * d_in
    gap, D = float(rng.uniform(1, low=0.9, high=1.2)), torch.tensor([0.0, 0.3, 0.2, 0.05, 0.03])
    if "penalty too strong" in ailments:
        H = 0.9 * H / H[4]
    if "latents die" in ailments:
        D = torch.tensor([0.0, 0.0, 0.1, 0.2, 0.3])
    if "rate too high" in ailments:
        H = H * torch.tensor([1, 1, 1, 1.05, 0.7])
    if "too short" in ailments:
        H = H * torch.tensor([3, 2, 1.7, 1, 1])
    if "penalty too sudden" in ailments:
        L = L * torch.tensor([0.15, 0.6, 1, 1, 1])
    if "penalty too weak" in ailments:
        L = 1.4 * d_in * L / L[4]
    if "data ran out" in ailments:
        gap = 2.5
    return *(curve(rng, level, m) for level in (H / gap, H, L, D)), d_in


def curve(rng, level, m):
    """A curve whose fifths have these medians: as many points above as below; the last of each is a spike."""
    size = rng.uniform(5, m, low=0.02, high=0.3) * (torch.arange(m) - m // 2).sign()
    size[:, m // 2 + 1 :][:, -1:] *= 20
    order = torch.cat([rng.permutation(max(1, m - 1)), torch.arange(max(1, m - 1), m)])
    return (level[:, None] * (1 + size[:, order])).flatten()


def expect(read_curves, given, name):
    got = read_curves(*given)
    assert got == name, f"expected {name!r}, got {got!r}"


def test_a_level_is_the_middle_point_of_its_fifth_of_the_run(levels, rng):
    """Points 0 to n/5 − 1 are the first fifth. As many of its points lie above its level as below."""
    for m in (1, 3, 7, 21):
        level = rng.normal(5)
        assert_close(levels(curve(rng, level, m)), level)
        assert_close(levels(curve(rng, level.double(), m)), level.double())


def test_a_spike_moves_no_level(levels, rng):
    """Make the highest point of each fifth as high as you like: the median stays. Is yours a mean, or one point?"""
    for m in (3, 9):
        level = 1 + rng.uniform(5)
        points = curve(rng, level, m).reshape(5, m)
        points[:, -1] = 1000 * (1 + rng.uniform(5))
        assert_close(levels(points.roll(rng.integer(0, m), dims=1).flatten()), level)


def test_each_sign_compares_the_levels_that_the_table_names(signs, rng):
    """A fifth has one point here, so levels are points. Which curve, which fifth, and which of two is above?"""
    for d_in in (5, 32, 100):
        T, H, L = (0.1 + rng.uniform(3, 5)).unbind()
        D = rng.uniform(5)
        for given in ((T, H, L, D), tuple(c.double() for c in (T, H, L, D))):
            T, H, L, D = given
            expected = [H[4] / T[4], L[4] / d_in, L[4] / L[0], H[3] / H[2], H[4] / H[3], D[4], H[4]]
            assert_close(signs(*given, d_in), torch.stack(expected), **CLOSE)


def test_most_signs_do_not_depend_on_the_scale(signs, rng):
    """An FVU twice as high all along, a dictionary twice as wide: only `lost`, the last sign, may notice."""
    T, H, L, D, d_in = run(rng)
    for times in (0.5, 3.0):
        before, after = signs(T, H, L, D, d_in), signs(times * T, times * H, 2 * L, D, 2 * d_in)
        assert_close(after[:6], before[:6], **CLOSE)


def test_each_ailment_is_told_by_its_sign(read_curves, rng):
    """One sign is ill, and clearly. If this fails for one name only, look at its limit and at its side of it."""
    for name in [NAMES[i] for i in rng.permutation(7)] + [NAMES[i] for i in rng.permutation(7)]:
        expect(read_curves, run(rng, name, d_in=rng.integer(8, 200)), name)


def test_a_healthy_run_is_called_healthy_and_an_ill_one_is_not(read_curves, rng):
    """Spikes, an FVU that rises a little, and latents that were dead for a while are no ailments."""
    for name in [("healthy", *NAMES[:7])[i] for i in rng.permutation(8)]:
        expect(read_curves, run(rng, name, m=9), name)
        T, H, L, D, d_in = run(rng, m=5)
        rises = torch.tensor([1, 1, 1, 1.1, 1.2]).repeat_interleave(5)
        expect(read_curves, (T * rises, H * rises, L, D, d_in), "healthy")


def test_of_two_ailments_the_one_higher_in_the_table_is_told(read_curves, rng):
    """Causes stand above what they bring with them: stop at the first sign that is ill."""
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    for number in rng.permutation(len(pairs)).tolist():
        first, second = pairs[number]
        expect(read_curves, run(rng, NAMES[first], NAMES[second]), NAMES[first])


def test_runs_are_read_alike_however_long_and_in_whatever_precision(read_curves, rng):
    """Nothing in your code may depend on the number of points, nor on float32."""
    for m in (3, 5, 41):
        for name in [NAMES[i] for i in rng.permutation(8)[:3]]:
            T, H, L, D, d_in = run(rng, name, m=m)
            expect(read_curves, (T.double(), H.double(), L.double(), D.double(), d_in), name)


def test_agrees_with_the_reference_on_random_curves(read_curves, signs, levels, reference, rng):
    """Levels first, then signs, then names, on curves that no training would give: which of the three differs?"""
    for m in (1, 3, 11):
        T, H, L = (0.1 + rng.uniform(3, 5 * m)).unbind()
        D = rng.uniform(5 * m) / 2
        assert_close(levels(T), reference.levels(T))
        assert_close(signs(T, H, 9 * L, D, 8), reference.signs(T, H, 9 * L, D, 8), **CLOSE)
    for _ in range(12):
        given = run(rng, *[NAMES[i] for i in rng.permutation(8)[:2]])
        expect(read_curves, given, reference(*given))
