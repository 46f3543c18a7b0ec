"""Do contributions of words and heads add up to what the latent does, and are the shares shares?"""

import torch
from torch.testing import assert_close

from saelab.testing import gradients, recipe

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 sums of a few dozen terms, in another order
NAN = float("nan")


def attention(rng, batch=2, heads=3, pos=5, d_head=4, d_sae=6):  # a causal pattern, values, an encoder, a latent
    scores = rng.normal(batch, heads, pos, pos).masked_fill(torch.ones(pos, pos).triu(1).bool(), -torch.inf)
    return (
        scores.softmax(dim=-1),
        rng.normal(batch, pos, heads, d_head),
        rng.normal(heads * d_head, d_sae),
        rng.integer(0, d_sae),
    )


def contributions(rng, batch=2, pos=6, heads=3):  # nothing from later tokens; large and small queries; where it is on
    parts = rng.normal(batch, pos, pos, heads) + 0.7
    parts = parts * torch.ones(pos, pos).tril()[..., None] * rng.uniform(batch, pos, 1, 1, low=0.2, high=5.0)
    on = rng.uniform(batch, pos) < 0.5
    on[0, :3] = torch.tensor([True, False, True])[rng.permutation(3)]
    return parts, on


def test_the_contributions_of_a_query_add_up_to_what_the_encoder_reads_of_z(dfa, rng):
    "z is the heads' mixtures of values, one head after another. Sum over sources and heads: z times the column."
    for sizes in [(2, 3, 5, 4), (1, 4, 6, 2)]:
        pattern, v, W_enc, latent = attention(rng, *sizes)
        z = torch.einsum("bhqk,bkhd->bqhd", pattern, v).flatten(2)
        assert_close(dfa(pattern, v, W_enc, latent).sum(dim=(2, 3)), z @ W_enc[:, latent], **CLOSE)


def test_one_value_alone_contributes_where_it_is_read_by_its_head(dfa, rng):
    "Only one token has a value in one head. Each query gets weight times value times that head's piece of the column."
    pattern, v, W_enc, latent = attention(rng)
    k, h = rng.integer(0, 5), rng.integer(0, 3)
    alone = torch.zeros_like(v)
    alone[:, k, h] = v[:, k, h]
    expected = torch.zeros(2, 5, 5, 3)
    expected[:, :, k, h] = pattern[:, h, :, k] * (v[:, k, h] @ W_enc[4 * h : 4 * h + 4, latent])[:, None]
    assert_close(dfa(pattern, alone, W_enc, latent), expected, **CLOSE)


def test_a_head_that_looks_at_one_token_takes_that_tokens_value(dfa, rng):
    "Each head looks at a single source, another one for each query. What a word has to say may be negative."
    pattern, v, W_enc, latent = attention(rng)
    source = torch.stack([torch.arange(5) * rng.integer(0, 5) // 5 for _ in range(3)])  # head query
    looks = torch.nn.functional.one_hot(source, 5).float().expand(2, 3, 5, 5)
    got = dfa(looks, v, W_enc, latent)
    for h in range(3):
        expected = v[:, source[h], h] @ W_enc[4 * h : 4 * h + 4, latent]
        assert_close(got[:, torch.arange(5), source[h], h], expected, **CLOSE)


def test_gradients_reach_values_and_encoder(dfa, rng):
    "Contributions are products: the gradient of their sum is what the other factors are. Clamp and detach nothing."
    pattern, v, W_enc, latent = attention(rng)
    _, of_v, of_W, _ = gradients(dfa, pattern, v, W_enc, latent)
    w = W_enc[:, latent].view(3, 4)
    assert_close(of_v, pattern.sum(dim=2).transpose(1, 2)[..., None] * w, **CLOSE)
    z = torch.einsum("bhqk,bkhd->bqhd", pattern, v).flatten(2)
    assert_close(of_W[:, latent], z.sum(dim=(0, 1)), atol=1e-4, rtol=1e-4)


def test_with_the_constant_it_is_the_pre_activation_of_the_dictionary(pre_activation, rng):
    "The dictionary subtracts b_dec from z, multiplies by W_enc, adds b_enc; all before ReLU, so it may be negative."
    for _ in range(2):
        pattern, v, _, _ = attention(rng)
        sae, latent = recipe("sae.random", d_in=12, d_sae=9, seed=rng.integer(0, 2**31)), rng.integer(0, 9)
        w = sae.W_enc[:, latent].view(3, 4)
        parts = torch.einsum("bhqk,bkhd,hd->bqkh", pattern, v, w)
        z = torch.einsum("bhqk,bkhd->bqhd", pattern, v).flatten(2)
        expected = sae.hidden(z)[..., latent]
        assert_close(pre_activation(parts, sae.W_enc, sae.b_enc, sae.b_dec, latent), expected, **CLOSE)


def test_each_bias_moves_every_query_alike(pre_activation, rng):
    "Without contributions only the constant is left: b_enc of this latent, minus b_dec times its column."
    W_enc, b_enc, b_dec = rng.normal(12, 6), rng.normal(6), rng.normal(12)
    for latent in rng.permutation(6)[:3].tolist():
        none = torch.zeros(2, 3, 4, 3)
        for encoder, decoder in [(b_enc, b_dec), (0 * b_enc, b_dec), (b_enc, 0 * b_dec)]:
            constant = encoder[latent] - (decoder * W_enc[:, latent]).sum()
            assert_close(pre_activation(none, W_enc, encoder, decoder, latent), constant.expand(2, 3), **CLOSE)


def test_a_head_has_its_part_of_the_sum_over_all_firings(head_share, rng):
    "Sum over the queries where it is on, over all sources; then divide. One head may be below 0, another above 1."
    for heads in (3, 5):
        parts, on = contributions(rng, heads=heads)
        parts[..., 0] = -parts[..., 0].abs() / 4
        expected = torch.stack([parts[..., h][on].sum() for h in range(heads)]) / parts[on].sum()
        assert_close(head_share(parts, on), expected, **CLOSE)


def test_a_strong_firing_counts_more_than_a_faint_one(head_share, rng):
    "Two queries: one strong, fed by one head, one faint, fed by another. The shares are those of the strengths."
    first, second = rng.permutation(4)[:2].tolist()
    strong, faint = rng.uniform(2).tolist()
    parts = torch.zeros(1, 3, 3, 4)
    parts[0, 1, 0, first], parts[0, 2, 2, second], parts[0, 0, 0] = 2 + strong, faint, 9.0
    expected = torch.zeros(4)
    expected[first], expected[second] = (2 + strong) / (2 + strong + faint), faint / (2 + strong + faint)
    assert_close(head_share(parts, torch.tensor([[False, True, True]])), expected, **CLOSE)


def test_the_distance_is_from_the_query_back_to_the_source(distance_share, rng):
    "Every query reads from one source only, a given number of tokens back. At distance 0 stands the query itself."
    for _ in range(2):
        weights, expected = rng.uniform(6, low=0.5, high=3.0), torch.zeros(6)
        parts, on = torch.zeros(1, 6, 6, 2), rng.permutation(6) < 4
        for q in range(6):
            back = rng.integer(0, q + 1)
            parts[0, q, q - back, rng.integer(0, 2)] = weights[q]
            expected[back] += weights[q] * on[q]
        assert_close(distance_share(parts, on[None]), expected / expected.sum(), **CLOSE)


def test_distances_are_summed_over_all_firings_before_they_are_shared(distance_share, rng):
    "Queries where it is off don't count, strong ones count more than faint ones, and what speaks against is negative."
    for batch, pos in [(2, 6), (3, 4)]:
        parts, on = contributions(rng, batch, pos)
        by_distance = torch.zeros(pos)
        for b, q in on.nonzero().tolist():
            for k in range(q + 1):
                by_distance[q - k] += parts[b, q, k].sum()
        assert_close(distance_share(parts, on), by_distance / by_distance.sum(), **CLOSE)


def test_shares_of_a_latent_that_is_nowhere_on_are_nan(head_share, distance_share, rng):
    "There is nothing to share: nan, for each head and each distance."
    parts, on = contributions(rng)
    shared = parts[on].sum(dim=(0, 1))
    assert_close(head_share(parts, on), shared / shared.sum(), **CLOSE)
    assert_close(head_share(parts, on & False), torch.full((3,), NAN), equal_nan=True)
    assert_close(distance_share(parts, on & False), torch.full((6,), NAN), equal_nan=True)


def test_agrees_with_the_reference_on_random_attention(dfa, pre_activation, head_share, distance_share, reference, rng):
    "This tries everything at once, on several sizes and in both float types."
    for sizes, dtype in [((1, 1, 3, 5, 4), torch.float32), ((3, 2, 4, 3, 7), torch.float64)]:
        pattern, v, W_enc, latent = attention(rng, *sizes)
        pattern, v, W_enc = pattern.to(dtype), v.to(dtype), W_enc.to(dtype)
        parts = reference(pattern, v, W_enc, latent)
        assert_close(dfa(pattern, v, W_enc, latent), parts, **CLOSE)
        biases = rng.normal(W_enc.shape[1]).to(dtype), rng.normal(len(W_enc)).to(dtype)
        right = reference.pre_activation(parts, W_enc, *biases, latent)
        assert_close(pre_activation(parts, W_enc, *biases, latent), right, **CLOSE)
        parts, on = contributions(rng, *sizes[0::2][:2], sizes[1])
        parts = parts.to(dtype)
        assert_close(head_share(parts, on), reference.head_share(parts, on), **CLOSE)
        assert_close(distance_share(parts, on), reference.distance_share(parts, on), **CLOSE)
