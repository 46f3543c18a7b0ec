"""The stream of statistics beside the same figures made at once, on a dictionary that can be seen through."""

import pytest
import torch

from saelab.viewers import latent_activations, latent_statistics
from saelab.viewers._statistics import EDGES


class Plain:
    """A dictionary that takes a token's activations as its latents."""

    d_sae = 6

    def encode(self, x):
        return x


class Table:
    """A lab whose activations are a fixed row for each token."""

    def __init__(self, dead=()):
        self.rows = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).relu()
        self.rows[:, list(dead)] = 0

    def dictionary(self, site):
        return Plain()

    def activations(self, site, tokens):
        return self.rows[tokens].clone()


def text(n=40, length=24, seed=0):
    return torch.randint(0, 50, (n, length), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def read():
    tokens = text()
    return tokens, latent_activations(Table(), "site", tokens), latent_statistics(Table(), "site", tokens, radius=3)


def test_density_maximum_mean_and_histogram_are_those_of_all_tokens_at_once(read):
    tokens, f, statistics = read
    flat = f[:, 1:].flatten(0, 1)
    assert statistics.tokens == len(flat)
    torch.testing.assert_close(statistics.density, (flat > 0).float().mean(0))
    torch.testing.assert_close(statistics.maximum, flat.max(0).values)
    torch.testing.assert_close(statistics.mean, flat.sum(0) / (flat > 0).sum(0))
    for i in range(6):
        values = flat[:, i][flat[:, i] > 0]
        inside = torch.histogram(values.clamp(EDGES[0], EDGES[-1]), EDGES).hist
        torch.testing.assert_close(statistics.histogram[i].float(), inside)


def test_top_contexts_are_each_sequences_peak_strongest_first_and_none_overlap(read):
    tokens, f, statistics = read
    peaks = f.max(1).values.T.sort(descending=True).values[:, :20]
    torch.testing.assert_close(statistics.top.values[:, :, 3], peaks)
    for row in range(6):
        assert len(set(statistics.top.sequence[row].tolist())) == 20
        for k in range(20):
            n, at = int(statistics.top.sequence[row, k]), int(statistics.top.position[row, k])
            window, values = statistics.top.tokens[row, k], statistics.top.values[row, k]
            inside = window >= 0
            there = slice(max(at - 3, 0), at + 4)
            assert window[inside].tolist() == tokens[n, there].tolist()
            torch.testing.assert_close(values[inside], f[n, there, row])


def test_batches_of_any_size_give_the_same_figures(read):
    tokens, _, whole = read
    parts = latent_statistics(Table(), "site", iter(tokens.split(7)), radius=3)
    for name in ("density", "maximum", "mean", "histogram", "cofiring", "density_all"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))
    torch.testing.assert_close(parts.top.values[..., 3], whole.top.values[..., 3])


def test_intervals_go_down_and_hold_only_firings(read):
    *_, statistics = read
    groups = statistics.intervals(2, 4)
    assert [low for low, *_ in groups] == sorted((low for low, *_ in groups), reverse=True)
    assert all(low > 0 and low <= high and windows for low, high, windows in groups)
    assert all(groups[i][0] >= groups[i + 1][1] for i in range(3))


def test_cofiring_counts_pairs_and_its_null_is_about_what_independence_gives(read):
    _, f, statistics = read
    on = (f[:, 1:] > 0).flatten(0, 1).float()
    torch.testing.assert_close(statistics.cofiring, on.T @ on)
    expected = torch.outer(on.sum(0), on.sum(0)) / len(on)
    assert ((statistics.cofiring_null - expected).abs() < 6 * expected.sqrt()).all()


def test_a_chosen_few_latents_get_the_figures_they_have_among_all(read):
    tokens, _, whole = read
    some = latent_statistics(Table(), "site", tokens, latents=[4, 1], radius=3)
    torch.testing.assert_close(some.density, whole.density[[4, 1]])
    torch.testing.assert_close(some.cofiring, whole.cofiring[[4, 1]])
    assert some.row(1) == 1
    with pytest.raises(ValueError, match="no latent 0"):
        some.row(0)


def test_a_dead_latent_and_a_single_short_sequence_are_fine():
    statistics = latent_statistics(Table(dead=[3]), "site", text(1, 2))
    assert statistics.density[3] == 0 and statistics.mean[3].isnan() and not statistics.top.found[3].any()
    assert statistics.intervals(3) == [] and statistics.top.of(3) == []


def test_equal_windows_are_shown_once():
    tokens = text(1).repeat(10, 1)
    assert len(latent_statistics(Table(), "site", tokens).top.of(0)) == 1


def test_no_text_wrong_latents_and_nan_are_told():
    with pytest.raises(ValueError, match="no text to read"):
        latent_statistics(Table(), "site", [])
    with pytest.raises(ValueError, match="latents 0 to 5"):
        latent_statistics(Table(), "site", text(), latents=[6])
    lab = Table()
    lab.rows[7] = torch.nan
    with pytest.raises(ValueError, match="nan or infinity"):
        latent_statistics(lab, "site", text())
