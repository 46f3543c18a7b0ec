"""What company does a feature keep, and is it otherwise the feature it was?"""

import pytest
import torch
from torch.testing import assert_close

ROWS = 3000  # in each of two instances; a share among n draws has a standard error of at most 1/2√n, we allow six
BOTH = pytest.mark.parametrize("kind", ["correlated", "anticorrelated"])


def draw(rng, kind, generate_correlated, generate_anticorrelated, instances=1):
    """Three pairs; their probabilities are so far apart that taking one for the other shows. Returns p, x, x > 0."""
    fn, low, high = (generate_correlated, 0.6, 0.9) if kind == "correlated" else (generate_anticorrelated, 0.26, 0.44)
    p = torch.linspace(low, high, 3)[rng.permutation(3)] + rng.uniform(3, low=-0.01, high=0.01)
    p = torch.stack([p, p.roll(1)])[:instances]
    x = fn(2, ROWS, p)
    return p.repeat_interleave(2, dim=1), x, (x > 0).to(x.dtype)


@pytest.mark.parametrize(
    "kind, instances",
    [(kind, rows) for kind in ("correlated", "anticorrelated") for rows in (1, 2)],
    ids=[f"{kind}, {rows} of p" for kind in ("correlated", "anticorrelated") for rows in ("one row", "two rows")],
)
def test_each_feature_is_on_with_its_probability(generate_correlated, generate_anticorrelated, rng, kind, instances):
    """How often is a feature on, whatever its partner does? p has one row for all instances, or a row for each."""
    p, _, on = draw(rng, kind, generate_correlated, generate_anticorrelated, instances)
    assert_close(on.mean(dim=1), p.expand(2, 6), atol=3 / ROWS**0.5, rtol=0)


@BOTH
def test_different_pairs_are_independent(generate_correlated, generate_anticorrelated, rng, kind):
    """How often are two features of different pairs on at once? Independent coins: the product of their shares."""
    one, others = draw(rng, kind, generate_correlated, generate_anticorrelated)[2].flatten(0, 1).split([2, 4], dim=1)
    assert_close(one.T @ others / len(one), torch.outer(one.mean(0), others.mean(0)), atol=3 / ROWS**0.5, rtol=0)


@BOTH
def test_magnitudes_are_uniform_between_zero_and_one(generate_correlated, generate_anticorrelated, rng, kind):
    """Look at the numbers of the features that are on: they should have nothing to do with the coin."""
    x = draw(rng, kind, generate_correlated, generate_anticorrelated)[1]
    shares = torch.stack([(x[x != 0] <= edge).float().mean() for edge in (0.0, 0.25, 0.5, 0.75, 1.0)])
    assert_close(shares, torch.linspace(0, 1, 5), atol=3 / ROWS**0.5, rtol=0)


@pytest.mark.parametrize(
    "what", ["rows", "instances", "calls"], ids=["in every row", "in every instance", "at every call"]
)
def test_everything_is_drawn_afresh(generate_correlated, generate_anticorrelated, rng, what):
    """Does the second one repeat which features the first one has on, or how much?"""
    for kind in ("correlated", "anticorrelated"):
        x, later = [draw(rng, kind, generate_correlated, generate_anticorrelated)[1] for _ in range(2)]
        one, other = {"rows": (x[:, 1:], x[:, :-1]), "instances": (x[0], x[1]), "calls": (x, later)}[what]
        shares = [(on > 0).float().mean(dim=-2) for on in (one, other, one * other)]  # the last: on in both
        again = (shares[2] - shares[0] * shares[1]).abs().max() > 3 / ROWS**0.5
        again = again or ((one == other) & (one > 0)).float().mean() > 0.01
        assert not again, f"{kind}: expected other {what}, got the same features on, or the same magnitudes, again"


def test_correlated_partners_are_both_on_or_both_off(generate_correlated, generate_anticorrelated, rng):
    """Partners are 2k and 2k + 1, neighbours on the last axis. How many coins does a pair need?"""
    on = draw(rng, "correlated", generate_correlated, generate_anticorrelated)[2].unflatten(-1, (3, 2))
    alone = int((on[..., 0] != on[..., 1]).sum())  # a magnitude of exactly 0 has probability 2⁻²⁴: allow two
    assert alone <= 2, f"expected partners to be together, got {alone} of {3 * 2 * ROWS} cases where one is on alone"


def test_correlated_partners_have_magnitudes_of_their_own(generate_correlated, generate_anticorrelated, rng):
    """They are on together, but one may be strong while the other is weak."""
    x = draw(rng, "correlated", generate_correlated, generate_anticorrelated)[1].unflatten(-1, (3, 2))
    together = (x - 0.5).prod(dim=-1)[x.amin(dim=-1) > 0].mean()  # 1/12 where they are the same
    assert_close(together, torch.tensor(0.0), atol=0.5 / ROWS**0.5, rtol=0)


def test_anticorrelated_partners_are_never_both_on_but_may_both_be_off(generate_anticorrelated, rng):
    """One draw can decide which of the two is on, if any; it has more than two outcomes."""
    on = generate_anticorrelated(2, ROWS, rng.uniform(1, 3, low=0.2, high=0.4)).unflatten(-1, (3, 2)) > 0
    counts = on.sum(dim=-1).unique().tolist()
    assert counts == [0, 1], f"expected none or one of two partners on in a row, got rows with {counts}"


@pytest.mark.parametrize("excess", [0.0, 0.01, 0.3], ids=["p = 0.5", "p = 0.51", "p = 0.8"])
def test_only_a_p_above_one_half_is_refused(generate_anticorrelated, excess):
    """At p = 1/2 always one of the two is on. Above, raise a ValueError that says why it can't be."""
    p, said = torch.tensor([[0.3, 0.4], [0.3, 0.5 + excess]]), None
    try:
        generate_anticorrelated(2, 0 if excess else 1, p)  # no rows where none can be made
    except ValueError as error:
        said = str(error)
    assert (said is not None) == (excess > 0), (
        f"expected {'a' if excess else 'no'} ValueError for a p of {0.5 + excess}"
    )


def test_the_error_says_why_in_a_sentence(generate_anticorrelated):
    """`raise ValueError("…")`: a caller with p = 0.7 should read there what is wrong with it."""
    said = "nothing was raised"
    try:
        generate_anticorrelated(1, 0, torch.tensor([[0.7]]))
    except ValueError as error:
        said = str(error)
    assert len(said.split()) > 3, f"expected a ValueError with a sentence that says why, got one that says {said!r}"


@BOTH
def test_the_data_have_the_dtype_of_p(generate_correlated, generate_anticorrelated, rng, kind):
    """Results keep the dtype of what they are given. What dtype does `torch.rand` have unless you ask for another?"""
    fn = generate_correlated if kind == "correlated" else generate_anticorrelated
    for dtype in (torch.float32, torch.float64):
        got = fn(2, 3, rng.uniform(2, 3, high=0.5).to(dtype)).dtype
        assert got == dtype, f"{kind}: expected data in {dtype}, like p, got {got}"


@BOTH
def test_a_seed_makes_the_same_data_again(generate_correlated, generate_anticorrelated, kind):
    """Where do the random numbers come from? From torch's global ones, so that `torch.manual_seed` decides them."""
    fn, drawn = generate_correlated if kind == "correlated" else generate_anticorrelated, []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        drawn.append(fn(2, 20, torch.full((1, 3), 0.4)))
    assert torch.equal(drawn[0], drawn[2]), f"{kind}: expected the same data after the same `torch.manual_seed`"


@BOTH
def test_each_pair_has_two_features(generate_correlated, generate_anticorrelated, rng, kind):
    """How does the last axis get its length? It is twice the number of pairs, one pair or many."""
    fn = generate_correlated if kind == "correlated" else generate_anticorrelated
    for n_inst, batch, pairs in [(1, 1, 1), (3, 4, 1), (1, 5, 8)]:
        shape, got = (n_inst, batch, 2 * pairs), tuple(fn(n_inst, batch, torch.full((1, pairs), 0.5)).shape)
        assert got == shape, f"{kind}: expected shape {shape}, got {got}"
