"""From a latent to what it says: the descriptions are the best there are, scored on tokens that chose nothing."""

import pytest
import torch

from saelab import scores
from saelab.scores.description import HOW


def made(seed=0, n=4000, factors=6):
    """Labels [n, factors], and a mask where the last factor is not asked for on half of the tokens."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.rand(n, factors, generator=g) < torch.linspace(0.05, 0.3, factors)
    asked = torch.ones_like(labels)
    asked[:, -1] = torch.rand(n, generator=g) < 0.5
    return labels, asked, g


def naive(yes, labels, asked, i, j, how):
    """F1 of one description, counted token by token."""
    a, b = labels[:, i], labels[:, j]
    working_a, working_b = a & asked[:, i], b & asked[:, j]
    true, working = {
        "": (a, working_a),
        "and": (a & b, working_a & working_b),
        "or": (a | b, working_a | working_b),
        "and not": (a & ~b, working_a & ~b),
    }[how]
    counted = working | ~true
    hits = (yes & working).sum()
    return float(2 * hits / ((yes & counted).sum() + working.sum()))


@pytest.mark.parametrize("how", HOW[1:])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_latent_that_says_a_pair_is_described_by_that_pair(how, seed):
    labels, asked, g = made(seed)
    a, b = labels[:, 2], labels[:, 5]
    says = {"and": a & b, "or": a | b, "and not": a & ~b}[how]
    latents = says[:, None] * (1 + torch.rand(len(labels), 1, generator=g))
    found = scores.describe(latents, labels)
    assert found.pair_f1.tolist() == [1.0] and HOW[found.how[0]] == how
    assert {*found.pair[0].tolist()} == {2, 5} and found.f1[0] < 0.9
    names = [f"factor {i}" for i in range(6)]
    assert found.said(0, names) in {f"factor 2 {how} factor 5", f"factor 5 {how} factor 2"}
    assert how != "and not" or found.said(0, names) == "factor 2 and not factor 5"


def test_f1_is_counted_on_the_other_half_with_idle_tokens_left_out():
    labels, asked, g = made(3)
    noisy = (labels[:, 5] & ~labels[:, 1]) ^ (torch.rand(len(labels), generator=g) < 0.05)
    latents = noisy[:, None] * torch.rand(len(labels), 1, generator=g).clamp(min=0.01)
    found = scores.describe(latents, labels, asked)
    half = torch.arange(len(labels)) >= len(labels) // 2
    fitted = latents[~half, 0]
    wanted = []
    for share in (1.0, 0.6, 0.3):
        strongest = fitted[fitted > 0].sort(descending=True).values
        threshold = strongest[max(1, int(share * len(strongest))) - 1]
        yes = latents[half, 0] >= threshold
        i, j = found.pair[0].tolist()
        wanted.append(naive(yes, labels[half], asked[half], i, j, HOW[found.how[0]]))
    assert any(abs(float(found.pair_f1[0]) - one) < 1e-6 for one in wanted)


def test_of_all_singles_and_pairs_the_best_on_the_fitting_half_is_chosen():
    labels, asked, g = made(5, n=2000)
    latents = (torch.rand(2000, 8, generator=g) < 0.1) * torch.rand(2000, 8, generator=g).clamp(min=0.01)
    latents[:, 0] = (labels[:, 3] & labels[:, 4]) * 1.0
    found = scores.describe(latents, labels, asked, least=10)
    half = torch.arange(2000) < 1000
    for row, latent in enumerate(found.latent.tolist()):
        values = latents[half, latent]
        strongest = values[values > 0].sort(descending=True).values
        singles = {
            (share, i): naive(
                values >= strongest[max(1, int(share * len(strongest))) - 1], labels[half], asked[half], i, i, ""
            )
            for share in (1.0, 0.6, 0.3)
            for i in range(6)
        }
        best = max(singles.values())
        assert max(singles[share, int(found.factor[row])] for share in (1.0, 0.6, 0.3)) == pytest.approx(best, abs=1e-6)
        tried, chosen = [best], []
        for share in (1.0, 0.6, 0.3):
            yes = values >= strongest[max(1, int(share * len(strongest))) - 1]
            pairs = [(i, j, how) for how in HOW[1:] for i in range(6) for j in range(6) if i != j]
            tried += [naive(yes, labels[half], asked[half], *pair) for pair in pairs]
            chosen.append(naive(yes, labels[half], asked[half], *found.pair[row].tolist(), HOW[found.how[row]]))
        assert max(chosen) == pytest.approx(max(tried), abs=1e-6)


def test_latents_that_hardly_fire_are_left_out():
    labels, _, _ = made(1)
    latents = torch.zeros(len(labels), 3)
    latents[::50, 1] = 1.0
    latents[0, 2] = 1.0
    assert scores.describe(latents, labels).latent.tolist() == [1]
    assert len(scores.describe(latents[:, :1] + latents[:, 2:], labels).latent) == 0
