"""Which tokens does a latent promote, and how likely do they become?"""

import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 sums in another order


def a_model(rng, n_latents=6, d_model=10, d_vocab=17):  # W_dec, gain, W_U: rows of all lengths, means that are not 0
    W_dec = (rng.normal(n_latents, d_model) + 0.5) * rng.uniform(n_latents, 1, low=0.3, high=3.0)
    return W_dec, rng.normal(d_model) + 1, rng.normal(d_model, d_vocab) + rng.normal(d_model, 1)


def test_the_logits_are_those_of_a_small_step_through_the_layer_norm(latent_logits, rng):
    "Take x, add a little of a unit direction, and look at LayerNorm and W_U before and after: differences of logits."
    W_dec, gain, W_U = (part.double() for part in a_model(rng))
    x, step = 5 * torch.linspace(-1, 1, 10, dtype=torch.double)[rng.permutation(10)], 1e-6
    v = W_dec / W_dec.norm(dim=1, keepdim=True)
    sigma = x.std(correction=0)

    def stream(x):  # LayerNorm with its scale held, and the bias that every model has
        return ((x - x.mean(dim=-1, keepdim=True)) / sigma * gain + 0.3) @ W_U

    change = (stream(x + step * v) - stream(x)) / step * sigma
    assert_close(latent_logits(W_dec, gain, W_U), change - change.mean(dim=1, keepdim=True), atol=1e-5, rtol=1e-4)


def test_a_number_added_to_all_entries_of_a_row_changes_nothing_but_its_length(latent_logits, rng):
    "LayerNorm subtracts the mean, and *then* multiplies with the gain. The rows' new lengths still count."
    W_dec, gain, W_U = a_model(rng)
    moved = W_dec + rng.normal(6, 1)
    ratio = W_dec.norm(dim=1, keepdim=True) / moved.norm(dim=1, keepdim=True)
    assert_close(latent_logits(moved, gain, W_U), ratio * latent_logits(W_dec, gain, W_U), **CLOSE)


def test_a_direction_with_equal_entries_changes_nothing_and_neither_does_a_row_of_zeros(latent_logits, rng):
    "All zeros, not nan, for rows 1 and 3; the other rows have logits, and the same ones as without these two."
    W_dec, gain, W_U = a_model(rng)
    W_dec[1], W_dec[3] = rng.normal(1), 0.0
    got, kept = latent_logits(W_dec, gain, W_U), [0, 2, 4, 5]
    assert_close(got[[1, 3]], torch.zeros(2, 17), **CLOSE)
    assert_close(got[kept], latent_logits(W_dec[kept], gain, W_U), **CLOSE)
    assert got[kept].abs().amax(dim=1).min() > 1e-3, f"The other rows should have logits; got {got[kept]}."


def test_a_row_made_longer_or_turned_round_keeps_its_table_or_turns_it_round(latent_logits, reference, rng):
    "Only the direction counts: each row becomes a unit vector *first*, by itself. Turned round, it promotes the rest."
    W_dec, gain, W_U = a_model(rng)
    size = torch.tensor([1e-3, 0.5, 2.0, -1.0, -3.0, 1e3])[:, None]
    assert_close(
        latent_logits(W_dec * size, gain, W_U), size.sign() * reference.latent_logits(W_dec, gain, W_U), **CLOSE
    )


def test_promoted_means_above_the_average_token(latent_logits, rng):
    "Give all tokens the same push in W_U: only differences count. Over which axis is the last mean taken?"
    W_dec, gain, W_U = a_model(rng)
    got = latent_logits(W_dec, gain, W_U)
    assert_close(latent_logits(W_dec, gain, W_U + 3 * rng.normal(10, 1)), got, atol=1e-4, rtol=1e-3)
    alone = latent_logits(W_dec[:1], gain, W_U)
    assert_close(alone, got[:1], **CLOSE)
    assert alone.abs().max() > 1e-3, f"A latent that is alone has a table too; got {alone}."


def test_the_logits_can_be_trained_through(latent_logits, reference, rng):
    "Gradients flow back to W_dec, the gain and W_U."
    given = a_model(rng, 3)
    for got, expected in zip(gradients(latent_logits, *given), gradients(reference.latent_logits, *given)):
        assert_close(got, expected, atol=1e-5, rtol=1e-3)


def test_the_table_runs_from_the_most_promoted_token_to_the_most_suppressed(vocab_df, rng):
    "Row by row: the logits fall, with their signs, and the token is the one that has this logit."
    logits, base = rng.normal(20), 2 * rng.normal(20)
    token, logit, _ = vocab_df(logits, base, 0.7)
    order = logits.sort(descending=True).indices
    assert_close(logit, logits[order], **CLOSE)
    assert_close(token.long(), order)


def test_with_size_0_the_probabilities_are_those_of_the_base(vocab_df, rng):
    "The latent adds nothing then. How likely a token is has no influence on its row."
    logits, base = rng.normal(12), 3 * rng.normal(12)
    prob = vocab_df(logits, base + rng.normal(1), 0.0)[2]
    assert_close(prob, base.softmax(dim=0)[logits.argsort(descending=True)], **CLOSE)


def test_odds_change_by_size_times_the_difference_of_logits(vocab_df, rng):
    "log(p / p of the base), row by row, is size · logit and a constant. Is size used, and for the latent only?"
    logits, base = rng.normal(12), 3 * rng.normal(12)
    order = logits.argsort(descending=True)
    for size in (0.3, 2.5):
        prob = vocab_df(logits, base, size)[2]
        odds = prob.log() - base.log_softmax(dim=0)[order] - size * logits[order]
        assert_close(odds - odds[0], torch.zeros(12), atol=1e-4, rtol=1e-4)
        assert_close(prob.sum(), torch.tensor(1.0), **CLOSE)


def test_a_base_that_is_sure_gives_probabilities_and_not_nan(vocab_df, rng):
    "Logits hundreds apart, or all far from 0: is it a softmax that is safe there?"
    logits, order = rng.normal(8), rng.permutation(8)
    for base in (500 * (order == 3).float(), rng.normal(8) - 800, rng.normal(8) + 800):
        prob = vocab_df(logits, base, 0.5)[2]
        expected = (base + 0.5 * logits).double().softmax(dim=0)[logits.argsort(descending=True)]
        assert_close(prob.double(), expected, atol=1e-3, rtol=1e-3)


def test_agrees_with_the_reference_on_random_models(latent_logits, vocab_df, reference, rng):
    "This tries everything at once, on several sizes and in both float types."
    for sizes, dtype in [((1, 3, 5), torch.float32), ((7, 16, 40), torch.float64), ((30, 8, 9), torch.float32)]:
        given = [part.to(dtype) for part in a_model(rng, *sizes)]
        expected = reference.latent_logits(*given)
        assert_close(latent_logits(*given), expected, **CLOSE)
        base = 2 * rng.normal(sizes[2]).to(dtype)
        for got, right in zip(vocab_df(expected[0], base, 1.5), reference(expected[0], base, 1.5)):
            assert_close(got.to(dtype), right.to(dtype), **CLOSE)
