"""Are latent, mean and probe learned on the same tokens, and tested on the others?"""

import torch
from torch.testing import assert_close

from saelab.testing import gradients

EXACT = {"atol": 1e-6, "rtol": 0.0}
NEAR = {"atol": 0.02, "rtol": 0.0}  # an AUC moves in steps when scores change a little
HOWS = ("latent", "diff_mean", "probe")


def pairs_won(score, y):
    a, b = score[y][:, None], score[~y][None]
    return ((a > b).double() + 0.5 * (a == b).double()).mean().item()


def some_tokens(rng, n=100, d_in=5, d_sae=8):  # activations, latents, a label, train, test; some are in neither
    labels = rng.uniform(n) < 0.4
    acts = rng.normal(n, d_in) + 3 * rng.normal(d_in) + labels[:, None] * rng.normal(d_in)
    steps = torch.cat([torch.linspace(0.0, 1.2, d_sae - 1), torch.tensor([3.5])])  # one is best by far
    f = (rng.normal(n, d_sae) + labels[:, None] * steps[rng.permutation(d_sae)]).relu()
    f = f * 2.0 ** (torch.arange(d_sae) % 8 - 3)
    place = rng.permutation(n)
    return acts, f, labels, place < 2 * n // 5, place >= 3 * n // 5


def test_the_direction_is_one_mean_minus_the_other(diff_mean, rng):
    "Mean where true, minus mean where false; however many there are of each, and with no change of length."
    for n, d_in in [(9, 4), (30, 2)]:
        acts, labels = 2 * rng.normal(n, d_in) + 3, rng.permutation(n) < n // 3
        true = sum(row for row, label in zip(acts, labels) if label) / (n // 3)
        false = sum(row for row, label in zip(acts, labels) if not label) / (n - n // 3)
        assert_close(diff_mean(acts, labels), true - false, atol=1e-5, rtol=1e-4)


def test_what_all_tokens_have_in_common_drops_out(diff_mean, rng):
    "Add the same vector to all activations: nothing changes. Add one to the true ones only: it is added to d."
    acts, labels, push = rng.normal(12, 6), rng.permutation(12) < 4, rng.normal(6)
    before = acts[labels].mean(dim=0) - acts[~labels].mean(dim=0)
    assert_close(diff_mean(acts + 4 * push, labels), before, atol=1e-4, rtol=1e-4)
    assert_close(diff_mean(acts + labels[:, None] * push, labels), before + push, atol=1e-5, rtol=1e-4)


def test_each_token_pulls_at_the_direction_by_its_share(diff_mean, rng):
    "One of 3 true tokens moves d by a third of its own move, one of 7 false ones by a seventh, the other way."
    acts, labels, weights = rng.normal(10, 4), rng.permutation(10) < 3, rng.normal(4)
    expected = torch.where(labels, 1 / 3, -1 / 7)[:, None] * weights
    (grad,) = gradients(lambda a: diff_mean(a, labels) @ weights, acts)
    assert_close(grad, expected, atol=1e-5, rtol=1e-4)


def test_the_best_latent_has_the_largest_auc(best_latent, rng):
    "Latents have units of their own, and ties at 0: the share of pairs in the right order decides, not the size."
    for _ in range(4):
        _, f, labels, _, _ = some_tokens(rng)
        values = torch.tensor([pairs_won(column, labels) for column in f.T])
        got = best_latent(f, labels)
        assert got == values.argmax(), f"You chose latent {got}; the AUCs are {[round(v, 3) for v in values.tolist()]}."


def test_a_latent_that_is_off_where_the_label_is_true_is_not_the_best(best_latent, rng):
    "One latent is on exactly where the label is *false*: its AUC is 0. Another is right most of the time."
    for _ in range(4):
        _, f, labels, _, _ = some_tokens(rng)
        worst, good = rng.permutation(8)[:2]
        f[:, worst], f[:, good] = (~labels).float(), labels * rng.uniform(100) + (rng.uniform(100) < 0.2) * 1e-3
        values = torch.tensor([pairs_won(column, labels) for column in f.T])
        got = best_latent(f, labels)
        assert got == values.argmax(), f"You chose latent {got}; the AUCs are {[round(v, 3) for v in values.tolist()]}."


def test_a_latent_may_be_on_everywhere_and_stronger_where_true(best_latent, rng):
    "On or off tells nothing of this latent, its activation does; and another one is never wrong but mostly off."
    for _ in range(4):
        _, f, labels, _, _ = some_tokens(rng)
        dense, rare = rng.permutation(8)[:2]
        f[:, dense], f[:, rare] = 5 + 3 * labels + 0.5 * rng.normal(100), 0.0
        f[labels.nonzero()[0], rare] = 9.0
        values = torch.tensor([pairs_won(column, labels) for column in f.T])
        got = best_latent(f, labels)
        assert got == values.argmax(), f"You chose latent {got}; the AUCs are {[round(v, 3) for v in values.tolist()]}."


def test_the_latent_is_chosen_in_training_and_scored_on_the_test_tokens(compare, rng):
    "On the test tokens the best one of training is often off, and its runner-up is perfect. The first is asked."
    for _ in range(3):
        acts, f, labels, train, test = some_tokens(rng)
        by_auc = sorted(range(8), key=lambda latent: pairs_won(f[train, latent], labels[train]))
        chosen, lucky = by_auc[-1], by_auc[-2]
        f[test, lucky] = f.max() * labels[test]
        f[test, chosen] *= ~labels[test] | (rng.uniform(int(test.sum())) < 0.3)
        expected = pairs_won(f[test, chosen], labels[test])
        assert_close(float(compare(acts, f, labels, train, test)["latent"]), expected, **EXACT)


def test_the_means_are_those_of_the_training_tokens(compare, rng):
    "The test tokens are split along another direction. Their AUC along the training tokens' d is asked."
    for _ in range(3):
        acts, f, labels, train, test = some_tokens(rng)
        acts[test] += 5 * labels[test][:, None] * rng.normal(5)
        direction = acts[train & labels].mean(dim=0) - acts[train & ~labels].mean(dim=0)
        expected = pairs_won(acts[test] @ direction, labels[test])
        assert_close(float(compare(acts, f, labels, train, test)["diff_mean"]), expected, **NEAR)


def test_the_probe_reads_all_activations(compare, reference, rng):
    "It is a `sparse_probe` whose k is the number of coordinates, and its AUC is that of the test tokens."
    for _ in range(3):
        acts, f, labels, train, test = some_tokens(rng)
        acts[test] += labels[test][:, None] * rng.normal(5)
        expected = reference(acts, f, labels, train, test)["probe"]
        assert_close(float(compare(acts, f, labels, train, test)["probe"]), expected, **NEAR)


def test_what_is_wrong_on_new_text_stays_wrong(compare, reference, rng):
    "With the test labels swapped, true for false, each of the three becomes 1 minus what it was."
    acts, f, labels, train, test = some_tokens(rng)
    right, got = reference(acts, f, labels, train, test), compare(acts, f, labels ^ test, train, test)
    for how in HOWS:
        assert_close(float(got[how]), 1 - right[how], **NEAR)


def test_tokens_in_neither_mask_count_for_nothing(compare, reference, rng):
    "There activations, latents and labels are changed beyond recognition: all three results stay."
    acts, f, labels, train, test = some_tokens(rng)
    right, neither = reference(acts, f, labels, train, test), ~train & ~test
    changed = (torch.where(neither[:, None], -30 * given.flip(0), given) for given in (acts, f))
    got = compare(*changed, labels ^ neither, train, test)
    for how in HOWS:
        assert_close(float(got[how]), right[how], **NEAR)


def test_agrees_with_the_reference_on_random_tokens(compare, diff_mean, best_latent, reference, rng):
    "This tries everything at once, in both float types, and with more latents than tokens."
    for dtype, sizes in [(torch.float32, (60, 3, 70)), (torch.float64, (80, 6, 10))]:
        acts, f, labels, train, test = some_tokens(rng, *sizes)
        acts, f = acts.to(dtype), f.to(dtype)
        assert_close(diff_mean(acts, labels), reference.diff_mean(acts, labels), atol=1e-5, rtol=1e-4)
        assert best_latent(f, labels) == reference.best_latent(f, labels), "The two best latents differ."
        got, right = compare(acts, f, labels, train, test), reference(acts, f, labels, train, test)
        for how in HOWS:
            assert_close(float(got[how]), right[how], **NEAR)
