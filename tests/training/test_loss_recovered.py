"""What does the model lose when something else takes the place of an activation?"""

import math

import pytest
import torch
from torch.nn.functional import one_hot
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 sums in another order


def a_mask(rng):  # [3, 6]: padding to the right, to the left, a hole; 4, 2 and 2 predictions count
    rows = torch.tensor([[1, 1, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1], [1, 1, 0, 0, 1, 1]], dtype=torch.bool)
    return rows[rng.permutation(3)]


def test_a_model_that_knows_nothing_pays_log_of_the_vocabulary(next_token_loss, rng):
    "Equal logits, at whatever height, are a uniform forecast over the vocabulary. Its loss is log V, in nats."
    V = rng.integer(5, 20)
    logits, tokens = rng.normal(2, 4, 1).expand(2, 4, V), (rng.uniform(2, 4) * V).long()
    assert_close(next_token_loss(logits, tokens), torch.full((2, 3), math.log(V)), **CLOSE)


@pytest.mark.parametrize("gap", [20.0, 500.0], ids=["a gap of 20", "a gap of 500"])
def test_a_model_that_is_sure_pays_nothing_if_right_and_the_gap_if_wrong(next_token_loss, rng, gap):
    "One logit stands `gap` above all others. If it is right the loss is 0, if it is wrong it is the gap, and finite."
    tokens = rng.permutation(7)[None, :5]
    said = torch.where(torch.arange(5) == 2, tokens[:, :1], tokens.roll(-1, 1))  # wrong about token 3
    logits = gap * one_hot(said, 7) + rng.normal(1, 5, 1)
    assert_close(next_token_loss(logits, tokens), torch.tensor([[0.0, 0.0, gap, 0.0]]), atol=1e-4, rtol=1e-4)


def test_the_loss_pulls_the_forecast_to_the_next_token(next_token_loss, rng):
    "The gradient is the forecast, minus 1 at the token that came. The last logits forecast nothing: theirs is 0."
    logits, tokens = rng.normal(2, 4, 7), (rng.uniform(2, 4) * 7).long()
    expected = (logits.softmax(dim=-1) - one_hot(tokens.roll(-1, 1), 7)) * (torch.arange(4) < 3)[:, None]
    assert_close(gradients(next_token_loss, logits, tokens)[0], expected, **CLOSE)


def test_nothing_lost_gives_1_and_ablation_0_and_worse_less_than_0(loss_recovered, rng):
    "Spliced as clean gives 1, as ablated 0, worse by as much again −1, better than clean 2. Only *mean* losses count."
    mask, clean, harm = a_mask(rng), rng.uniform(3, 5), rng.uniform(3, 5, low=1.0, high=3.0)
    harm[:, 1] -= 3  # there ablation helps
    for times, expected in [(0, 1.0), (1, 0.0), (2, -1.0), (-1, 2.0)]:
        assert_close(loss_recovered(clean, clean + times * harm, clean + harm, mask), expected, **CLOSE)


def test_a_prediction_made_at_padding_or_about_padding_does_not_count(loss_recovered, rng):
    "Entry s was made at token s and is about token s + 1. Both must be in the mask, whichever side the padding is on."
    mask, clean, harm = a_mask(rng), rng.uniform(3, 5), rng.uniform(3, 5, low=1.0, high=3.0)
    given, wild = (clean, clean + rng.uniform(3, 5), clean + harm), 30 * rng.uniform(3, 3, 5)
    changed = [torch.where(mask[:, 1:] & mask[:, :-1], loss, other) for loss, other in zip(given, wild)]
    assert_close(loss_recovered(*changed, mask), loss_recovered(*given, mask), **CLOSE)


def test_the_three_means_come_first_and_the_ratio_last(loss_recovered, rng):
    "Ablation does little harm in one sequence and much in another. Take the three means first, over all predictions."
    mask, clean, lost, harm = a_mask(rng), rng.uniform(3, 5), rng.uniform(3, low=0.5), torch.tensor([0.2, 2.0, 6.0])
    n = (mask[:, 1:] & mask[:, :-1]).sum(dim=1)
    got = loss_recovered(clean, clean + lost[:, None], clean + harm[:, None], mask)
    assert_close(got, 1 - ((n * lost).sum() / (n * harm).sum()).item(), **CLOSE)


def test_where_ablation_does_no_harm_the_answer_is_nan(loss_recovered, rng):
    "If the ablated loss is not above the clean one, the ratio says nothing: the answer is nan."
    mask, clean = a_mask(rng), rng.uniform(3, 5)
    for ablated in (clean, clean - 0.1):
        got = loss_recovered(clean, clean + rng.uniform(3, 5), ablated, mask)
        assert math.isnan(got), f"Ablation lowered the loss, or left it: nan was expected, not {got:.3g}."


def test_kl_is_zero_for_equal_forecasts_and_every_token_counts_the_same(kl, rng):
    "A forecast has KL 0 from itself, whatever the height of its logits. And do only tokens in the mask count?"
    clean, spliced, mask = rng.normal(3, 6, 8), rng.normal(3, 6, 8), a_mask(rng)
    assert_close(kl(clean, clean + rng.normal(3, 6, 1), mask), torch.tensor(0.0), **CLOSE)
    joined = kl(clean[mask][None], spliced[mask][None], torch.ones(1, int(mask.sum())) > 0)
    assert_close(kl(clean, spliced, mask), joined, **CLOSE)


def test_kl_from_a_certainty_to_a_coin_is_log_2(kl, rng):
    "p is sure of one word, q a coin between two: KL is log 2. Exchange them, and it is half the gap minus log 2."
    shift, everywhere = rng.normal(2, 3, 1), torch.ones(2, 3) > 0
    for gap in (500.0, 20.0):
        sure, coin = (shift - gap * (torch.arange(9) > last) for last in (0, 1))
        assert_close(kl(sure, coin, everywhere), torch.tensor(math.log(2)), atol=1e-3, rtol=1e-4)
        assert_close(kl(coin, sure, everywhere), torch.tensor(gap / 2 - math.log(2)), atol=1e-3, rtol=1e-4)


def test_kl_pulls_the_spliced_forecasts_to_the_clean_ones(kl, rng):
    "The gradient of the spliced logits is q − p, divided by the number of tokens in the mask."
    clean, spliced, mask = rng.normal(3, 6, 8), rng.normal(3, 6, 8), a_mask(rng)
    expected = (spliced.softmax(dim=-1) - clean.softmax(dim=-1)) * mask[..., None] / mask.sum()
    assert_close(gradients(kl, clean, spliced, mask)[1], expected, **CLOSE)


def test_tokens_in_the_mask_become_their_mean_and_the_rest_stays(mean_ablation, rng):
    "All tokens in the mask get one vector, the mean of these and no others. What is not in the mask stays as it was."
    mask = a_mask(rng)
    acts = torch.where(mask[..., None], rng.normal(3, 6, 4) + 2, 9 + 9 * rng.uniform(3, 6, 4))
    got = mean_ablation(acts, mask)
    assert_close(got[mask], acts[mask].mean(dim=0).expand(int(mask.sum()), 4), **CLOSE)
    assert_close(got[~mask], acts[~mask], atol=0.0, rtol=0.0)


def test_agrees_with_the_reference_on_random_models(next_token_loss, loss_recovered, kl, mean_ablation, reference, rng):
    "This tries everything at once, in both float types, with one sequence and three."
    for batch, given in [(1, torch.float32), (3, torch.float64)]:
        (clean, spliced, ablated), mask = (3 * rng.normal(3, batch, 6, 8)).to(given), a_mask(rng)[:batch]
        tokens = (rng.uniform(batch, 6) * 8).long()
        losses = [reference.next_token_loss(logits, tokens) for logits in (clean, spliced, ablated)]
        assert_close(next_token_loss(clean, tokens), losses[0], **CLOSE)
        expected = reference(*losses, mask)
        assert_close(loss_recovered(*losses, mask), expected, equal_nan=True, atol=1e-4, rtol=1e-3)
        assert_close(kl(clean, spliced, mask), reference.kl(clean, spliced, mask), **CLOSE)
        assert_close(mean_ablation(clean, mask), reference.mean_ablation(clean, mask), **CLOSE)
