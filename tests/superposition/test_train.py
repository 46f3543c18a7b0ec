"""Is it Adam on every batch, at a falling rate? And is a pentagon told from what only looks like one?"""

import pytest
import torch
from torch.testing import assert_close

SHAPES = {  # angles in units of 72°, lengths; True for pentagons within a tol of 0.1
    "one arrow longer than the mean by 9%": ([0, 1, 2, 3, 4], [1, 1, 1, 1, 1.12], True),
    "one arrow shorter and one longer by 8%": ([0, 1, 2, 3, 4], [0.92, 1.08, 1, 1, 1], True),
    "one arrow longer than the mean by 11%": ([0, 1, 2, 3, 4], [1, 1, 1, 1, 1.14]),
    "one arrow much shorter": ([0, 1, 2, 3, 4], [1, 1, 0.6, 1, 1]),
    "one angle wider by 11%": ([0, 1.11, 2.08, 3.05, 4.02], [1]),
    "four wide angles and a narrow one": ([0, 1.09, 2.18, 3.27, 4.36], [1]),
    "a pentagon beside the origin": ([0, 0.7403, 1.7335, 3.2665, 4.2597], [1.4, 1.186, 0.716, 0.716, 1.186]),
    "one arrow turned round": ([0, 1, 2, 3, 6.5], [1]),
    "a cross of two and a star of three": ([0, 1.25, 5 / 12, 25 / 12, 45 / 12], [1]),
    "two arrows in one direction": ([0, 1, 2, 3, 3], [1]),
    "a fan with one wide gap": ([0, 0.92, 1.84, 2.76, 3.68], [1]),
    "a pentagon with a dropped corner": ([0, 1, 2, 3, 4], [1, 1, 1, 0, 1]),
    "a corner that is NaN": ([0, 1, 2, 3, 4], [1, 1, torch.nan, 1, 1]),
    "columns of length 1e-9": ([0, 1, 2, 3, 4], [1e-9]),
}


def arrows(rng, turns, lengths):  # one shape [2, 5], five times: turned, small and large, columns shuffled (but once)
    for start, size in zip(rng.uniform(1) + torch.arange(5), [1e-4, 0.1, 1.0, 5.0, 50.0]):
        angle = (torch.tensor(turns) + start) * 2 * torch.pi / 5
        order = torch.arange(5) if size == 5.0 else rng.permutation(5)
        yield size * (torch.stack([angle.cos(), angle.sin()]) * torch.tensor(lengths))[:, order]


def any_run(rng, steps, inst=3, hidden=2, feats=5):  # W, b, batches, importance in float64; half of the data is 0
    W, b, x = rng.normal(inst, hidden, feats), rng.normal(inst, feats) / 5, rng.normal(steps, inst, 6, feats)
    return W.double(), b.double(), x.clamp_min(0).double(), rng.uniform(inst, feats, low=0.3).double()


def test_every_instance_is_trained(train, rng):
    "Does each instance move, with its own W and b, on its own part of every batch?"
    W, b, x, importance = any_run(rng, 3)
    trained = train(W, b, x, importance, 0.05)
    moved = [(after - before).flatten(1).abs().amax(dim=1) for before, after in zip((W, b), trained)]
    assert torch.stack(moved).min() > 0, f"Expected all 3 instances to move; W and b moved by at most {moved}."


@pytest.mark.parametrize("steps", [1, 2, 7], ids=["one step", "two steps", "seven steps"])
def test_the_learning_rate_falls_evenly_over_the_run(train, rng, steps):
    """On an even slope step t moves each number by lr·(1 − t/T). From the start to the W and b that stand after the
    last step, which are what you return, that makes lr·(T + 1)/2."""
    W, b = rng.uniform(3, 2, 5, low=0.05, high=0.1), rng.uniform(3, 5, low=0.05, high=0.1)
    x = rng.uniform(3, 6, 5, low=0.6).repeat(steps, 1, 1, 1)  # far above what the model says, again and again
    for before, after in zip((W, b), train(W, b, x, rng.uniform(3, 5, low=0.3), 1e-4)):
        assert_close((after - before) / 1e-4, torch.full_like(before, (steps + 1) / 2), rtol=0.01, atol=0.0)


def test_momentum_goes_on_where_the_gradient_is_zero(train, rng):
    """Only the first of the three batches has a gradient, so what comes later is Adam's memory: one Adam for all
    batches in their order, with the default betas and eps, and gradients cleared before each `backward`."""
    W, b = rng.uniform(3, 2, 4, low=0.7, high=0.9).double(), -rng.uniform(3, 4, low=0.1, high=0.2).double()
    x = rng.uniform(3, 3, 6, 4, low=0.6).double()
    x[1:] = 0.0  # and b < 0, so the ReLU is off in steps 2 and 3
    means = [(0.9**t * 0.1 / (1 - 0.9 ** (t + 1)), 0.999**t * 0.001 / (1 - 0.999 ** (t + 1))) for t in range(3)]
    path = sum((1 - t / 3) * mean / square**0.5 for t, (mean, square) in enumerate(means))
    for before, after in zip((W, b), train(W, b, x, rng.uniform(3, 4, low=0.3).double(), 1e-3)):
        assert_close((before - after) / 1e-3, torch.full_like(before, path), rtol=1e-4, atol=0.0)


def test_nothing_moves_where_there_is_nothing_to_learn(train, rng):
    "Features that are never on and a bias below zero leave no error: what else pulls at the weights?"
    W, b = rng.normal(3, 2, 5), -rng.uniform(3, 5, low=0.1)
    for before, after in zip((W, b), train(W, b, torch.zeros(4, 3, 6, 5), torch.ones(3, 5), 0.1)):
        assert_close(after, before, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("which", [0, 1, 3], ids=["the first", "the second", "the last"])
def test_every_batch_changes_the_result(train, rng, which):
    "Step t learns from batch t, the first and the last one included; the batches come as a list here."
    W, b, x, importance = any_run(rng, 4)
    other = [batch.flip(1, 2) + 0.1 if t == which else batch for t, batch in enumerate(x)]
    gap = (train(W, b, list(x), importance, 0.05)[0] - train(W, b, other, importance, 0.05)[0]).abs().max()
    assert gap > 1e-5, f"With another batch {which} (of 0 to 3) W should come out different; it differs by {gap:.1e}."


def test_the_bias_of_a_feature_without_importance_stays(train, rng):
    "Does `importance` go into the loss, each instance with its own row?"
    W, b, x, importance = any_run(rng, 3)
    zero = torch.stack([rng.permutation(5) < 2 for _ in range(3)])
    assert_close(train(W, b, x, importance * ~zero, 0.03)[1][zero], b[zero], rtol=0.0, atol=0.0)


CASES = [(0, 0.1, 1), (5, 0.1, 1), (5, 0.02, 0), (27, 0.3, 1), (27, 0.2, 0)]


@pytest.mark.parametrize("off, tol, expected", CASES, ids=[f"{off}% off, tol {tol}" for off, tol, _ in CASES])
def test_pentagons_count_in_any_turn_size_and_order_up_to_tol(is_pentagon, rng, off, tol, expected):
    "Neighbours are decided by angle. Angles may be off by `tol` times 2π/5, lengths by `tol` times their mean."
    for W in arrows(rng, [0, 1 + off / 100, 2, 3 - off / 200, 4], [1 - off / 200, 1 + off / 200, 1, 1, 1]):
        got = is_pentagon(W) if tol == 0.1 else is_pentagon(W.double(), tol)
        assert got == expected, f"Angles off by {off}%, lengths by half of it, tol {tol}: {expected == 1}, not {got}."


@pytest.mark.parametrize("name", SHAPES)
def test_all_five_lengths_and_angles_count(is_pentagon, rng, name):
    "Five lengths, five angles; the fifth goes round past ±π. That D = 2/5 for each, or ΣD = 2, does not tell."
    turns, lengths, *pentagon = SHAPES[name]
    for W in arrows(rng, turns, lengths):
        assert is_pentagon(W) == bool(pentagon), f"{name}: expected {bool(pentagon)}, got the opposite for W =\n{W}"


def test_agrees_with_the_reference_on_whole_runs(train, reference, rng):
    "Use Adam's defaults besides lr (betas, eps) and the loss as given; what comes back is detached from the graph."
    for steps, *sizes in [(3, 1), (12, 3), (4, 2, 1, 3), (5, 1, 4, 2)]:
        W, b, x, importance = any_run(rng, steps, *sizes)
        for got, expected in zip(train(W, b, x, importance, 0.03), reference(W, b, x, importance, 0.03)):
            assert_close(got, expected, rtol=0.0, atol=1e-6)
            assert not got.requires_grad, "The returned W and b should have requires_grad False; one has True."
