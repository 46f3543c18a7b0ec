"""Which of three ways to keep two features in one dimension is the cheapest, and which one did training find?"""

import pytest
import torch
from torch.testing import assert_close

SHARES = (0.1, 0.8, 0.97, 1.03, 1.2, 1.6)  # of the p at which the pair breaks up
KEPT = [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]  # weights of the three phases


def cell(rows, x, importance=(1.0, 1.0), b=((0.0, 0.0),)):
    """Arguments of observed_phase: one row of weights per start, all of them judged on the same batch."""
    W, b, n = torch.tensor(rows)[:, None], torch.tensor(b), len(rows)
    return W, b.repeat(n // len(b), 1), x.repeat(n, 1, 1), torch.tensor([importance] * n)


def suits(kind, rng):  # a batch on which KEPT[kind] has loss 0: the dropped feature, or a collision, never occurs
    return rng.uniform(12, 2, low=0.3) * (torch.eye(2).repeat(6, 1) if kind == 2 else torch.tensor(KEPT[kind]))


def compare(fn, expected, cases):  # makes all calls first: the more answers, the surer a mistake is recognised by them
    for case in [case for case in cases if fn(*case) != expected(*case)]:
        assert_close(fn(*case), expected(*case))


@pytest.mark.parametrize("power, dropped", [(1, 0), (-1, 1)], ids=["I below 1", "I above 1"])
def test_the_pair_breaks_up_where_dropping_a_feature_is_cheaper(phase, rng, power, dropped):
    """Work out the three losses for this I and p, with p the probability that a feature is on: each error times its
    importance, once. What does a dropped feature cost, and what do both of a pair when they meet? The lowest wins."""
    for i in torch.linspace(0.1, 0.85, 9) + rng.uniform(9, high=0.05):
        i, p = float(i) ** power, float(2 * i / (1 + 2.5 * i))
        expected = {share * p: 2 if share < 1 else dropped for share in SHARES}
        got = {p: phase(i, p) for p in expected}  # all of them first: many answers tell mistakes apart
        for p in [p for p in expected if got[p] != expected[p]]:
            assert_close(phase(i, p), expected[p])  # again, so that the report shows this call


LIKE = {"opposite signs": (-0.65, -0.52, True), "one too short": (-0.48, -0.3, False), "same sign": (0.6, 0.9, False)}


@pytest.mark.parametrize("low, high, pair", LIKE.values(), ids=LIKE)
def test_a_pair_is_two_weights_of_similar_size_and_opposite_sign(observed_phase, rng, low, high, pair):
    """Compare |w| with half of the larger |w|, look at the signs; the length of both together must not matter."""
    for scale in (0.3, -0.3, 3, -3):
        other = float(rng.uniform(1, low=low, high=high))
        for larger, row in enumerate(([scale, scale * other], [scale * other, scale])):
            assert_close(observed_phase(*cell([row], rng.uniform(1, 2))), 2 if pair else larger)


def test_the_start_with_the_lowest_loss_decides_for_all(observed_phase, rng):
    """Take one loss per start (with the ReLU), then the weights of the best start: no vote, no average."""
    for best, often, once, length in [(0, 1, 2, 1.2), (0, 1, 2, 4), (1, 0, 2, 1.2), (2, 0, 1, 1.2), (2, 1, 0, 4)]:
        rows = [[1.2 * w for w in KEPT[often]]] * 3 + [[length * w for w in KEPT[once]]]
        rows.insert(rng.integer(1, 5), KEPT[best])
        assert_close(observed_phase(*cell(rows, suits(best, rng))), best)


@pytest.mark.parametrize("importance, expected", [(2.5, 0), (8.0, 1)], ids=["first wins", "second wins"])
def test_importance_weights_the_losses_of_the_starts(observed_phase, rng, importance, expected):
    """Multiply each squared error with the importance of its feature, once, before you average."""
    x = rng.uniform(40, 1, low=0.1)
    x = torch.cat([x, x[rng.permutation(40)] / 2], dim=1)  # the second's mean square is a quarter of the first's
    assert_close(observed_phase(*cell([KEPT[k] for k in rng.permutation(2)], x, (1.0, importance))), expected)


def test_a_good_bias_makes_a_dropped_feature_cheaper(observed_phase, rng):
    """The reconstruction is ReLU(WᵀWx + b): a dropped feature is answered by its bias."""
    x = torch.stack([rng.permutation(99), rng.permutation(99)], dim=1) / 99  # always on: E[x²] is four variances
    assert_close(observed_phase(*cell(KEPT[:2], x, (1.0, 2.0), [[0.0, 0.5], [0.0, 0.0]])), 0)


def test_each_start_uses_its_own_batch_bias_and_importance(observed_phase, reference, rng):
    """Row k of x, b and importance belongs to start k; all rows of its batch count, on average."""
    cases = []
    for i, n in [(2, 1), (4, 3), (7, 7)] * 14:
        case = rng.normal(i, 1, 2), rng.normal(i, 2) / 2, rng.uniform(i, n, 2), rng.uniform(i, 2) + 0.2
        nudged = [(*case[:3], case[3] * (1 + nudge * torch.arange(i)[:, None])) for nudge in (-0.001, 0.001)]
        if len({reference.observed_phase(*near) for near in nudged}) == 1:  # no two losses tie to rounding
            cases.append(case)
    compare(observed_phase, reference.observed_phase, cases)


def test_agrees_with_the_reference_at_other_places_of_the_map(phase, observed_phase, reference, rng):
    """Here is everything together."""
    places = (10 ** rng.uniform(60, 2, low=-1) * torch.tensor([1.0, 0.1])).tolist()
    compare(phase, reference, [(i, p) for i, p in places if reference(i, 0.97 * p) == reference(i, 1.03 * p)])
    compare(observed_phase, reference.observed_phase, [[t.double() for t in cell(KEPT, rng.uniform(31, 2))]])
