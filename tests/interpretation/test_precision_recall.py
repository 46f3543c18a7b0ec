"""How true is an explanation, as far as a few tokens of each strength can tell?"""

import math

import pytest
import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-6, "rtol": 1e-5}


def a_text(rng, sizes):
    """Bands [token] with so many tokens in each, in random order, and a rule [token] that is true of some of each."""
    bands = torch.cat([torch.full((size,), band) for band, size in enumerate(sizes)])[rng.permutation(sum(sizes))]
    return bands, rng.uniform(len(bands)) < 0.15 + 0.7 * bands / len(sizes)


def exact(bands, named):
    on = bands > 0
    both = (on & named).sum().item()
    return both / max(1, named.sum().item()), both / max(1, on.sum().item())


def close(got, expected, tolerance=1e-6):
    """Numbers, or nan in the same places."""
    assert_close(torch.tensor(got).double(), torch.tensor(expected).double(), atol=tolerance, rtol=1e-5, equal_nan=True)


def test_bands_are_equally_wide_from_zero_to_the_largest(intervals, rng):
    "The largest is in band n. Half of it is in the middle, however many tokens are above or below."
    for n in (1, 5, 8):
        places = (rng.uniform(40, high=float(n)) ** 2 / n).clamp_min(0.05)  # more weak ones than strong ones
        places = torch.where((places - places.round()).abs() < 0.02, places.floor() + 0.5, places).clamp_max(n - 0.5)
        places[rng.integer(0, 40)] = n
        acts = places * rng.uniform(1, low=0.1, high=3.0)
        assert_close(intervals(acts, n).long(), places.ceil().long())


def test_off_is_a_band_of_its_own_and_a_faint_activation_is_in_the_first(intervals, rng):
    "0 where the latent is off; 1 for the faintest that is on, even if all others are strong."
    kinds = torch.tensor([0.0, 0.0, 1e-3, 8.0, 7.0, 0.0, 1e-3])[rng.permutation(7)]
    got = intervals(kinds * 2 ** rng.integer(0, 4), 8)
    assert_close(got.long(), torch.where(kinds == 0, 0, kinds.clamp_min(0.5).ceil().long()))


def test_the_upper_end_belongs_to_the_band(intervals, rng):
    "With max 8 and 4 bands, 2 is in band 1 and 2.1 in band 2."
    order = rng.permutation(8)
    acts = torch.tensor([2.0, 2.1, 4.0, 4.1, 6.0, 6.1, 8.0, 0.0])[order] * 4 ** rng.integer(0, 3)
    assert_close(intervals(acts, 4).long(), torch.tensor([1, 2, 2, 3, 3, 4, 4, 0])[order])


def test_a_latent_that_is_off_everywhere_has_only_band_0(intervals, rng):
    "No 0/0. Beside it, one token that is on is the largest, so it is in band n."
    n = rng.integer(2, 6)
    assert_close(intervals(torch.zeros(n), n).long(), torch.zeros(n, dtype=torch.long))
    acts = (rng.permutation(7) == 0) * rng.uniform(7, low=0.1)
    assert_close(intervals(acts, n).long(), n * (acts > 0).long())


def test_as_many_tokens_are_read_of_each_band_as_there_are(interval_sample, rng):
    "Band 0 counts as a band, a weak one as much as the strongest. A band with fewer is read as a whole."
    sizes = [40, 3, 12, 0, 1]
    bands, _ = a_text(rng, sizes)
    for per_band in (1, 4, 15):
        read = interval_sample(bands, per_band, rng.uniform(56)).long()
        counts = bands[read].bincount(minlength=5).tolist()
        expected = [min(size, per_band) for size in sizes]
        assert counts == expected, f"{counts} tokens of the five bands were read, {expected} were expected"
        assert len(read.unique()) == len(read), f"a token was read twice: {read.tolist()}"


def test_the_smallest_keys_of_each_band_are_read(interval_sample, rng):
    "Wherever they stand in the text; the result has their places, in rising order."
    for sizes in ([50, 20, 9], [8, 8, 8, 8]):
        bands, _ = a_text(rng, sizes)
        key = rng.normal(len(bands))
        limits = torch.stack([key[bands == band].sort().values[5] for band in range(len(sizes))])
        expected = (key <= limits[bands]).nonzero()[:, 0]
        assert_close(interval_sample(bands, 6, key).long(), expected)


def test_other_keys_give_another_sample_and_the_scale_of_keys_does_not_matter(interval_sample, reference, rng):
    "Only the order of the keys counts. Turned round, they give the other end of each band."
    bands, _ = a_text(rng, [30, 16])
    key = rng.permutation(46).double()
    for keys in (key, 1000 * key - 9, -key, (key / 100).exp()):
        assert_close(interval_sample(bands, 7, keys).long(), reference.interval_sample(bands, 7, keys))


def test_if_all_is_read_the_figures_are_exact(precision_recall, rng):
    "Precision: out of the tokens that the rule names. Recall: out of the tokens where the latent is on."
    for sizes in ([30, 9, 4], [12, 20], [5, 1, 1, 17]):
        bands, named = a_text(rng, sizes)
        named[bands.argmax()] = True
        read = rng.permutation(len(bands))
        close(precision_recall(bands, read, named[read]), exact(bands, named))


def test_a_token_stands_for_its_share_of_the_band(precision_recall, rng):
    "One token of each band is read: it stands for the whole band, and no band counts more than its tokens."
    for _ in range(3):
        sizes = [rng.integer(50, 90), rng.integer(20, 40), rng.integer(5, 9), rng.integer(2, 4)]
        bands, _ = a_text(rng, sizes)
        read = torch.stack([(bands == band).nonzero()[rng.integer(0, sizes[band]), 0] for band in range(4)])
        read, named = read[rng.permutation(4)], torch.tensor([True, False, True, True])[rng.permutation(4)]
        which = bands[read]
        on = sum(sizes[1:])
        both = sum(sizes[b] for b, yes in zip(which.tolist(), named.tolist()) if yes and b > 0)
        everything = sum(sizes[b] for b, yes in zip(which.tolist(), named.tolist()) if yes)
        close(precision_recall(bands, read, named), (both / everything, both / on))


def test_reading_more_of_a_band_does_not_make_it_count_more(precision_recall, rng):
    "Within each band the rule is true of the same share of the tokens read. Read twice as many of one band only."
    sizes = [60, 24, 8]
    bands, _ = a_text(rng, sizes)
    places = [(bands == band).nonzero()[:, 0][rng.permutation(sizes[band])] for band in range(3)]
    true_of = [rng.integer(1, 4), rng.integer(1, 4), rng.integer(1, 4)]  # of 4
    both = sum(sizes[b] * true_of[b] / 4 for b in (1, 2))
    expected = both / (both + sizes[0] * true_of[0] / 4), both / (sizes[1] + sizes[2])
    for doubled in (None, 0, 1, 2):
        read, named = [], []
        for band in range(3):
            times = 2 if band == doubled else 1
            read.append(places[band][: 4 * times])
            named.append((torch.arange(4) < true_of[band]).repeat(times))
        close(precision_recall(bands, torch.cat(read), torch.cat(named)), expected)


@pytest.mark.parametrize("which", ["nothing is named", "the latent is never on"])
def test_where_there_is_nothing_to_divide_by_the_answer_is_nan(precision_recall, rng, which):
    "A rule that names nothing has no precision, and recall 0 if the latent is on; a latent that is off has no recall."
    for _ in range(2):
        bands, named = a_text(rng, [20, 8, 5])
        read = rng.permutation(33)[:25]
        named[read[bands[read] > 0][0]] = True
        if which == "nothing is named":
            close(precision_recall(bands, read, named[read] & False), (math.nan, 0.0))
        else:
            close(precision_recall(0 * bands, read, named[read]), (0.0, math.nan))
        size = bands.bincount().double()
        weight = (size / bands[read].bincount(minlength=3))[bands[read]]
        both = weight[(bands[read] > 0) & named[read]].sum()
        expected = (both / weight[named[read]].sum()).item(), (both / weight[bands[read] > 0].sum()).item()
        close(precision_recall(bands, read, named[read]), expected)


def test_agrees_with_the_reference_on_random_texts(precision_recall, intervals, reference, rng):
    "This tries everything at once, on several sizes, in both float types."
    for n_tokens, n, given in [(1, 3, torch.float32), (60, 4, torch.float64), (200, 10, torch.float32)]:
        acts = ((rng.normal(n_tokens) - 0.5).relu() * 3).to(given)
        bands = reference.intervals(acts, n)
        assert_close(intervals(acts, n).long(), bands)
        read = reference.interval_sample(bands, 5, rng.uniform(n_tokens))
        named = rng.uniform(len(read)) < 0.5
        close(precision_recall(bands, read, named), reference(bands, read, named))
