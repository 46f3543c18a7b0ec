"""Does the reconstruction, and nothing else, take the place of the activation, and is the model whole afterwards?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import harm, recipe

CLOSE = {"atol": 1e-4, "rtol": 1e-4}  # float32 logits of order 1, batches cut differently
END = "blocks.1.hook_resid_post"


def given(
    rng, batch=3, d_in=32, **options
):  # a small model, a dictionary, tokens, a mask with False at BOS and elsewhere
    model = recipe("model.random", seed=rng.integer(0, 2**31), **options)
    sae = recipe("sae.random", d_in=d_in, d_sae=48, seed=rng.integer(0, 2**31))
    tokens, mask = (rng.uniform(batch, 7) * 50).long(), rng.uniform(batch, 7) < 0.6
    mask[:, 0], mask[0, 4:6] = False, torch.tensor([True, False])
    return model, sae, tokens, mask


def reconstructed(sae, x):
    return sae.decode(sae.encode(x.flatten(2))).reshape(x.shape)


def by_hand(model, sae, site, tokens, mask):
    def splice(x, hook):
        return torch.where(mask.reshape(*mask.shape, *[1] * (x.ndim - 2)), reconstructed(sae, x), x)

    return model.run_with_hooks(tokens, fwd_hooks=[(site, splice)], return_type="logits")


def test_a_mask_without_a_true_leaves_every_forecast_as_it_was(run_spliced, rng):
    "Nothing is spliced in where mask is False: what does your hook return there?"
    model, sae, tokens, mask = given(rng)
    for site in ("blocks.0.hook_resid_pre", END):
        assert_close(run_spliced(model, sae, site, tokens, mask & False), model(tokens), **CLOSE)


def test_at_the_end_of_the_model_a_token_is_forecast_from_its_own_reconstruction(run_spliced, rng):
    "After the last layer only LayerNorm and the unembedding are left. In the mask they read x̂, elsewhere x."
    model, sae, tokens, mask = given(rng)
    x = model.run_with_cache(tokens, names_filter=END)[1][END].detach()
    expected = model.unembed(model.ln_final(torch.where(mask[..., None], reconstructed(sae, x), x)))
    assert_close(run_spliced(model, sae, END, tokens, mask), expected, **CLOSE)


def test_a_splice_at_one_token_changes_it_and_those_after_it_and_none_before(run_spliced, rng):
    "The mask has one True. Tokens before it can't know of it; those after it read what was put there."
    model, sae, tokens, mask = given(rng, batch=1)
    at, site = rng.integer(2, 5), "blocks.0.hook_mlp_out"
    got = run_spliced(model, sae, site, tokens, torch.arange(7)[None] == at)
    assert_close(got[:, :at], model(tokens)[:, :at], **CLOSE)
    assert_close(got, by_hand(model, sae, site, tokens, torch.arange(7)[None] == at), **CLOSE)


@pytest.mark.parametrize("site", ["blocks.0.hook_resid_pre", "blocks.1.hook_mlp_out", "blocks.0.hook_resid_post"])
def test_later_layers_read_the_reconstruction_and_nothing_else(run_spliced, rng, site):
    "At the site that was named, in the place of x: neither beside it, nor a layer later."
    model, sae, tokens, mask = given(rng)
    assert_close(run_spliced(model, sae, site, tokens, mask), by_hand(model, sae, site, tokens, mask), **CLOSE)


def test_a_dictionary_at_hook_z_reads_the_heads_as_one_vector(run_spliced, rng):
    "There x is [batch, pos, head, d_head]. The dictionary takes head · d_head numbers; the model wants its shape back."
    (model, sae, tokens, mask), site = given(rng, n_heads=4), "blocks.0.attn.hook_z"
    assert_close(run_spliced(model, sae, site, tokens, mask), by_hand(model, sae, site, tokens, mask), **CLOSE)


def test_no_hook_stays_on_the_model_if_the_dictionary_raises(run_spliced, rng):
    "A dictionary of another width makes the run fail. Was the hook taken off by a line that was never reached?"
    model, sae, tokens, mask = given(rng, d_in=8)
    try:
        run_spliced(model, sae, END, tokens, mask)
    except Exception:  # whatever torch raises for shapes that don't fit
        assert not harm(model), f"The dictionary raised an error, and the call {harm(model)}."
    else:
        raise AssertionError("A dictionary of another width raises an error: it should come out, and logits came back.")
    model, sae, tokens, mask = given(rng)
    assert_close(run_spliced(model, sae, END, tokens, mask), by_hand(model, sae, END, tokens, mask), **CLOSE)


def test_a_hook_that_was_on_the_model_before_counts_and_stays(run_spliced, rng):
    "Its owner steers the model with a hook after layer 0. That belongs to the model: it has to work, and to stay."
    model, sae, tokens, mask = given(rng, steered=True)
    for site in ("blocks.0.hook_resid_post", "blocks.0.hook_resid_pre"):
        assert_close(run_spliced(model, sae, site, tokens, mask), by_hand(model, sae, site, tokens, mask), **CLOSE)


def test_a_misspelt_site_is_an_error(run_spliced, rng):
    "TransformerLens only warns of a hook point that doesn't exist: clean logits come back. Raise ValueError."
    model, sae, tokens, mask = given(rng)
    assert_close(run_spliced(model, sae, END, tokens, mask), by_hand(model, sae, END, tokens, mask), **CLOSE)
    for wrong in ("blocks.1.hook_resid_past", "blocks.7.hook_mlp_out"):
        try:
            run_spliced(model, sae, wrong, tokens, mask)
        except ValueError:
            continue
        raise AssertionError(f"The model has no hook point {wrong!r}: ValueError was expected, and logits came back.")


def test_the_rank_is_the_number_of_tokens_with_a_larger_logit(answer_rank, rng):
    "The logits are whole numbers in a random order, so that the rank can be read off: 0 for the largest."
    order = torch.stack([rng.permutation(11) for _ in range(20)]).reshape(4, 5, 11)
    last, answers = (rng.uniform(4) * 5).long(), rng.permutation(11)[:4]
    rank, _ = answer_rank(order.float(), last, answers)
    assert_close(rank, 10 - order[torch.arange(4), last, answers])


def test_equal_logits_are_not_larger(answer_rank, rng):
    "Several tokens share a logit. Only those above it count, not those beside it, nor the answer itself."
    steps = torch.stack([rng.permutation(12) // 3 for _ in range(6)])[:, None].float()  # 4 heights, 3 tokens each
    answers = (rng.uniform(6) * 12).long()
    rank, _ = answer_rank(steps, torch.zeros(6).long(), answers)
    assert_close(rank, (9 - 3 * steps[torch.arange(6), 0, answers]).long())


def test_the_probability_is_that_of_the_answer_at_the_prompts_own_last_token(answer_rank, rng):
    "One word has odds of e^gap against each of the others, at the prompt's last token; behind it stands padding."
    gap, last, answers = 4 * rng.uniform(5), (rng.uniform(5) * 4).long(), (rng.uniform(5) * 9).long()
    logits = rng.normal(5, 5, 9)
    logits[torch.arange(5), last] = rng.normal(5, 1) + gap[:, None] * torch.nn.functional.one_hot(answers, 9)
    _, probability = answer_rank(logits, last, answers)
    assert_close(probability, gap.exp() / (gap.exp() + 8), atol=1e-5, rtol=1e-4)


def test_agrees_with_the_reference_on_random_models(run_spliced, answer_rank, reference, rng):
    "This tries one sequence and four, other widths, and logits in float64."
    for batch, d_model, layers in [(1, 16, 1), (4, 24, 3)]:
        model, sae, tokens, mask = given(rng, batch, d_model, d_model=d_model, n_layers=layers)
        site = f"blocks.{layers - 1}.hook_resid_pre"
        logits = run_spliced(model, sae, site, tokens, mask)
        assert_close(logits, reference(model, sae, site, tokens, mask), **CLOSE)
        last, answers = (rng.uniform(batch) * 7).long(), (rng.uniform(batch) * 50).long()
        for given_logits in (logits, logits.double()):
            got, expected = (fn(given_logits, last, answers) for fn in (answer_rank, reference.answer_rank))
            assert_close(got[0], expected[0])
            assert_close(got[1], expected[1], atol=1e-5, rtol=1e-4)
