"""What keeps a latent on: the token, the text before, the place in the sentence, or the forecast?"""

import math

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import recipe

CLOSE = {"atol": 1e-5, "rtol": 1e-4}
NAN = float("nan")
SITE = "blocks.1.hook_resid_post"


def given(rng, n=3, pos=7, site=SITE):  # a small model, a dictionary, texts, places with something before and behind
    model = recipe("model.random", seed=rng.integer(0, 2**31))
    sae = recipe("sae.random", d_in=32, d_sae=16, seed=rng.integer(0, 2**31))
    tokens = rng.permutation(50)[: n * pos].view(n, pos)  # all of them different
    at = 2 + rng.permutation(pos - 3)[:n]
    return model, sae, site, tokens, at


def by_hand(model, sae, site, tokens, at):  # a latent that is on in many of the cells, and its matrix
    rows = []
    for own, i in zip(tokens, at.tolist()):
        texts = own.repeat(len(tokens), 1)
        texts[:, i] = tokens[torch.arange(len(tokens)), at]
        x = model.run_with_cache(texts, names_filter=site)[1][site].detach()
        rows.append(sae.encode(x.flatten(2))[:, i])
    f = torch.stack(rows)
    latent = (f > 0).sum(dim=(0, 1)).argmax().item()
    return latent, f[..., latent]


def a_matrix(rng, n, token=0.0, context=0.0):  # the on cases' share kept by token and by context, and who is who
    on = rng.permutation(2 * n) < n
    M = rng.uniform(2 * n, 2 * n, low=0.8, high=1.2)
    M[~on[:, None] & ~on] *= rng.uniform(1, low=2.0, high=4.0)  # nobody asks
    M = M * rng.uniform(1, low=0.2, high=5.0)
    was = M.diagonal()[on].mean()
    for block, share in [(~on[:, None] & on, token), (on[:, None] & ~on, context)]:
        M[block] = M[block] / M[block].mean() * was * share
    return M, on, rng.permutation(90)[: 2 * n]


def elsewhere(M, on, share, rng, missing=0):  # figures with this share over the on cases, `missing` of them without one
    found = M.diagonal() * rng.uniform(len(on), low=0.9, high=1.1)
    found[on.nonzero()[:missing, 0]] = NAN
    there = on & ~found.isnan()
    scale = M.diagonal()[there].sum() / found[there].sum() * share
    return found * torch.where(on, scale, 3 * (1.2 - share))  # the off cases show the opposite


def told(classify_latent, rng, shares, missing=0):  # kinds of several latents, in an order that nobody knows
    for which in rng.permutation(len(shares)).tolist():
        expected, by = shares[which]
        M, on, own = a_matrix(rng, rng.integer(3, 6), by.get("token", 0.0), by.get("context", 0.0))
        found = [elsewhere(M, on, by.get(what, 0.0), rng, missing) for what in ("place", "ahead")]
        got = classify_latent(M, on, own, *found)
        assert got == expected, f"Kept by {by or 'nothing'}: {expected!r} was expected, {got!r} came back."


def test_each_text_gets_each_token_and_the_latent_is_read_there(causal_matrix, rng):
    "Row i: text i, read at at[i], with the token of case j put there in column j. On the diagonal nothing changes."
    for site in (SITE, "blocks.0.hook_resid_post", "blocks.0.attn.hook_z"):  # at hook_z: the heads as one vector
        args = given(rng, site=site)
        latent, expected = by_hand(*args)
        assert_close(causal_matrix(*args, latent), expected, **CLOSE)


def test_the_token_keeps_what_off_texts_with_its_token_show(kept, rng):
    "Rows of the off cases, columns of the on cases; on the diagonal the cases as they were. And the other way round."
    for _ in range(3):
        token, context = rng.uniform(2).tolist()
        got = kept(*a_matrix(rng, rng.integer(2, 5), token, context))
        assert_close(torch.tensor(got), torch.tensor([token, context]), **CLOSE)


def test_pairs_with_the_same_token_do_not_count(kept, rng):
    "An off case has the token of an on case: put there, it changes nothing. Leave such pairs out, on both sides."
    for _ in range(2):
        M, on, token = a_matrix(rng, 4, 0.3, 0.3)
        a, b = on.nonzero()[0, 0], (~on).nonzero()[1, 0]
        token[b] = token[a]
        M[a, b], M[b, a] = 9 * M.max(), 7 * M.max()
        expected = []
        for rows, columns in ((~on, on), (on, ~on)):
            pairs = [(i, j) for i in range(8) for j in range(8) if rows[i] and columns[j] and token[i] != token[j]]
            expected.append(sum(M[i, j].item() for i, j in pairs) / len(pairs) / M.diagonal()[on].mean().item())
        assert_close(torch.tensor(kept(M, on, token)), torch.tensor(expected), **CLOSE)
        nothing = kept(M, on, torch.full_like(token, 5))
        assert all(math.isnan(share) for share in nothing), (
            f"No token was changed in any pair, and {nothing} came back."
        )


def forecasts(rng, n, vocab=12):
    return (2.5 * rng.normal(n, vocab)).softmax(dim=1)


def test_the_place_with_the_most_similar_forecast_is_found(look_ahead, rng):
    "All tokens and kinds of sentence differ, and a nearly equal forecast is hidden somewhere for each case."
    p, n = forecasts(rng, 12), 24
    p = torch.cat([p, (p + 0.002).log().add(0.1 * rng.normal(12, 12)).softmax(dim=1)])
    order = rng.permutation(n)
    cases = rng.permutation(n)[:5]
    where = order.argsort()
    expected = where[(order[cases] + 12) % n]
    assert_close(look_ahead(p[order], rng.permutation(n), rng.permutation(n), cases, 0.5).long(), expected)


def test_neither_the_same_token_nor_the_same_kind_of_sentence_will_do(look_ahead, reference, rng):
    "Few tokens and few kinds, so the most similar place often is one of those. The case itself is one too."
    for _ in range(3):
        p, token, sentence = forecasts(rng, 20, 5), rng.permutation(20) % 4, rng.permutation(20) % 3
        cases = rng.permutation(20)[:8]
        expected = reference.look_ahead(p, token, sentence, cases, 0.1)
        assert_close(look_ahead(p, token, sentence, cases, 0.1).long(), expected)


def test_where_no_forecast_is_alike_enough_there_is_no_place(look_ahead, rng):
    "-1, as if there were none. What counts is the sum of √(p q), which is 1 for equal forecasts, sure or not."
    flat = torch.full((1, 16), 1 / 16)
    sure = torch.eye(6, 16) * 0.9 + 0.1 / 16
    pairs = torch.cat([flat, sure[:3], flat, sure[:1], sure[3:5]])  # the first, second and fifth, sixth have a partner
    order = rng.permutation(8)
    where = order.argsort()
    cases = rng.permutation(8)
    partner = torch.tensor([4, 5, -1, -1, 0, 1, -1, -1])[order[cases]]
    expected = torch.where(partner >= 0, where[partner], -1)
    assert_close(look_ahead(pairs[order], rng.permutation(8), rng.permutation(8), cases, 0.95).long(), expected)


def test_one_thing_that_keeps_it_on_names_the_kind(classify_latent, rng):
    "By the token, the context, the place or the forecast alone; and if by none of them, it needs token and context."
    kinds = {"token": "token", "context": "context", "slot": "place", "predictive": "ahead"}
    shares = [(kind, {what: share}) for kind, what in kinds.items() for share in (0.6, 0.95)]
    told(
        classify_latent,
        rng,
        [*shares, ("token in context", {}), ("token in context", dict.fromkeys(kinds.values(), 0.4))],
    )


def test_the_token_is_asked_about_first(classify_latent, rng):
    "What the token keeps on, its place keeps too, and often its forecast. The token explains it all the same."
    others = [{"place": 1.0, "ahead": 0.9}, {"context": 0.9}, {"place": 0.8}]
    told(classify_latent, rng, [("token", {"token": 0.6, **by}) for by in others] + [("slot", {"place": 0.6})] * 3)


def test_then_the_forecast_before_the_place_and_the_place_before_the_context(classify_latent, rng):
    "The same place has the same forecast, the same context the same place. What the context keeps follows no forecast."
    shares = [
        ("predictive", {"ahead": 0.6, "place": 0.95, "context": 0.3}),
        ("slot", {"ahead": 0.9, "place": 0.6, "context": 0.8}),
        ("slot", {"place": 0.7, "context": 0.9, "ahead": 0.2}),
        ("context", {"context": 0.6, "ahead": 0.9, "place": 0.3}),
    ]
    told(classify_latent, rng, shares * 2)


@pytest.mark.parametrize(
    "missing, share", [(0, 0.6), (1, 0.95), (2, 0.6)], ids=["all figures", "one missing", "two missing"]
)
def test_only_on_cases_with_a_figure_count(classify_latent, rng, missing, share):
    "nan says that the place or the forecast was not found again. Off cases have nothing to keep, whatever they show."
    shares = [("slot", {"place": share}), ("predictive", {"ahead": share}), ("token in context", {"place": 0.3})]
    told(classify_latent, rng, shares * 3, missing)


def test_what_was_never_found_again_is_below_the_bar(classify_latent, rng):
    "All figures are nan: then the others decide. And `bar` may be another number than 0.5."
    sure = [("context", 0.5), ("token in context", 0.8), ("token", 0.2)] * 3
    for which in rng.permutation(9).tolist():
        expected, bar = sure[which]
        nothing = torch.full((6,), NAN)
        got = classify_latent(*a_matrix(rng, 3, 0.3, 0.7), nothing, nothing, bar)
        assert got == expected, f"Kept by the token .3, by the context .7, bar {bar}: {expected!r}, not {got!r}."


def test_agrees_with_the_reference_on_random_models(causal_matrix, kept, look_ahead, classify_latent, reference, rng):
    "This tries everything at once."
    args = given(rng, 4, 8)
    latent, expected = by_hand(*args)
    assert_close(causal_matrix(*args, latent), expected, **CLOSE)
    M, on, token = a_matrix(rng, 4, *rng.uniform(2).tolist())
    assert_close(
        torch.tensor(kept(M.double(), on, token)), torch.tensor(reference.kept(M.double(), on, token)), **CLOSE
    )
    p, place = forecasts(rng, 30, 6), (torch.arange(30) * 7) % 11
    got, expected = (fn(p, place, place % 3, torch.arange(30)) for fn in (look_ahead, reference.look_ahead))
    assert_close(got.long(), expected)
    others = [elsewhere(M, on, share, rng) for share in rng.uniform(2).tolist()]
    got, expected = classify_latent(M, on, token, *others), reference(M, on, token, *others)
    assert got == expected, f"{expected!r} was expected, not {got!r}."
