"""Is the score of an explanation fair: fresh examples of all strengths, and a coin gets one half?"""

import math

import pytest
import torch
from torch.testing import assert_close


def close(got, expected):
    assert_close(torch.tensor(got).double(), torch.tensor(expected).double(), atol=1e-6, rtol=1e-6, equal_nan=True)


def answers(rng, true_yes, true_no, false_yes, false_no):  # so many questions of each sort, in random order
    order = rng.permutation(true_yes + true_no + false_yes + false_no)
    said = torch.tensor([True] * true_yes + [False] * true_no + [True] * false_yes + [False] * false_no)
    true = torch.arange(len(order)) < true_yes + true_no
    return said[order], true[order]


def test_it_is_the_mean_of_two_shares_however_many_there_are_of_each(balanced_accuracy, rng):
    "Of 4 true questions some are answered yes, of 60 others some no: each share counts half."
    for _ in range(3):
        yes, spared = rng.integer(0, 5), rng.integer(20, 61)
        close(balanced_accuracy(*answers(rng, yes, 4 - yes, 60 - spared, spared)), (yes / 4 + spared / 60) / 2)


def test_one_answer_for_all_gets_one_half_and_turning_all_answers_round_gets_the_rest(balanced_accuracy, rng):
    "Always yes is right for all that are true and for none of the others. The opposite of all answers gets 1 - s."
    for _ in range(2):
        sizes = [rng.integer(1, 9) for _ in range(4)]
        said, true = answers(rng, *sizes)
        share = (sizes[0] / sum(sizes[:2]) + sizes[3] / sum(sizes[2:])) / 2
        for given, expected in [(said, share), (said | True, 0.5), (~said, 1 - share), (said & False, 0.5)]:
            close(balanced_accuracy(given, true), expected)


def test_with_questions_of_one_sort_only_nothing_is_known(balanced_accuracy, rng):
    "All are true, or none: one of the shares is 0/0, and the answer is nan. With one other question it is a figure."
    yes, no = rng.integer(1, 6), rng.integer(1, 6)
    for sizes in [(yes, no, 0, 0), (0, 0, yes, no)]:
        got = balanced_accuracy(*answers(rng, *sizes))
        assert math.isnan(got), f"All questions were of one sort: nan was expected, {got} came back."
    close(balanced_accuracy(*answers(rng, yes, no, 0, 1)), (yes / (yes + no) + 1) / 2)


def some_peaks(rng, n_on, n_off):  # widely different strengths: most are weak
    strengths = torch.cat([(rng.permutation(n_on) + 1.0) ** 3 / 1e4, torch.zeros(n_off)])
    return strengths[rng.permutation(n_on + n_off)]


def bands_of(peak, read, shown, n_bands):  # how many of each band were read, the strongest last, and how many off
    fresh = torch.ones(len(peak), dtype=torch.bool)
    fresh[shown] = False
    ranked = peak[fresh & (peak > 0)].sort().values
    band = torch.searchsorted(ranked, peak[read][peak[read] > 0]) * n_bands // max(1, len(ranked))
    return band.bincount(minlength=n_bands).tolist(), int((peak[read] == 0).sum())


def test_each_band_of_the_same_number_of_windows_gives_as_many(scoring_set, rng):
    "Cut the list of on windows, ordered by peak, into pieces of the same length. Off windows: as many as these."
    for n_bands, per_band in [(5, 3), (2, 6), (4, 1)]:
        peak = some_peaks(rng, 40, 60)
        read = scoring_set(peak, torch.zeros(0).long(), n_bands, per_band, rng.uniform(100)).long()
        got = bands_of(peak, read, [], n_bands)
        expected = [per_band] * n_bands, n_bands * per_band
        assert got == expected, f"Read of each band, and off: {got}; {expected} was expected."
        assert_close(read, read.unique())  # rising, and none of them twice


def test_what_the_explainer_saw_is_not_read_and_others_take_its_place(scoring_set, rng):
    "Take the shown windows out first. There are enough others in each band, so as many are read as without."
    for _ in range(2):
        peak = some_peaks(rng, 30, 40)
        shown = torch.cat([peak.argsort(descending=True)[:6], (peak == 0).nonzero()[:5, 0]])[rng.permutation(11)]
        read = scoring_set(peak, shown, 3, 5, rng.uniform(70)).long()
        again = sorted(set(read.tolist()) & set(shown.tolist()))
        assert not again, f"Windows {again} were shown to the explainer, and read to score it."
        got = bands_of(peak, read, shown, 3)
        assert got == ([5, 5, 5], 15), f"Read of each band, and off: {got}; 5 of each and 15 were expected."


def test_the_smallest_keys_of_each_band_and_of_the_off_windows_are_read(scoring_set, rng):
    "Within a band the keys decide, and nothing else. With other keys, other windows are read."
    peak = some_peaks(rng, 24, 30)
    ranked = peak.argsort(descending=True)[:24].flip(0)
    off = (peak == 0).nonzero()[:, 0]
    for _ in range(2):
        key = rng.permutation(54).double()
        chosen = [some[key[some].argsort()][:2] for some in (ranked[:6], ranked[6:12], ranked[12:18], ranked[18:])]
        expected = torch.cat([*chosen, off[key[off].argsort()][:8]]).sort().values
        assert_close(scoring_set(peak, torch.zeros(0).long(), 4, 2, key).long(), expected)


@pytest.mark.parametrize("n_on, n_off", [(7, 30), (0, 12), (12, 3)], ids=["few on", "none on", "few off"])
def test_where_there_are_fewer_all_of_them_are_read(scoring_set, reference, rng, n_on, n_off):
    "Bands with less than `per_band` windows, a latent that is on nowhere, or too few off windows: no error."
    for n_bands in (3, 5):
        peak, key = some_peaks(rng, n_on, n_off), rng.uniform(n_on + n_off)
        shown = rng.permutation(n_on + n_off)[:2]
        expected = reference.scoring_set(peak, shown, n_bands, 2, key)
        assert_close(scoring_set(peak, shown, n_bands, 2, key).long(), expected)


def some_windows(rng, n=24, length=6, share=0.15):  # activations, an explanation that is half right, and keys
    acts = torch.where(rng.uniform(n, length) < share, 10 ** rng.uniform(n, length, low=-4.0, high=1.0), 0.0)
    says = torch.where(rng.uniform(n, length) < 0.7, acts > 0, rng.uniform(n, length) < 0.3)
    return acts, says, rng.permutation(n * length).view(n, length) / 7.0


def test_detection_asks_about_windows(detection_score, rng):
    "On somewhere in the window, said if true somewhere in it, be it at another token. A faint activation is on."
    for _ in range(2):
        acts, says, _ = some_windows(rng)
        says = says[:, rng.permutation(6)]  # at other tokens of the same windows
        on, said = (acts > 0).any(dim=1), says.any(dim=1)
        expected = (said[on].double().mean() + (~said[~on]).double().mean()) / 2
        close(detection_score(acts, says, rng.permutation(24)), expected.item())


def test_detection_looks_at_the_windows_read_and_at_no_others(detection_score, rng):
    "In the others the explanation is never right."
    acts, says, _ = some_windows(rng)
    for size in (8, 14):
        read = rng.permutation(24)[:size]
        read = torch.cat([read, torch.stack([(acts.amax(dim=1)).argmax(), (acts.amax(dim=1)).argmin()])]).unique()
        spoiled = (acts <= 0).all(dim=1, keepdim=True).expand_as(says).clone()
        spoiled[read] = says[read]
        on, said = (acts[read] > 0).any(dim=1), says[read].any(dim=1)
        expected = (said[on].double().mean() + (~said[~on]).double().mean()) / 2
        close(detection_score(acts, spoiled, read), expected.item())


def test_fuzzing_marks_an_on_token_and_an_off_token_in_each_window(fuzzing_score, rng):
    "The on token and the off token with the smallest keys. Is the explanation true of the one, and not of the other?"
    for _ in range(3):
        acts, says, key = some_windows(rng, share=0.5)
        read = rng.permutation(24)[:15]
        right, asked = 0, 0
        for window in read.tolist():
            for on in (True, False):
                there = [i for i in range(6) if bool(acts[window, i] > 0) == on]
                if 0 < len(there) < 6:
                    marked = min(there, key=lambda i, window=window: key[window, i].item())
                    right, asked = right + (bool(says[window, marked]) == on), asked + 1
        close(fuzzing_score(acts, says, read, key), right / asked)


def test_windows_all_on_or_all_off_are_left_out_of_fuzzing(fuzzing_score, rng):
    "There, only one of the two tokens could be marked. What the explanation says of them makes no difference."
    acts, says, key = some_windows(rng, share=0.5)
    acts[rng.permutation(24)[:8]] = 0.0
    acts[rng.permutation(24)[:5]] = 2.0
    mixed = ((acts > 0).any(dim=1) & (acts == 0).any(dim=1)).nonzero()[:, 0]
    expected = fuzzing_score(acts, says, mixed, key)
    close(fuzzing_score(acts, says, torch.arange(24), key), expected)
    wrong = torch.where(torch.isin(torch.arange(24), mixed)[:, None], says, acts == 0)
    close(fuzzing_score(acts, wrong, torch.arange(24), key), expected)


def test_an_explanation_of_whole_windows_gets_one_half_by_fuzzing(fuzzing_score, rng):
    "Of some windows it says the same at all tokens: one of the two answers is right there. Elsewhere it is exact."
    for _ in range(2):
        acts, _, key = some_windows(rng, share=0.5)
        mixed = (acts > 0).any(dim=1) & (acts == 0).any(dim=1)
        topical = rng.permutation(24) < rng.integer(3, 20)
        says = torch.where(topical[:, None], rng.uniform(24, 1) < 0.5, acts > 0)
        close(fuzzing_score(acts, says, torch.arange(24), key), 1 - topical[mixed].double().mean().item() / 2)


def test_agrees_with_the_reference_on_random_windows(
    detection_score, balanced_accuracy, scoring_set, fuzzing_score, reference, rng
):
    "This tries everything at once, in both float types."
    for dtype, n in [(torch.float32, 9), (torch.float64, 40)]:
        acts, says, key = some_windows(rng, n, 5)
        acts, key = acts.to(dtype), key.to(dtype)
        keys, shown = key[:, 0], rng.permutation(n)[:3]
        read = reference.scoring_set(acts.amax(dim=1), shown, 3, 2, keys)
        assert_close(scoring_set(acts.amax(dim=1), shown, 3, 2, keys).long(), read)
        close(detection_score(acts, says, read), reference(acts, says, read))
        close(fuzzing_score(acts, says, read, key), reference.fuzzing_score(acts, says, read, key))
        said, true = rng.uniform(2, n) < 0.4
        close(balanced_accuracy(said, true), reference.balanced_accuracy(said, true))
