"""Which latents are sure of a few tokens, and which promote a kind of token?"""

import math

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import recipe

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 sums in another order
DOUBLE = {"atol": 1e-6, "rtol": 1e-6}


def an_unembedding(rng, V=8):  # a callable, and the stream that it turns into given logits [V]
    unembed = recipe("function.linear", d_in=V, d_out=V, seed=rng.integer(0, 2**31))
    b = unembed(torch.zeros(1, V, dtype=torch.double))
    W = unembed(torch.eye(V, dtype=torch.double)) - b
    return unembed, lambda logits: torch.linalg.solve(W.T, (logits - b[0]).double())


def alone(rng, logits):  # W_dec, b_dec, size, unembed: the only latent's forecast has these logits
    unembed, stream = an_unembedding(rng, len(logits))
    b_dec = rng.normal(len(logits)).double()
    row = stream(logits) - b_dec
    return row[None] * rng.uniform(1, low=0.1, high=3.0).double(), b_dec, row.norm().item(), unembed


def directions(rng, n=6, d=7, V=13):
    unembed = recipe("function.linear", d_in=d, d_out=V, seed=rng.integer(0, 2**31))
    return rng.normal(n, d) * rng.uniform(n, 1, low=0.2, high=3.0), 1 + rng.normal(d), unembed


def chance(V, m, k, hits):  # of as many or more: ways to draw k tokens, counted
    return sum(math.comb(m, x) * math.comb(V - m, k - x) for x in range(hits, min(m, k) + 1)) / math.comb(V, k)


def ranked(rng, order):  # logits [V] of both signs that put these tokens in this order, the most promoted first
    size = (2 * rng.uniform(len(order)) - 1.2).sort(descending=True).values
    return torch.empty(len(order)).scatter(0, order, size)


@pytest.mark.parametrize("n", [1, 2, 4], ids=["one token", "a coin", "four tokens"])
def test_n_equal_tokens_have_log2_n_bits_and_the_rest_has_none(peakedness, rng, n):
    "n tokens stand 800 above the rest: log2 n bits, probability 1/n each. And what is 0 · log 0 in your code?"
    for shift in rng.normal(2).tolist():
        logits = (800.0 * (rng.permutation(8) < n) + shift).double()
        entropy, largest, _ = peakedness(*alone(rng, logits))
        assert_close(entropy, torch.tensor([math.log2(n)]).double(), **DOUBLE)
        assert_close(largest, torch.tensor([1 / n]).double(), **DOUBLE)


def test_a_forecast_that_knows_nothing_has_log2_v_bits(peakedness, rng):
    "All logits are equal: the entropy is log2 of the vocabulary, in bits, and nothing has more."
    V = rng.integer(5, 20)
    entropy, largest, _ = peakedness(*alone(rng, torch.full((V,), rng.normal(1).item())))
    assert_close(entropy, torch.tensor([math.log2(V)]).double(), **DOUBLE)
    assert_close(largest, torch.tensor([1 / V]).double(), **DOUBLE)


def test_kurtosis_is_1_for_two_halves_and_grows_with_the_vocabulary_for_one_token(peakedness, rng):
    "It is that of the *logits*, about their mean: how high they stand, and how far apart, makes no difference."
    for V in (6, 10, 2 * rng.integer(6, 12)):
        apart, shift = rng.uniform(1, low=0.5, high=3.0).item(), 5 * rng.normal(1).item()
        for n, expected in [(V // 2, 1.0), (1, V - 2 + 1 / (V - 1))]:
            logits = apart * (rng.permutation(V) < n) + shift
            got = peakedness(*alone(rng, logits))[2]
            assert_close(got, torch.tensor([expected]).double(), atol=1e-4, rtol=1e-5)


def test_the_bias_is_in_the_stream_once(peakedness, reference, rng):
    "Put c times the latent's direction into b_dec: that is the same as c more of the latent, and no bias."
    W_dec, _, unembed = directions(rng, 1)
    c, size = rng.uniform(2, low=1.0, high=3.0).tolist()
    b_dec = c * W_dec[0] / W_dec.norm()
    expected = reference.peakedness(W_dec, torch.zeros_like(b_dec), size + c, unembed)
    for got, right in zip(peakedness(W_dec, b_dec, size, unembed), expected):
        assert_close(got, right, atol=1e-4, rtol=1e-3)


def test_all_latents_get_the_same_length(peakedness, reference, rng):
    "Rows of any length make the same forecast; `size` sets the length. Does each latent keep its place?"
    W_dec, b_dec, unembed = directions(rng)
    longer = W_dec * 10 ** rng.uniform(6, 1, low=-2.0, high=2.0)
    for got, right in zip(peakedness(longer, b_dec, 2.5, unembed), reference.peakedness(W_dec, b_dec, 2.5, unembed)):
        assert_close(got, right, atol=1e-4, rtol=1e-3)


def test_the_chance_is_that_of_as_many_hits_or_more(enrichment, rng):
    "Draw k different tokens out of V: in how many ways do they contain *hits* of the m in the set, or more?"
    V, k = rng.integer(14, 20), rng.integer(4, 7)
    order, m, hits = rng.permutation(V), rng.integer(5, 8), torch.tensor([0, 1, 2, 3, 4])
    places = [torch.cat([rng.permutation(k)[:h], k + rng.permutation(V - k)[: m - h]]) for h in hits]
    sets = torch.stack([torch.isin(torch.arange(V), order[place]) for place in places])
    expected = torch.tensor([[chance(V, m, k, h) for h in hits.tolist()]])
    assert_close(enrichment(ranked(rng, order)[None], sets, k), expected, **CLOSE)


def test_a_set_that_is_exactly_the_promoted_tokens_has_one_chance_in_all_draws(enrichment, rng):
    "There is one such draw among C(V, k), and the suppressed tokens, however strong, are not promoted."
    V, k = rng.integer(10, 16), rng.integer(2, 5)
    order = rng.permutation(V)
    logits = ranked(rng, order) - 5.0 * (rng.uniform(1).item() < 2)  # all below 0: promoted is the least suppressed
    first, last, every = order[:k], order[-k:], order
    sets = torch.stack([torch.isin(torch.arange(V), tokens) for tokens in (first, last, every)])
    expected = torch.tensor([[1 / math.comb(V, k), chance(V, k, k, 0), 1.0]])
    assert_close(enrichment(logits[None], sets, k), expected, **CLOSE)


def test_one_promoted_token_is_in_a_set_by_the_chance_of_its_share(enrichment, rng):
    "For k = 1 it is the share of tokens in the set, or 1 if the token isn't in it. A row per latent, a column per set."
    logits, sets = rng.normal(5, 12), rng.uniform(9, 12) < rng.uniform(9, 1, low=0.2, high=0.8)
    inside = sets[:, logits.argmax(dim=1)].T
    expected = torch.where(inside, sets.float().mean(dim=1), torch.tensor(1.0))
    assert_close(enrichment(logits, sets, 1), expected, **CLOSE)


def test_equally_spaced_p_values_have_one_q_value(q_values, rng):
    "p is c, 2c, 3c … n·c in any order: each is a share of n·c. One test alone, or equal ones, need no correction."
    c = rng.uniform(1, low=0.01, high=0.04).item()
    p = c * (rng.permutation(24) + 1.0).view(4, 6)
    assert_close(q_values(p), torch.full((4, 6), 24 * c), **CLOSE)
    assert_close(q_values(p[:1, :1]), p[:1, :1], **CLOSE)
    assert_close(q_values(p[:1, :1].expand(3, 2)), p[:1, :1].expand(3, 2), **CLOSE)


def test_accepting_by_q_accepts_all_up_to_the_last_that_fits(q_values, rng):
    "q ≤ α holds for the i smallest p-values, where i is the *last* with p(i) ≤ α·i/n. How many are that, at each α?"
    p = rng.uniform(5, 8) ** 2
    ordered, n = p.flatten().sort().values, p.numel()
    q = q_values(p)
    share = ordered * n / torch.arange(1, n + 1)
    between = share.sort().values
    levels = (between[1:] + between[:-1])[between.diff() > 1e-3] / 2
    for level in levels.tolist():
        fits = (share <= level).nonzero()
        last = int(fits[-1]) + 1 if len(fits) else 0
        accepted = q <= level
        assert int(accepted.sum()) == last, f"at {level:.3f} accept {last} of {n} tests, not {int(accepted.sum())}"
        right = p <= ordered[last - 1] if last else torch.zeros_like(accepted)
        assert bool((accepted == right).all()), f"at {level:.3f} the {last} smallest p-values should be accepted"


def test_all_tests_are_corrected_together_and_stay_in_their_places(q_values, rng):
    "One row has the small p-values. More tests make them less surprising: a latent isn't corrected by itself."
    p = torch.cat([0.001 * rng.uniform(1, 6), 0.5 + 0.5 * rng.uniform(3, 6)])[rng.permutation(4)]
    n = p.numel()
    share = [[min(n * x / int((p <= x).sum()) for x in p.flatten() if x >= y) for y in row] for row in p]
    assert_close(q_values(p), torch.tensor(share), **CLOSE)


def test_agrees_with_the_reference_on_random_directions(enrichment, peakedness, q_values, reference, rng):
    "This tries everything at once, in both float types."
    for dtype, sizes in [(torch.float32, (1, 3, 9)), (torch.float64, (8, 6, 21))]:
        W_dec, b_dec, unembed = directions(rng, *sizes)
        W_dec, b_dec = W_dec.to(dtype), b_dec.to(dtype)
        for got, right in zip(peakedness(W_dec, b_dec, 4.0, unembed), reference.peakedness(W_dec, b_dec, 4.0, unembed)):
            assert_close(got, right, atol=1e-4, rtol=1e-3)
        logits, sets = rng.normal(sizes[0], sizes[2]).to(dtype), rng.uniform(7, sizes[2]) < 0.4
        p = reference(logits, sets, 4)
        assert_close(enrichment(logits, sets, 4), p, **CLOSE)
        assert_close(q_values(p), reference.q_values(p), **CLOSE)
