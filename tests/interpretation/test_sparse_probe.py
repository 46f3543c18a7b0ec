"""Is it the right few latents, chosen and trained on the training tokens, and tested on the others?"""

import torch
from torch.testing import assert_close

NEAR = {"atol": 0.02, "rtol": 0.0}  # an AUC moves in steps when scores change a little


def pairs_won(score, y):
    a, b = score[y][:, None], score[~y][None]
    return ((a > b).double() + 0.5 * (a == b).double()).mean().item()


def gradient(x, y, ridge, w, b):  # of L, at (w, b)
    wrong = ((x.double() @ w.double() + b.double()).sigmoid() - y.double()) / len(x)
    return torch.cat([x.double().T @ wrong + ridge * w.double(), wrong.sum()[None]])


def cloud(rng, n=40, feats=3):  # numbers of which some tell y, a little
    x = rng.normal(n, feats) * rng.uniform(feats, low=0.5, high=2.0)
    return x, x @ rng.normal(feats) + rng.normal(n) + 0.7 * rng.normal(1) > 0.3 * rng.normal(1)


def halves(rng, n):  # train, test, and a few tokens in neither
    place = rng.permutation(n)
    return place < 2 * n // 5, place >= 3 * n // 5


def some_latents(rng, n=150, d_sae=7):  # latents that tell y by different amounts, up or down, in units of their own
    y = rng.uniform(n) < rng.uniform(1, low=0.4, high=0.6)
    steps = torch.linspace(2.5, 0.0, d_sae)[rng.permutation(d_sae)] * torch.where(rng.uniform(d_sae) < 0.5, -1.0, 1.0)
    return (rng.normal(n, d_sae) + y[:, None] * steps) * 2.0 ** torch.arange(-3, d_sae - 3)[rng.permutation(d_sae)], y


def test_auc_is_the_share_of_pairs_in_the_right_order(auc, rng):
    "Each true token meets each false one. Rare or frequent, near 0 or far from it: only the order counts."
    got, expected = [], []
    for n in (12, 12, 30, 30):
        score, y = 3 * rng.normal(n) + 2 * rng.normal(1), rng.permutation(n) < rng.integer(3, n - 2)
        got += [auc(score, y), auc(10 * score + 1, y)]
        expected += 2 * [pairs_won(score, y)]
    assert_close(got, expected, atol=1e-6, rtol=0)


def test_equal_scores_count_half(auc, rng):
    "A latent is 0 at most tokens, so ties are the rule: each such pair counts half."
    some = [((rng.normal(n).relu() * 2).round(), rng.permutation(n) < n // 3) for n in (12, 20, 33)]
    assert_close([auc(*given) for given in some], [pairs_won(*given) for given in some], atol=1e-6, rtol=0)


def test_a_score_with_the_wrong_sign_has_an_auc_below_a_half(auc, rng):
    "Turn the score round, and the AUC becomes 1 minus what it was; without one of the two kinds it is nan."
    y = rng.permutation(15) < rng.integer(4, 11)
    some = [y * step + rng.normal(15) for step in (0.5, 1.0, 1.5)]
    got = [[auc(score, y), auc(-score, y), auc(score, ~y)] for score in some]
    expected = [[won, 1 - won, 1 - won] for won in (pairs_won(score, y) for score in some)]
    assert_close(got, expected, atol=1e-6, rtol=0)
    alone = auc(some[0], y | True)
    assert alone != alone, "With true tokens only there are no pairs: nan was expected."


def test_at_the_minimum_the_loss_has_no_slope(logistic_probe, rng):
    "The gradient: the mean of (p − y) x, plus ρ w for the weights; the mean of p − y for the bias."
    for n, feats, ridge in [(40, 3, 0.1), (25, 1, 0.5), (60, 5, 0.02)]:
        x, y = cloud(rng, n, feats)
        y[:2] = torch.tensor([True, False])
        w, b = logistic_probe(x, y, ridge)
        slope = gradient(x, y, ridge, w, b).abs().max().item()
        assert slope < 2e-3, f"With ridge {ridge}, the gradient of L at your w and b has an entry of size {slope:.4f}."


def test_where_no_number_tells_anything_the_bias_gives_the_frequencies(logistic_probe, rng):
    "x is 0 everywhere: w stays 0, and b is the log of true over false, however large ρ is."
    for n, ridge in [(20, 0.01), (31, 2.0)]:
        y = rng.permutation(n) < rng.integer(2, n - 2)
        w, b = logistic_probe(torch.zeros(n, 3), y, ridge)
        assert_close(w, torch.zeros(3), atol=1e-3, rtol=0)
        assert_close(b, (y.sum() / (~y).sum()).log(), atol=1e-2, rtol=0)


def test_the_latents_with_the_largest_g_are_chosen_up_or_down(sparse_probe, rng):
    "|g| on the training tokens decides: means apart, in units of the deviation. The largest comes first."
    for k in (1, 3, 7):
        f, y = some_latents(rng)
        train, test = halves(rng, len(y))
        g = (f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)) / f[train].std(dim=0)
        chosen, _ = sparse_probe(f, y, train, test, k)
        assert_close(chosen.long(), g.abs().argsort(descending=True)[:k])


def test_the_test_tokens_have_no_say_in_the_choice(sparse_probe, rng):
    "On the test tokens other latents look best. Choice and probe must be those of the training tokens."
    f, y = some_latents(rng)
    train, test = halves(rng, len(y))
    g = (f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)) / f[train].std(dim=0)
    worst = g.abs().argmin()
    f[:, worst] += 50 * f[train][:, worst].std() * (y & test)
    for k in (1, 2, 4):
        chosen, _ = sparse_probe(f, y, train, test, k)
        assert_close(chosen.long(), g.abs().argsort(descending=True)[:k])


def test_with_one_latent_the_auc_is_that_latents_own(sparse_probe, rng):
    "k is 1: the score is the latent, upside down where it falls with y in training. Its AUC on the test tokens counts."
    for _ in range(3):
        f, y = some_latents(rng, d_sae=4)
        train, test = halves(rng, len(y))
        g = (f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)) / f[train].std(dim=0)
        best = g.abs().argmax()
        _, value = sparse_probe(f, y, train, test, 1)
        assert_close(value, pairs_won(f[test, best] * g[best].sign(), y[test]), atol=1e-6, rtol=0)


def test_what_is_wrong_on_new_text_stays_wrong(sparse_probe, reference, rng):
    "With the test labels swapped, true for false, the same probe is wrong where it was right: 1 minus its AUC."
    for k in (1, 3):
        f, y = some_latents(rng)
        train, test = halves(rng, len(y))
        chosen, right = reference(f, y, train, test, k)
        got, value = sparse_probe(f, y ^ test, train, test, k)
        assert_close(got.long(), chosen)
        assert_close(value, 1 - right, **NEAR)


def test_tokens_in_neither_mask_count_for_nothing(sparse_probe, reference, rng):
    "Their latents and labels are changed beyond recognition: the choice and the AUC are what they were."
    for k in (2, 5):
        f, y = some_latents(rng)
        train, test = halves(rng, len(y))
        chosen, right = reference(f, y, train, test, k)
        neither = ~train & ~test
        got, value = sparse_probe(torch.where(neither[:, None], -90 * f, f), y ^ neither, train, test, k)
        assert_close(got.long(), chosen)
        assert_close(value, right, **NEAR)


def test_other_units_and_latents_that_stand_still_change_nothing(sparse_probe, reference, rng):
    "Each latent is multiplied by a number; one that doesn't vary in training is chosen last, and does no harm."
    f, y = some_latents(rng)
    train, test = halves(rng, len(y))
    chosen, right = reference(f, y, train, test, 7)
    still = torch.where(train, 3.0, 90 * rng.normal(len(y)))
    for given in (f, f * 4.0 ** torch.arange(-3, 4)[rng.permutation(7)]):
        got, value = sparse_probe(torch.cat([given, still[:, None]], dim=1), y, train, test, 8)
        assert_close(got.long(), torch.cat([chosen, torch.tensor([7])]))
        assert_close(value, right, **NEAR)


def test_the_probe_learns_from_the_training_tokens_alone(sparse_probe, reference, rng):
    "All latents are taken, so there is no choice. On the test tokens each tells y the other way round."
    for _ in range(2):
        f, y = some_latents(rng, d_sae=4)
        train, test = halves(rng, len(y))
        f[test] = -f[test]
        assert_close(sparse_probe(f, y, train, test, 4)[1], reference(f, y, train, test, 4)[1], **NEAR)


def test_agrees_with_the_reference_on_random_latents(auc, logistic_probe, sparse_probe, reference, rng):
    "This tries everything at once, in both float types."
    for dtype in (torch.float32, torch.float64):
        f, y = some_latents(rng)
        train, test = halves(rng, len(y))
        got, right = sparse_probe(f.to(dtype), y, train, test, 4, 0.1), reference(f.to(dtype), y, train, test, 4, 0.1)
        assert_close(got[0].long(), right[0])
        assert_close(got[1], right[1], **NEAR)
        assert_close(auc(f[:, 0].to(dtype), y), reference.auc(f[:, 0].to(dtype), y), atol=1e-6, rtol=0)
        x, y = cloud(rng, 50)
        y[:2] = torch.tensor([True, False])
        for got, right in zip(logistic_probe(x.to(dtype), y, 0.3), reference.logistic_probe(x.to(dtype), y, 0.3)):
            assert_close(got, right, atol=1e-2, rtol=0)
