"""Which of the diary's mistakes are still there?"""

import math

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import gradients

NEAR = {"atol": 1e-5, "rtol": 1e-4}  # float32, sums of up to 60 numbers of order 1: errors of about 1e-6
LENGTHS = {"no words": 0, "one word": 1, "just short enough": 6, "a word too long": 7, "much too long": 20}


def any_texts(rng, *lengths):  # rows, vocab (its numbers are neither small nor in order), and the rows' numbers
    words = ["<bos>", "<pad>", "<unk>", *(f" word{i}" for i in range(30))]
    vocab = {word: int(i) + 50 for word, i in zip(words, rng.permutation(900))}
    rows = [[f" word{rng.integer(0, 36)}" for _ in range(length)] for length in lengths]  # 30 … 35 are unknown
    return rows, vocab, [[vocab.get(word, vocab["<unk>"]) for word in row] for row in rows]


@pytest.mark.parametrize("case", LENGTHS)
def test_a_row_is_bos_then_the_numbers_of_the_words_then_padding(prepare, rng, case):
    "Look the numbers up in vocab. <bos> comes first and takes one of `length` places; what is too long is cut."
    rows, vocab, ids = any_texts(rng, LENGTHS[case], 3)
    before = [list(row) for row in rows], dict(vocab)
    tokens, _ = prepare(rows, vocab, 7)
    expected = [([vocab["<bos>"], *row] + [vocab["<pad>"]] * 7)[:7] for row in ids]
    assert_close(tokens.long(), torch.tensor(expected))
    assert (rows, vocab) == before, "Expected the caller's rows and vocab as they were before the call; they changed."


@pytest.mark.parametrize("case", LENGTHS)
def test_the_mask_is_true_at_the_words_only(prepare, rng, case):
    "The mask is about places, not numbers: it leaves out the first, and all behind the last word that was kept."
    rows, vocab, ids = any_texts(rng, LENGTHS[case], 4)
    for other in ({}, {"<pad>": ids[1][2], "<bos>": ids[1][2]}):  # many models pad with a token that texts have too
        _, mask = prepare(rows, vocab | other, 7)
        assert_close(mask, torch.tensor([[0 < t <= len(row) for t in range(7)] for row in rows]))


def test_a_recorder_keeps_the_rows_alone_and_without_history(Recorder, rng):
    "After one `write`, `kept` is a list with one tensor: the rows where the mask is True, and no history behind them."
    recorder, mask = Recorder(5), torch.tensor([[True, False, True], [False, False, True]])
    recorder.write(rng.normal(2, 3, 5).requires_grad_(), mask)
    kept = [tuple(getattr(rows, "shape", [type(rows).__name__])) for rows in recorder.kept]
    assert kept == [(3, 5)], f"Expected one tensor of shape (3, 5) in `kept` after one write of 3 rows, got {kept}."
    history = [rows.requires_grad for rows in recorder.kept]
    assert not any(history), "The rows in `kept` have requires_grad True: expected False."
    assert not recorder.read().requires_grad, "Expected rows with requires_grad False from `read`; they have True."


def test_each_recorder_has_a_list_of_its_own(Recorder, rng):
    "Two recorders share nothing: what one has kept, the other doesn't give back."
    first, second = Recorder(5), Recorder(5)
    first.write(rng.normal(2, 3, 5), torch.ones(2, 3, dtype=torch.bool))
    assert len(second.read()) == 0, "Only one of two recorders was written to; the other should give no rows back."
    assert len(first.read()) == 6, "6 rows were written into one of two recorders; it should give these back."


def test_a_recorder_gives_back_the_masked_rows_of_all_batches_in_order(Recorder, rng):
    "Give back all batches, whatever their size, but only where the mask is True. Reading takes nothing away."
    recorder, kept = Recorder(5), [torch.zeros(0, 5)]
    assert_close(recorder.read(), kept[0])
    for batch, length in [(2, 3), (1, 6), (4, 1), (3, 3)]:
        acts, mask = rng.normal(batch, length, 5), rng.uniform(batch, length) < (0.5 if batch < 4 else 0.0)
        recorder.write(acts, mask)
        kept += [acts[b, t][None] for b in range(batch) for t in range(length) if mask[b, t]]
    for _ in range(2):
        assert_close(recorder.read(), torch.cat(kept))
    acts = rng.normal(1, 2, 5)
    recorder.write(acts, torch.ones(1, 2, dtype=torch.bool))
    assert_close(recorder.read(), torch.cat([*kept, acts[0]]))


def test_every_latent_starts_with_a_random_decoder_row_of_length_one(initial, rng):
    "What does a latent write? A direction of length 1, and no direction is preferred."
    for d_in, d_sae in [(7, 11), (9, 4), (1, 3), (6, 4000)]:
        W = initial(d_in, d_sae, rng.integer(0, 999))[2].detach().double()
        assert_close(W.norm(dim=1), torch.ones(d_sae).double(), **NEAR)
    moments = [(W.mean(dim=0), 0, 0.41), (W.T @ W / 4000 - torch.eye(6) / 6, 0, 0.19), (W.pow(4).mean(), 3 / 48, 0.05)]
    for name, (got, expected, deviation) in zip(["mean", "covariance", "mean fourth power"], moments):
        gap = (got - expected).abs().max().item()  # `deviation`: the standard deviation of one summand
        assert gap < 7 * deviation / 4000**0.5, f"The {name} of 4000 rows is off by {gap:.3f} from random directions."


def test_every_latent_starts_by_reading_what_it_writes(initial, rng):
    "W_enc starts as the transpose of W_dec: the same numbers."
    W_enc, _, W_dec, _ = initial(5, 8, rng.integer(0, 999))
    assert_close(W_enc.detach(), W_dec.detach().T)


def test_biases_start_at_zero(initial, rng):
    "Nothing decodes to nothing, and nothing fires on nothing."
    for d_in, d_sae in [(6, 9), (9, 5), (1, 1)]:
        _, b_enc, _, b_dec = initial(d_in, d_sae, rng.integer(1, 999))
        assert_close(torch.cat([b_enc, b_dec]).detach(), torch.zeros(d_sae + d_in))


def test_the_seed_alone_decides_the_start(initial, rng):
    "The same seed gives the same numbers, whatever was drawn before; another seed gives others."
    seed = rng.integer(1, 999)
    first, again, other, zero = (initial(4, 7, s)[2].detach() for s in (seed, seed, seed + 1, 0))
    assert_close(again, first)
    for rows, name in [(other, seed + 1), (zero, 0)]:
        assert (rows != first).all(), f"Seeds {seed} and {name} should give other numbers; some or all are the same."


def test_one_latent_costs_its_activation_times_the_length_of_its_row(penalty, rng):
    "What a latent writes is as long as f times the length of its row, whatever the direction."
    f, direction = rng.uniform(1, 1, low=1.0, high=3.0), rng.rotation(6)[:1]
    for length in (0.0, 0.5, 1.0, 4.0):
        assert_close(penalty(f, length * direction), f.sum() * length, **NEAR)


def test_a_smaller_activation_on_a_longer_row_costs_the_same(penalty, rng):
    "Both write the same reconstruction. Does the penalty see the length of the decoder's rows?"
    f, W_dec, c = rng.uniform(5, 7), rng.normal(7, 3), rng.uniform(7, low=2.0, high=9.0)
    assert_close(penalty(f / c, W_dec * c[:, None]), penalty(f, W_dec), **NEAR)


def test_latents_that_are_off_and_copies_of_the_batch_change_no_penalty(penalty, rng):
    "Latents are summed over, samples averaged: which of the two did you take a mean of?"
    f, W_dec = rng.uniform(4, 5), rng.normal(5, 3)
    more_latents = torch.cat([f, torch.zeros(4, 8)], dim=1), torch.cat([W_dec, rng.normal(8, 3)])
    assert_close(penalty(*more_latents), penalty(f, W_dec), **NEAR)
    assert_close(penalty(f.repeat(3, 1), W_dec), penalty(f, W_dec), **NEAR)


def test_the_penalty_has_a_gradient_for_f_and_for_the_rows(penalty, rng):
    "The slope along f is the length of the row, along the row its direction times the mean f. Detach nothing."
    f, W_dec = rng.uniform(3, 6, low=0.1), rng.normal(6, 4)
    along_f, along_rows = gradients(penalty, f, W_dec)
    assert_close(along_f, W_dec.norm(dim=1).expand(3, 6) / 3, **NEAR)
    assert_close(along_rows, f.mean(dim=0)[:, None] * W_dec / W_dec.norm(dim=1, keepdim=True), **NEAR)


@pytest.mark.parametrize(
    "n, held_out, size",
    [(23, 5, 4), (20, 4, 4), (9, 0, 20), (30, 29, 3), (300, 100, 32)],
    ids=["a rest", "no rest", "one small batch", "one row", "many rows"],
)
def test_an_epoch_has_each_row_once_and_none_that_is_held_out(batches, rng, n, held_out, size):
    "An epoch has the first n − held_out rows and none behind. What doesn't fill a batch makes a smaller last one."
    for epoch in range(3):
        found = [torch.as_tensor(b).tolist() for b in batches(n, held_out, size, rng.integer(0, 99), epoch)]
        wrong = set(sum(found, [])) ^ set(range(n - held_out))
        assert not wrong, f"Rows that are there and should not, or the other way round: {sorted(wrong)[:9]}."
        expected = [min(size, n - held_out - start) for start in range(0, n - held_out, size)]
        assert [len(b) for b in found] == expected, f"Expected batches of {expected} rows, got {[*map(len, found)]}."


def test_each_seed_and_epoch_has_its_own_order_and_always_the_same(batches, rng):
    "What do the random numbers depend on? On both, the seed and the epoch, and on nothing that happened before."
    seed, orders = rng.integer(1, 99), {}
    for key in [(s, epoch) for s in (0, seed, seed + 1) for epoch in (0, 1, 2, 7)] + [(seed, 1)]:
        order = torch.cat([torch.as_tensor(b) for b in batches(120, 20, 8, *key)]).tolist()
        assert orders.get(key, order) == order, "Seed {} in epoch {} has another order the second time.".format(*key)
        same = [k for k in orders if orders[k] == order and k != key]
        assert not same, f"(seed, epoch) {same[0]} and {key} should have orders of their own; they have the same."
        orders[key] = order


def test_rows_are_shuffled_and_not_only_batches(batches, rng):
    "Rows that are neighbours in the harvest come from the same text; how many of them are still neighbours?"
    for epoch in (0, 1):
        rows = torch.cat([torch.as_tensor(b) for b in batches(400, 0, 20, rng.integer(0, 99), epoch)])
        pairs = int((rows.diff().abs() == 1).sum())  # 2 on average, and Poisson: 20 has a chance of 1e-13
        assert pairs < 20, f"In a random order of 400 rows about 2 neighbours stay together; here {pairs} do."


def any_prediction(rng, *words, length=6, vocab=9):  # logits, tokens, and a mask as `prepare` makes it
    tokens = (vocab * rng.uniform(len(words), length)).long()
    mask = torch.tensor([[0 < t <= n for t in range(length)] for n in words])
    return 3 * rng.normal(len(words), length, vocab), tokens, mask


def test_a_model_that_knows_nothing_has_a_loss_of_ln_v(model_loss, rng):
    "Equal logits give each of V tokens the probability 1/V, and −log of that is ln V, in nats."
    for vocab in (2, 9, 50):
        _, tokens, mask = any_prediction(rng, 4, 2, vocab=vocab)
        assert_close(model_loss(rng.normal(2, 6, 1).expand(2, 6, vocab), tokens, mask).item(), math.log(vocab), **NEAR)


def test_a_model_that_is_sure_and_right_has_a_loss_of_0(model_loss, rng):
    "One softmax, position t against token t + 1: the loss is near 0. A model that is sure and wrong pays the gap."
    _, tokens, mask = any_prediction(rng, 5, 3, 1)
    logits = 30.0 * torch.nn.functional.one_hot(tokens.roll(-1, dims=1), 9)
    assert_close(model_loss(logits, tokens, mask).item(), 0.0, atol=1e-4, rtol=0.0)
    assert_close(model_loss(10 * logits.roll(1, dims=2), tokens, mask).item(), 300.0, atol=1e-3, rtol=0.0)


def test_a_constant_added_to_all_logits_of_a_position_changes_nothing(model_loss, rng):
    "The softmax runs over the vocabulary, at each position separately."
    logits, tokens, mask = any_prediction(rng, 5, 3, 1)
    assert_close(model_loss(logits + 3 * rng.normal(3, 6, 1), tokens, mask), model_loss(logits, tokens, mask), **NEAR)


def test_only_predictions_of_words_count(model_loss, rng):
    "Which logits predict a word? Not those that stand before padding, and not the last ones."
    logits, tokens, mask = any_prediction(rng, 5, 3, 1)
    predicts = torch.cat([mask[:, 1:], torch.zeros(3, 1, dtype=torch.bool)], dim=1)
    others = torch.where(predicts[..., None], logits, 3 * rng.normal(3, 6, 9)), torch.where(mask, tokens, 8 - tokens)
    assert_close(model_loss(*others, mask), model_loss(logits, tokens, mask), **NEAR)
    slope = gradients(model_loss, logits, tokens, mask)[0]
    assert_close(slope.abs().sum(dim=-1) > 0, predicts)


def test_every_word_counts_the_same(model_loss, rng):
    "The mean is over all words at once, so a long text counts more than a short one."
    case = any_prediction(rng, 5, 1)
    long, short = (model_loss(*(a[b : b + 1] for a in case)) for b in (0, 1))
    assert_close(model_loss(*case), (5 * long + short) / 6, **NEAR)


def any_dictionary(rng, d_in=4, d_sae=7):  # W_enc, b_enc, W_dec, b_dec
    return rng.normal(d_in, d_sae), rng.normal(d_sae), rng.normal(d_sae, d_in), 3 * rng.normal(d_in)


def test_a_latent_that_reads_what_it_writes_scores_one_whatever_the_lengths(autopsy, rng):
    "It is a cosine: 1 for the same direction, −1 for the opposite one, however long the two are."
    _, b_enc, W_dec, b_dec = any_dictionary(rng)
    sign = 1.0 - 2.0 * (rng.permutation(7) < 3)
    columns = (W_dec * (sign * rng.uniform(7, low=0.01, high=20.0))[:, None]).T
    assert_close(autopsy(columns, b_enc, W_dec, b_dec), sign, **NEAR)


def test_a_latent_that_reads_at_right_angles_to_what_it_writes_scores_zero(autopsy, rng):
    "The vectors are at right angles. Compare each latent's column with its own row, not with the nearest one."
    Q = rng.rotation(5)
    assert_close(autopsy(Q.roll(2, dims=0).T * 2.0, rng.normal(5), Q * 3.0, rng.normal(5)), torch.zeros(5), **NEAR)


def test_biases_change_nothing(autopsy, rng):
    "Take decode(eᵢ) − decode(0): what is there without latent i is no part of what it writes."
    W_enc, b_enc, W_dec, b_dec = (x.double() for x in any_dictionary(rng))
    expected = autopsy(W_enc, 0 * b_enc, W_dec, 0 * b_dec)
    for b in (b_enc, b_enc - 100.0):
        assert_close(autopsy(W_enc, b, W_dec, b_dec), expected, **NEAR)


def test_a_latent_without_a_direction_scores_zero_and_disturbs_no_other(autopsy, rng):
    "What do you divide by where a column or a row is zero? A short one is a direction like any other."
    W_enc, b_enc, W_dec, b_dec = any_dictionary(rng)
    column, row = torch.tensor([1.0, 1, 1, 0, 1, 1 / 300, 1]), torch.tensor([[1.0], [0], [1], [0], [0], [1], [1 / 20]])
    expected = autopsy(W_enc, b_enc, W_dec, b_dec) * torch.tensor([1.0, 0, 1, 0, 0, 1, 1])
    assert_close(autopsy(W_enc * column, b_enc, W_dec * row, b_dec / 30), expected, **NEAR)


def test_agrees_with_the_reference_on_random_numbers(autopsy, penalty, model_loss, reference, rng):
    "This tries odd shapes, one sample, one latent, one dimension, double precision, and gradients."
    for k, (batch, d_sae, d_in) in enumerate([(1, 1, 1), (3, 8, 5), (1, 5, 8), (7, 60, 1), (6, 6, 6)]):
        cast = torch.Tensor.double if k % 2 else torch.Tensor.float
        parts = [cast(x) for x in any_dictionary(rng, d_in, d_sae)]
        assert_close(autopsy(*parts), reference(*parts), **NEAR)
        logits, *words = any_prediction(rng, *range(1, batch + 1), length=batch + 2, vocab=d_sae + 1)
        for fn, solved, args in [
            (penalty, reference.penalty, (cast(rng.uniform(batch, d_sae, low=0.1)), parts[2])),
            (model_loss, reference.model_loss, (cast(logits), *words)),
        ]:
            assert_close(fn(*args), solved(*args), **NEAR)
            for got, expected in zip(gradients(fn, *args), gradients(solved, *args)):
                assert_close(got, expected, **NEAR)
