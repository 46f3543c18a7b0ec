"""Do activations come out batch by batch, in order, with a mask beside them, and do a few sums carry on?"""

import math

import torch
from torch.testing import assert_close

from saelab.testing import recipe, runs

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32, batches cut differently
SITE = "blocks.1.hook_resid_pre"


def given(rng, n=5, length=6, d_in=32, trainable=False, **options):  # text with special tokens anywhere
    model = recipe("model.random", trainable=trainable, seed=rng.integer(0, 2**31), **options)
    sae = recipe("sae.random", d_in=d_in, d_sae=48, trainable=trainable, seed=rng.integer(0, 2**31))
    special, tokens = rng.permutation(50)[:3], (rng.uniform(n, length) * 50).long()
    return model, sae, torch.where(rng.uniform(n, length) < 0.3, special[tokens % 3], tokens), special


def by_hand(model, sae, site, tokens, latents):
    acts = torch.cat([model.run_with_cache(row[None], names_filter=site)[1][site] for row in tokens])
    return sae.encode(acts.flatten(2)).detach()[..., latents]


def test_each_sequence_comes_once_in_order_whatever_the_batch(get_feature_acts, rng):
    "The last batch may be shorter. And are the batches joined in the order in which they were read?"
    model, sae, tokens, special = given(rng)
    latents = rng.permutation(48)[:7]
    expected = by_hand(model, sae, SITE, tokens, latents)
    for batch_size in (2, 5, 9):
        assert_close(get_feature_acts(model, sae, SITE, tokens, latents, special, batch_size)[0], expected, **CLOSE)


def test_columns_are_the_latents_asked_for_in_that_order(get_feature_acts, rng):
    "Column i is latent latents[i]; a latent that is asked for twice comes twice."
    model, sae, tokens, special = given(rng, 3)
    everything = by_hand(model, sae, SITE, tokens, torch.arange(48))
    for latents in (rng.permutation(48)[:5], torch.tensor([3, 40, 3]), rng.permutation(48)):
        acts, _ = get_feature_acts(model, sae, SITE, tokens, latents, special, 3)
        assert_close(acts, everything[..., latents], **CLOSE)


def test_the_mask_is_false_at_special_tokens_wherever_they_stand(get_feature_acts, rng):
    "BOS may stand in the middle, padding on the left, and a text may begin without either. Compare ids, not positions."
    model, sae, tokens, special = given(rng)
    _, mask = get_feature_acts(model, sae, SITE, tokens, torch.tensor([1]), special, 3)
    expected = torch.tensor([[token not in special.tolist() for token in row] for row in tokens.tolist()])
    assert_close(mask, expected)


def test_at_special_tokens_activations_stay_what_they_are(get_feature_acts, rng):
    "Nothing was measured there that concerns text, and that is not the same as 0: the mask says so, acts stay."
    model, sae, tokens, special = given(rng, 3)
    tokens[:, 0] = special[0]
    acts, _ = get_feature_acts(model, sae, SITE, tokens, torch.arange(48), special, 2)
    assert_close(acts[:, 0], by_hand(model, sae, SITE, tokens, torch.arange(48))[:, 0], **CLOSE)


def test_model_and_dictionary_see_one_batch_at_a_time(get_feature_acts, rng):
    "Memory has to be that of one batch: what was the largest thing that the model ran on, and the dictionary encoded?"
    model, sae, tokens, special = given(rng, 7)
    for batch_size in (3, 2):
        get_feature_acts(model, sae, SITE, tokens, torch.arange(4), special, batch_size)
        told = f"7 sequences of 6 tokens, {batch_size} at a time"
        wanted = [tuple(part.shape) for part in tokens.split(batch_size)]
        assert runs(model) == wanted, f"{told}: the model should run on {wanted}, it ran on {runs(model)}."
        rows = max([math.prod(shape[:-1]) for shape in runs(sae)], default=0)
        most = f"the dictionary should encode at most {6 * batch_size} tokens at once, it was given {rows}."
        assert rows <= 6 * batch_size, f"{told}: {most}"


def test_heads_are_joined_at_hook_z(get_feature_acts, rng):
    "There the activation is [batch, pos, head, d_head], and the dictionary takes head · d_head numbers."
    (model, sae, tokens, special), site = given(rng, 3, n_heads=4), "blocks.0.attn.hook_z"
    acts, _ = get_feature_acts(model, sae, site, tokens, torch.arange(20), special, 2)
    assert_close(acts, by_hand(model, sae, site, tokens, torch.arange(20)), **CLOSE)


def test_a_hook_that_was_on_the_model_stays_and_its_work_is_seen(get_feature_acts, rng):
    "Its owner steers the model with a hook after layer 0. Removing all hooks would destroy somebody else's work."
    model, sae, tokens, special = given(rng, 3, steered=True)
    acts, _ = get_feature_acts(model, sae, "blocks.1.hook_resid_post", tokens, torch.arange(20), special, 2)
    assert_close(acts, by_hand(model, sae, "blocks.1.hook_resid_post", tokens, torch.arange(20)), **CLOSE)


def test_activations_have_no_history(get_feature_acts, rng):
    "Run model and dictionary under `torch.no_grad()`: otherwise a graph keeps everything alive that you let go of."
    model, sae, tokens, special = given(rng, 3, trainable=True)
    acts, _ = get_feature_acts(model, sae, SITE, tokens, torch.arange(20), special, 2)
    assert not acts.requires_grad, "All weights require gradients, the activations should not: requires_grad is True."
    assert_close(acts, by_hand(model, sae, SITE, tokens, torch.arange(20)), **CLOSE)


def some_acts(rng, n, length=5, latents=6):  # about half are off, a mask with holes
    acts, mask = rng.normal(n, length, latents).relu(), rng.uniform(n, length) < 0.6
    acts[0, 1], mask[0, 1] = 0, True  # a token at which nothing fires is a token
    return acts, mask


def test_batches_add_up_to_what_all_tokens_give_at_once(update_stats, rng):
    "Cut the same text differently: in one batch, or in three of different sizes. The four rows are the same."
    acts, mask = some_acts(rng, 7)
    f, stats = acts[mask], torch.zeros(4, 6)
    expected = torch.stack([torch.full((6,), float(len(f))), (f > 0).sum(dim=0).float(), f.sum(dim=0), f.amax(dim=0)])
    assert_close(update_stats(stats, acts, mask), expected, **CLOSE)
    for part in torch.arange(7).split([4, 1, 2]):
        stats = update_stats(stats, acts[part], mask[part])
    assert_close(stats, expected, **CLOSE)


def test_tokens_outside_the_mask_change_no_row(update_stats, rng):
    "Their activations may be anything, large ones too, and a batch may have no token that counts."
    (acts, mask), before = some_acts(rng, 4), 5 * rng.uniform(4, 6)
    wild = torch.where(mask[..., None], acts, 9 * rng.uniform(4, 5, 6))
    assert_close(update_stats(before, wild, mask), update_stats(before, acts, mask), **CLOSE)
    assert_close(update_stats(before, wild, mask)[0], before[0] + mask.sum(), **CLOSE)
    assert_close(update_stats(before, wild, mask & False), before, **CLOSE)


def test_the_last_row_is_the_larger_of_the_old_maximum_and_the_new(update_stats, rng):
    "One batch brings the record, another doesn't reach it. Neither forget the old one nor add the two."
    acts, mask = some_acts(rng, 4)
    largest = acts[mask].amax(dim=0)
    old = largest * torch.tensor([0.5, 2.0, 0.5, 2.0, 0.5, 2.0])[rng.permutation(6)] + 0.01
    assert_close(update_stats(old.expand(4, 6), acts, mask)[3], torch.maximum(old, largest), **CLOSE)


def test_agrees_with_the_reference_on_random_models(get_feature_acts, update_stats, reference, rng):
    "This tries one sequence of one token, other widths, and statistics in float64."
    for n, length, d_model, batch_size in [(1, 1, 16, 1), (4, 9, 24, 3)]:
        model, sae, tokens, special = given(rng, n, length, d_model, d_model=d_model, n_layers=1)
        arguments = (model, sae, "blocks.0.hook_mlp_out", tokens, rng.permutation(48)[:9], special, batch_size)
        got, expected = get_feature_acts(*arguments), reference(*arguments)
        assert_close(got[0], expected[0], **CLOSE)
        assert_close(got[1], expected[1])
        stats, acts = rng.uniform(4, 9).double(), got[0].double()
        assert_close(update_stats(stats, acts, got[1]), reference.update_stats(stats, acts, got[1]), **CLOSE)
