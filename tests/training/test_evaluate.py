"""How good is a dictionary: by its reconstructions, by its directions, and by the times at which it fires?"""

import torch
from torch.nn.functional import pad
from torch.testing import assert_close

CLOSE = {"atol": 2e-5, "rtol": 2e-4}  # float32 sums in another order


def a_run(rng, batch=3):  # x, x_hat, f, mask: sequences of unequal length, wild padding, no BOS, a mean, a dead latent
    x = rng.normal(batch, 7, 5) * torch.tensor([0.1, 0.3, 1.0, 2.0, 3.0]) + 2 * rng.normal(5)
    mask = (torch.arange(7) < torch.tensor([4, 7, 3])[:batch, None]) & (torch.arange(7) > 0)
    x_hat, f = x + rng.normal(batch, 7, 5) * torch.tensor([0.2, 1.0, 0.5])[:batch, None, None], rng.normal(batch, 7, 11)
    dead = torch.arange(11) == rng.integer(0, 11)
    return torch.where(mask[..., None], x, 9 * x), x_hat, torch.where(dead & mask[..., None], -f.abs(), f), mask


def test_fvu_is_0_for_x_and_1_for_its_mean_and_4_for_its_mirror_image(evaluate, rng):
    "x̂ = x, μ and 2μ − x have FVU 0, 1 and 4. μ is the mean over the tokens that count, above and below the line."
    x, _, f, mask = a_run(rng)
    for times in (0, 1, 2):
        assert_close(evaluate(x, x + times * (x[mask].mean(0) - x), f, mask)[1], float(times**2), **CLOSE)


def test_a_dimension_that_hardly_varies_hardly_counts(evaluate, rng):
    "Two dimensions with the same error; one varies much, one little. FVU is one ratio of two sums, not a mean of two."
    much, little, off = (rng.uniform(1, low=a, high=b).item() for a, b in [(3, 4), (0.2, 0.3), (0.5, 1)])
    x = torch.tensor([[[much, little], [-much, little]], [[much, -little], [-much, -little]]]).repeat(1, 2, 1)
    x *= torch.tensor([1.0, 1.0, 2.0, 2.0])[:, None]
    got = evaluate(x + 5.0, x + 5.0 + off, rng.normal(2, 4, 3), torch.ones(2, 4) > 0)[1]
    assert_close(got, 2 * 8 * off**2 / (20 * (much**2 + little**2)), **CLOSE)


def test_only_tokens_in_the_mask_count_and_all_count_the_same(evaluate, rng):
    "Cut them out and join them into one sequence: nothing may change."
    *given, mask = a_run(rng)
    joined = evaluate(*(part[mask][None] for part in given), torch.ones(1, int(mask.sum())) > 0)
    for got, expected in zip(evaluate(*given, mask), joined):
        assert_close(got, expected, **CLOSE)


def test_a_latent_is_on_where_it_is_above_zero_however_faint(evaluate, rng):
    "0.001 is on; 0 and below is off. Frequency and dead are fractions, L0 a number of latents. Padding doesn't count."
    x, x_hat, f, mask = a_run(rng)
    on = (rng.uniform(*f.shape) < rng.uniform(11, high=0.9)) & (torch.arange(11) < 8) | ~mask[..., None]
    on[0, 1] = False  # a token without any
    on[1, 1, 8] = True  # once only
    on[1, 1, 7] ^= on[mask].sum() % 11 == 0  # so that L0, a mean over 11 tokens, is no whole number
    f = torch.where(on, torch.where(f > 0, f, 1e-3), -f.relu())
    l0, _, dead, frequency = evaluate(x, x_hat, f, mask)
    assert_close(frequency, on[mask].float().mean(dim=0), **CLOSE)
    assert_close(l0, frequency.sum().item(), **CLOSE)
    assert_close(dead, (~on[mask].any(0)).sum().item() / 11, **CLOSE)


def test_true_directions_in_any_order_and_of_any_length_have_mcc_1(mcc, rng):
    "MCC is 1: cosines compare directions only, on both sides, and latents that are left over do no harm."
    truth, size = rng.normal(4, 6), 10 ** rng.uniform(9, 1, low=-3.0)
    size[0] = 1e-3
    W = torch.cat([truth, 3 * rng.normal(5, 6)]) * size
    assert_close(mcc(W[rng.permutation(9)], truth * size[5:]), 1.0, **CLOSE)


def test_no_latent_serves_two_features_and_a_feature_without_one_counts_zero(mcc, rng):
    "k features found of n orthogonal ones are k/n: copies don't help, nor does a row of zeros, nor leaving rows out."
    truth, k = rng.rotation(6), rng.integer(2, 5)
    for rest in (truth[:1].expand(6 - k, 6), torch.zeros(6 - k, 6), truth[:0]):
        assert_close(mcc(torch.cat([truth[:k], rest]), truth), k / 6, **CLOSE)


def test_the_best_matching_need_not_hold_the_best_pair(mcc, rng):
    "Cosines 0.8 and 0.6 for one latent, 0.7 and 0 for the other: which pairs give the larger sum?"
    a, turn = rng.uniform(1, low=0.65, high=0.75).item(), rng.rotation(3)
    W = torch.tensor([[0.8, 0.6, 0.0], [a, 0.0, (1 - a * a) ** 0.5]])[rng.permutation(2)]
    assert_close(mcc(W @ turn, turn[:2]), (a + 0.6) / 2, **CLOSE)


def test_a_latent_that_points_backwards_has_found_nothing(mcc, rng):
    "Orthogonal directions turned round can be paired at right angles, for 0. A single one has only cosine −1."
    truth = rng.rotation(5)
    assert_close(mcc(-truth, truth), 0.0, **CLOSE)
    assert_close(mcc(-2 * truth[:1], truth[:1]), -1.0, **CLOSE)


def test_f1_needs_both_precision_and_recall(best_f1, rng):
    "Always on, it finds all: F1 2p / (1 + p) at a share p. A latent that misses a few and is always right beats that."
    order, n = rng.permutation(20), torch.tensor([rng.integer(6, 10), rng.integer(10, 19), 20])
    some = n[0] - 1
    labels, f = (torch.arange(20)[:, None] < last for last in (n, torch.stack([n[2], n[2] // 20, some])))
    f = f * rng.uniform(20, 3, low=0.1) * 1000.0 ** (torch.arange(20)[:, None] == 19)  # how strongly does not matter
    assert_close(best_f1(f[order], labels[order]), torch.maximum(2 * n / (20 + n), 2 * some / (some + n)), **CLOSE)


def test_dead_latents_change_nothing(best_f1, rng):
    "The F1 of a latent that never fires is 0, not 0/0, and one good latent is enough for a factor."
    f, labels = rng.normal(40, 6), rng.uniform(40, 3) < 0.15
    labels[0] = True
    dead = -rng.uniform(40, 2) * torch.cat([labels[:, :1], rng.uniform(40, 1) < 0.5], dim=1)
    assert_close(best_f1(torch.cat([f, dead], dim=1), labels), best_f1(f.relu() / 1000, labels), **CLOSE)
    right = labels * rng.uniform(40, 1, low=1e-3)
    assert_close(best_f1(torch.cat([dead, right], dim=1), labels), torch.ones(3), **CLOSE)
    never = torch.cat([dead, (~labels.any(dim=1, keepdim=True)).float()], dim=1)  # on, but at other times
    assert_close(best_f1(never, labels), torch.zeros(3), **CLOSE)


def test_a_factor_that_is_never_true_gets_nan(best_f1, rng):
    "There was nothing to find, so the answer is nan, whatever the latents do; the other factors keep their F1."
    f, labels = rng.normal(15, 4), torch.arange(15)[:, None] < torch.tensor([3, 9])
    for latents in (f, f - 9):
        found = best_f1(latents, pad(labels, (0, 1)))
        assert_close(found, torch.cat([best_f1(latents, labels), torch.tensor([torch.nan])]), equal_nan=True, **CLOSE)


def test_agrees_with_the_reference_on_random_dictionaries(evaluate, mcc, best_f1, reference, rng):
    "This tries everything at once, in both float types, with one sequence and three, with few latents and many."
    for batch, d_sae in [(1, 3), (3, 11)]:
        *given, mask = a_run(rng, batch)
        for kind in (torch.float32, torch.float64):
            x, x_hat, f = (part.to(kind) for part in given)
            W, truth, labels = f[0, :, :d_sae].T, x_hat[0, :5, :].T @ rng.normal(5, 7).to(kind), x[mask] > 1
            for got, expected in zip(evaluate(x, x_hat, f, mask), reference(x, x_hat, f, mask)):
                assert_close(got, expected, **CLOSE)
            assert_close(mcc(W, truth), reference.mcc(W, truth), **CLOSE)
            assert_close(best_f1(f[mask], labels), reference.best_f1(f[mask], labels), equal_nan=True, **CLOSE)
