"""Can a reader that uses sparsity find superposed features?"""

import torch
from torch.testing import assert_close

# Normal equations in float32, condition number up to 10, lose 10² × 1e-7 × a few < 1e-4; mistakes move things by 0.01.
NEAR = {"atol": 1e-3, "rtol": 1e-3}


def clear_case(rng, reference, hidden, feats, k):
    "A few rows x and a W for which no pick is nearly a tie, and no columns that get picked are nearly dependent."
    clear = torch.tensor([False])
    while not clear.any():
        W, x = rng.normal(hidden, feats) * rng.uniform(feats, low=0.5, high=2), rng.normal(6, hidden)
        clear = torch.tensor([torch.linalg.cond(W[:, row != 0]) < 10 for row in reference(x, W, k)])
        for j in range(k):
            left = x - reference(x, W, j) @ W.T
            best, second = ((left @ W).abs() / W.norm(dim=0)).topk(2).values.T
            clear &= best - second > 0.005 * x.norm(dim=1)
    return x[clear][:k], W


def test_orthogonal_columns_are_picked_by_size_in_every_row(omp, rng):
    "A pick takes the largest match, whichever its sign. How many picks are there, and does every row make its own?"
    W, ranks = rng.rotation(6).double(), torch.stack([rng.permutation(6) for _ in range(4)])
    f = (ranks + rng.uniform(4, 6, low=1, high=1.5)) / 8 * rng.normal(4, 6).sign().double()
    for k in (1, 3, 5):
        assert_close(omp(f @ W.T, W, k), f.where(ranks >= 6 - k, 0.0), **NEAR)


def test_a_long_column_has_no_advantage_and_a_zero_column_is_never_picked(omp, rng):
    "Which columns are unit vectors where: in the choice, in the fit? And what is a direction of length zero?"
    Q, f = rng.rotation(5), torch.tensor([[1.2, 0.05, 3.0, 0.0]]) * rng.uniform(1, low=0.5, high=2)
    W = Q[:, :4] * torch.tensor([0.5, 8.0, 0.1, 0.0])  # so W.T @ x is 0.3, 3.2, 0.03 and 0
    x = f @ W.T + 0.1 * Q[:, 4]  # the last is a part that no column explains
    assert_close(omp(x, W, 1), f * torch.eye(4)[0], **NEAR)
    assert_close(omp(x, W, 4), f, **NEAR)


def test_each_refit_corrects_the_earlier_coefficients(omp, rng):
    "The second pick: what should the columns match by then? And the refit: which coefficients may change, to fit what?"
    W = rng.rotation(3) @ torch.tensor([[1.0, 0.6, 0.0, 0.9], [0.0, 0.8, 0.0, 0.0], [0.0, 0.0, 1.0, 0.4]])
    f = torch.tensor([[0.6, 0.3, 0.0, 0.0], [0.6, 0.3, 0.1, 0.0]]) * rng.uniform(1, low=0.5) * rng.normal(1).sign()
    assert_close(omp(f @ W.T, W, 3), f, **NEAR)


def test_a_row_stops_when_everything_is_explained(omp, rng):
    "A row stops when its residual is zero up to rounding, although k is not reached yet."
    W = rng.rotation(3) @ torch.cat([torch.full((3, 1), 3**-0.5), torch.eye(3)], dim=1)
    f = torch.tensor([[0.0, 0.5, 0.0, 0.0], [0.0, 0.0, -0.9, 0.3], [0.0, 0.0, 0.0, 0.0]])
    assert_close(got := omp(f @ W.T, W, 4), f, **NEAR)
    counts = (got != 0).sum(dim=1).tolist()
    assert counts == [1, 2, 0], f"three rows made of 1, 2 and 0 columns: expected as many entries, got {counts}"


def test_a_row_stops_when_little_is_left_compared_with_x(omp, rng):
    """When is there nothing left to explain? Compare the residual with x, not with 1: x comes in any unit."""
    Q, small = rng.rotation(6).double(), rng.uniform(3, 1, low=2e-4, high=5e-4).double()
    f = torch.cat([rng.uniform(3, 1, low=1.0, high=2.0).double(), small, torch.zeros(3, 4)], dim=1)
    for unit in (1e-6, 1.0, 1e6):
        assert_close(omp(unit * f @ Q.T, Q, 2) / unit, f, atol=1e-7, rtol=1e-5)


def test_a_row_stops_when_no_column_is_left(omp, rng):
    "k may be larger than the number of columns. What does your choice return when every column is picked?"
    Q, f = rng.rotation(5), rng.uniform(3, 2, low=0.5) * rng.normal(3, 2).sign()
    W = Q[:, :2] @ torch.tensor([[1.0, 0.6], [0.0, 0.8]])
    x = f @ W.T + 0.2 * Q[:, 3]  # no column explains the last part, so a residual remains
    for k in (2, 3, 6):
        assert_close(omp(x, W, k), f, **NEAR)


def test_the_first_step_of_ISTA_follows_the_match_and_shrinks_it(ista, rng):
    """One step from f = 0, with L the largest eigenvalue of WᵀW: add Wᵀx/L to f, then bring each entry nearer to 0 by
    lam/L. Compare yours piece by piece."""
    singular = rng.uniform(2, low=0.5, high=1) + torch.tensor([0.0, 1.0])
    W, x, lam = rng.rotation(5)[:, :2] * singular @ torch.tensor([[0.6, 0.8], [0.8, -0.6]]), 2 * rng.normal(9, 5), 0.7
    match = x @ W
    assert_close(ista(x, W, lam, 1), (match - match.clamp(-lam, lam)) / singular.max() ** 2, **NEAR)


def test_each_step_of_ISTA_starts_where_the_last_one_ended(ista, rng):
    """What does a step know of those before? Only the f that came out: no momentum, and the same length as the
    first."""
    s, x = float(rng.uniform(1, low=0.4, high=0.6)), rng.uniform(5, 2, low=1.0, high=2.0)
    for steps in (2, 3, 5):
        goal = (x * torch.tensor([1.0, s]) - 0.1) / torch.tensor([1.0, s**2])
        done = torch.tensor([1.0, 1 - (1 - s**2) ** steps])  # each step leaves 1 - s² of the way to the goal
        assert_close(ista(x, torch.diag(torch.tensor([1.0, s])), 0.1, steps), done * goal, **NEAR)


def test_after_many_steps_no_match_is_larger_than_the_penalty(ista, rng):
    """Both halves belong to every step: move f, then shrink it. In the end W_i · (x - W f) is lam where f is positive,
    -lam where it is negative, else in between."""
    W = 2 * rng.rotation(7)[:, :5].double() * rng.uniform(5, low=1, high=1.5) @ rng.rotation(5).double()
    x, lam = 2 * rng.normal(6, 7).double(), 1.5
    f = ista(x, W, lam, 100)
    match = (x - f @ W.T) @ W
    assert_close(match.where(f != 0, 0.0), lam * f.sign(), **NEAR)
    assert_close(match.clamp(-lam, lam), match, **NEAR)


def test_agrees_with_the_reference_on_random_dictionaries(omp, ista, reference, rng):
    "Here is all of it: more columns than dimensions and fewer, one row, one pick, other numbers of steps, float64."
    for dtype, *sizes in [("float", 4, 9, 3), ("double", 6, 4, 2), ("float", 3, 7, 1), ("double", 9, 20, 4)]:
        x, W = (getattr(t, dtype)() for t in clear_case(rng, reference, *sizes))
        assert_close(omp(x, W, sizes[-1]), reference(x, W, sizes[-1]), **NEAR)
        for lam, steps in [(0.3, 1), (0.1, 6), (0.0, 3), (0.5, 0)]:
            assert_close(ista(x, W, lam, steps), reference.ista(x, W, lam, steps), **NEAR)
