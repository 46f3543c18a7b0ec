"""Are the features as sparse as p says, and is every entry independent of every other?"""

import pytest
import torch

LINES = {"instances": (999, 1, (999, 1)), "rows": (1, 999, (1, 1)), "features": (1, 1, (1, 999))}


def likeness(z):
    """Largest correlation of a line of 999 with itself, shifted round: each is 0 ± 1/√999 if all are independent."""
    power = torch.fft.ifft(torch.fft.fft(z.flatten().double() - z.double().mean()).abs() ** 2).real
    return float((power / power[0])[1:].abs().nan_to_num(1.0).max())  # 0/0: all the same, so as alike as can be


def test_an_entry_that_is_off_is_exactly_zero(generate_batch):
    """What stands in an entry that is off? Exactly 0. A p of 1/2 doesn't halve it: it is off half of the time."""
    share = (generate_batch(20, 20, torch.full((1, 20), 0.5)) == 0).float().mean()
    assert 0.1 < share < 0.9, f"Expected about half of the entries to be 0 where p is 1/2, got {share:.0%} of them."


def test_entries_that_are_on_differ_in_size(generate_batch):
    """How large is an entry that is on? It isn't simply 1: it has a magnitude, drawn from U[0, 1]."""
    sizes = generate_batch(20, 20, torch.ones(1, 20)).unique()
    assert len(sizes) > 1, f"Expected many different magnitudes where every p is 1, got {sizes.tolist()}."


@pytest.mark.parametrize("along", LINES, ids=[f"across {line}" for line in LINES])
def test_entries_are_switched_on_independently(generate_batch, along):
    """Does another entry have a part in whether this one is on? Compare p with a random number of this entry's own."""
    n_inst, batch, shape = LINES[along]
    found = likeness(generate_batch(n_inst, batch, torch.full(shape, 0.5)) != 0)
    assert found < 8 / 999**0.5, f"Expected different {along} to be uncorrelated (at most .25), got {found:.2f}."


@pytest.mark.parametrize("along", LINES, ids=[f"across {line}" for line in LINES])
def test_magnitudes_are_drawn_independently(generate_batch, along):
    """Does another entry have a part in how large this one is? Every entry needs a random magnitude of its own."""
    n_inst, batch, shape = LINES[along]
    found = likeness(generate_batch(n_inst, batch, torch.ones(shape)))
    assert found < 8 / 999**0.5, f"Expected different {along} to be uncorrelated (at most .25), got {found:.2f}."


def test_each_feature_is_on_as_often_as_its_p_says(generate_batch, rng):
    """With what probability is an entry on, not exactly 0? It should be p: not 1 − p or p/2, and not always."""
    p = (torch.linspace(0.05, 0.35, 5) + rng.uniform(5, high=0.02))[rng.permutation(5)]
    often = (generate_batch(1, 2000, p[None]) != 0).float().mean(dim=(0, 1))
    off = ((often - p).abs() / (p * (1 - p) / 2000).sqrt()).max()
    assert off < 7, f"Expected features on in {p} of 2000 rows, got {often}: {off:.0f} standard errors off."


@pytest.mark.parametrize("rows_of_p", [6, 1], ids=["6 rows", "one row for all"])
def test_each_instance_uses_its_own_row_of_p(generate_batch, rng, rows_of_p):
    """How does p [inst, feats] meet the batch [inst, batch, feats]? Its rows belong to instances, and one may serve
    all."""
    p = torch.eye(6)[rng.permutation(6)][:rows_of_p]
    off = (generate_batch(6, 400, p) == 0).sum(dim=1) - 400 * (1 - p)  # more often than it should be: < 0 where p = 0
    assert off.min() == 0 and off.sum() <= 2, f"Expected p = 0 off, p = 1 on; {off.abs().sum():.0f} of 14400 were not."


def test_the_number_of_features_on_varies_from_row_to_row(generate_batch, rng):
    """Each feature has a coin of its own in every row, so some rows have many features on and some have none."""
    p = rng.uniform(1, 6, low=0.3, high=0.7)
    coin = p * (1 - p)
    variance, error = coin.sum(), ((2 * coin.sum() ** 2 + (coin * (1 - 6 * coin)).sum()) / 2000).sqrt()
    found = (generate_batch(1, 2000, p) != 0).float().sum(dim=2).var()
    assert found > variance - 7 * error, f"Expected the number on to have variance {variance:.2f}, got {found:.2f}."


@pytest.mark.parametrize("features", ["rare", "always_on"], ids=["rare features", "features that are always on"])
def test_magnitudes_are_spread_evenly_between_zero_and_one(generate_batch, rng, features):
    """What is on has a magnitude from U[0, 1], whatever p is and whatever number was compared with it."""
    x = generate_batch(1, 3000, rng.uniform(1, 5, low=0.1, high=0.3) if features == "rare" else torch.ones(1, 5))
    mean, square, error = x[x != 0].mean(), x[x != 0].square().mean(), 7 / (x != 0).sum() ** 0.5
    good = abs(mean - 1 / 2) < error / 12**0.5 and abs(square - 1 / 3) < error * (4 / 45) ** 0.5
    assert good, f"Expected entries that are on with mean .50 and mean square .33, got {mean:.2f} and {square:.2f}."


def test_every_entry_lies_between_zero_and_one(generate_batch, rng):
    """Magnitudes come from U[0, 1], which has neither negative numbers nor numbers above one."""
    x = generate_batch(2, 100, rng.uniform(2, 7, low=0.5))
    assert x.min() >= 0 and x.max() <= 1, f"Expected entries from 0 to 1, got them from {x.min():.2f} to {x.max():.2f}."


def test_every_call_draws_a_new_batch(generate_batch):
    """Does your function draw anew at each call? Otherwise (a seed inside?) the model sees one batch for ever."""
    same = torch.equal(*(generate_batch(2, 20, torch.full((2, 5), 0.5)) for _ in range(2)))
    assert not same, "Expected two calls to differ; both gave the same numbers."


def test_a_seed_makes_the_same_batch_again(generate_batch):
    """Where do the random numbers come from? From torch's global ones, so that `torch.manual_seed` decides them."""
    batches = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        batches.append(generate_batch(2, 20, torch.full((2, 5), 0.5)))
    assert torch.equal(batches[0], batches[2]), "Expected the same batch after the same `torch.manual_seed`."


def test_magnitudes_do_not_reuse_the_numbers_compared_with_p(generate_batch):
    """Have the numbers that you use as magnitudes been compared with p before, for this entry or for another?"""
    found = max(likeness(generate_batch(3 * i, b, torch.full((1, s[1]), 0.5))) for i, b, s in LINES.values())
    assert found < 0.25, f"Expected entries to be uncorrelated (at most .25), got {found:.2f}."


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_batch_has_the_dtype_of_p(generate_batch, rng, dtype):
    """Results keep the dtype of what they are given. What dtype does `torch.rand` have unless you ask for another?"""
    got = generate_batch(2, 5, rng.uniform(2, 3, low=0.2).to(dtype)).dtype
    assert got == dtype, f"Expected a batch in {dtype}, like p, got {got}."
