"""Which latents does a text raise, beyond what they do anyway?"""

import torch
from torch.testing import assert_close

from saelab.testing import recipe

CLOSE = {"atol": 1e-5, "rtol": 1e-4}  # float32 logarithms
SITE = "blocks.0.hook_resid_post"
PRIME = (
    37  # tokens of the contrast: with a number of the text's tokens that it shares no factor with, no lifts are tied
)


def some_acts(rng, n, d_sae, share=0.4):  # as often on as `share`, of any strength
    return torch.where(rng.uniform(n, d_sae) < share, rng.uniform(n, d_sae, low=1e-3, high=9.0), 0.0)


def times_on(rng, counts, n):  # a latent for each count, on at so many of n tokens
    rows = [(rng.permutation(n) < count) * rng.uniform(n, low=1e-3, high=5.0) for count in counts]
    return torch.stack(rows, dim=1)


def texts(rng, lengths, pos):  # tokens with BOS first and padding last, and the mask of those in between
    tokens = 2 + (rng.uniform(len(lengths), pos) * 40).long()
    mask = (torch.arange(pos) > 0) & (torch.arange(pos) <= torch.tensor(lengths)[:, None])
    tokens = torch.where(mask, tokens, 1)
    tokens[:, 0] = 0
    return tokens, mask


def given(rng, which=None, site=SITE, d_in=32):  # a small model, a sparse dictionary, texts, and a contrast
    model = recipe("model.random", seed=rng.integer(0, 2**31))
    sae = recipe("sae.random", d_in=d_in, d_sae=24, architecture="topk", k=4, seed=rng.integer(0, 2**31))
    return model, sae, site, *texts(rng, [5, 3, 6], 8), *texts(rng, [10, 8, 9, 10], 12)


def encoded(model, sae, site, tokens):
    x = model.run_with_cache(tokens, names_filter=site)[1][site].detach()
    return sae.encode(x.flatten(2))


def by_hand(acts, base):
    n, on, p = len(acts), (acts > 0).sum(dim=0), (base > 0).double().mean(dim=0)
    return ((on + 1) / (n * p + 1)).log2().float()


def raised(given, places):  # the latents in the order of lift, and the lift, from the tokens at these places
    model, sae, site, tokens, mask, contrast, there = given
    found = by_hand(encoded(model, sae, site, tokens)[places], encoded(model, sae, site, contrast)[there])
    order = torch.tensor(sorted(range(24), key=lambda i: (-round(found[i].item(), 6), i)))
    return order, found[order]


def same(got, expected, k):
    assert_close(got[0].long(), expected[0][:k])
    assert_close(got[1], expected[1][:k], **CLOSE)


def test_on_as_often_as_in_the_base_is_no_lift(lift, rng):
    "Always on, never on, on at every second token: as long as the share is the same in both, lift is 0."
    n, m = 2 * rng.integer(3, 7), 2 * rng.integer(10, 20)
    acts, base = times_on(rng, [n, 0, n // 2, n, 1], n), times_on(rng, [m, 0, m // 2, 0, m], m)
    expected = torch.tensor([1.0, 1, 1, n + 1, 2 / (n + 1)]).log2()
    assert_close(lift(acts, base), expected, **CLOSE)


def test_it_compares_the_count_with_the_count_that_the_base_makes_you_expect(lift, rng):
    "Expected are n tokens times the share of the base's tokens. 1 is added on both sides; the logarithm has base 2."
    for _ in range(2):
        n, m = rng.integer(5, 12), 60
        acts, base = times_on(rng, [0, 1, 3, n, n], n), times_on(rng, [30, 0, 6, 45, 3], m)
        on, share = torch.tensor([0.0, 1, 3, n, n]), torch.tensor([30.0, 0, 6, 45, 3]) / m
        assert_close(lift(acts, base), ((on + 1) / (n * share + 1)).log2(), **CLOSE)


def test_a_rare_latent_that_is_on_once_is_not_infinitely_surprising(lift, rng):
    "It is never on in the base: the count is compared with 1, so once is 1 bit, three times are 2, seven times 3."
    n, times = rng.integer(8, 20), torch.tensor([1, 3, 7, 0])[rng.permutation(4)]
    got = lift(times_on(rng, times.tolist(), n), torch.zeros(rng.integer(20, 50), 4))
    assert_close(got, (times + 1.0).log2(), **CLOSE)


def test_strength_makes_no_difference(lift, rng):
    "Latents have no common unit. Make some of them stronger, in the text or in the base: lift stays."
    acts, base = some_acts(rng, 11, 7), some_acts(rng, 40, 7)
    scale = 10 ** rng.uniform(2, 7, low=-2.0, high=2.0)
    expected = by_hand(acts, base)
    for a, b in [(acts, base), (acts * scale[0], base), (acts, base * scale[1])]:
        assert_close(lift(a, b), expected, **CLOSE)


def test_the_size_of_the_base_does_not_matter(lift, rng):
    "The same base three times over has the same shares. More of the *text* does count: it is more evidence."
    acts, base = some_acts(rng, 9, 6), some_acts(rng, 20, 6, 0.2)
    for a, b in [(acts, base), (acts, base.repeat(3, 1)), (acts.repeat(4, 1), base)]:
        assert_close(lift(a, b), by_hand(a, b), **CLOSE)


def test_the_first_counted_token_is_number_0(token_at, rng):
    "BOS has no number, so behind it token 0 stands one further right. Texts may begin anywhere."
    first = torch.tensor([rng.integer(1, 5) for _ in range(6)])
    mask = torch.arange(9) >= first[:, None]
    for which in (0, 2, 1):
        assert_close(token_at(mask, which).long(), first + which)


def test_negative_numbers_count_from_the_end_of_each_text(token_at, rng):
    "-1 is the last token of the *text*. Shorter texts have padding behind it."
    lengths = torch.tensor([rng.integer(3, 9) for _ in range(6)])
    _, mask = texts(rng, lengths.tolist(), 11)
    for which in (-1, -3, -2):
        assert_close(token_at(mask, which).long(), lengths + which + 1)


def test_tokens_outside_the_mask_are_skipped_wherever_they_stand(token_at, rng):
    "There may be gaps, or padding on the left. Count the True ones only."
    for _ in range(3):
        mask = rng.uniform(6, 10) < 0.5
        mask[:, rng.permutation(10)[:3]] = True
        places = [row.nonzero()[:, 0] for row in mask]
        for which in (0, 2, -1, -3):
            assert_close(token_at(mask, which).long(), torch.stack([place[which] for place in places]))


def test_a_text_that_is_too_short_is_an_error(token_at, rng):
    "One text of 3 tokens has no number 3 or -4: ValueError, in place of a token of padding. It does have 2 and -3."
    lengths = torch.tensor([rng.integer(4, 7), 3, rng.integer(4, 7)])[rng.permutation(3)]
    _, mask = texts(rng, lengths.tolist(), 9)
    assert_close(token_at(mask, 2).long(), torch.full((3,), 3))
    assert_close(token_at(mask, -3).long(), lengths - 2)
    for which in (3, -4):
        try:
            got = token_at(mask, which)
        except ValueError:
            continue
        raise AssertionError(f"One text has 3 tokens, so none of them is number {which}; {got.tolist()} came back.")


def test_only_tokens_in_the_mask_are_counted(elicit, rng):
    "Neither BOS nor padding is text, in the texts and in the contrast."
    for site in (SITE, "blocks.1.attn.hook_z"):
        args = given(rng, site=site)
        same(elicit(*args, k=24), raised(args, args[4]), 24)


def test_with_which_one_token_of_each_text_counts_and_all_of_the_contrast(elicit, rng):
    "Only the named token of each text is looked at. The base rate still comes from all tokens of the contrast."
    for which in (-1, 1, -2):
        args = given(rng)
        places = torch.stack([row.nonzero()[which, 0] for row in args[4]])
        same(elicit(*args, k=24, which=which), raised(args, (torch.arange(3), places)), 24)


def test_the_most_raised_come_first_and_of_equal_ones_the_smaller_number(elicit, rng):
    "k of them, and a latent that the text *lowers* is not raised, however far. `topk` promises no order for ties."
    args = given(rng)
    for k in (1, 5, 12):
        same(elicit(*args, k=k, which=0), raised(args, (torch.arange(3), torch.ones(3).long())), k)


def test_agrees_with_the_reference_on_random_models(elicit, lift, reference, rng):
    "This tries everything at once, and lift in float64."
    args = given(rng)
    for k, which in [(3, None), (7, -1), (24, 2)]:
        got, expected = elicit(*args, k=k, which=which), reference(*args, k=k, which=which)
        assert_close(got[0].long(), expected[0])
        assert_close(got[1], expected[1], **CLOSE)
    acts, base = some_acts(rng, 13, 5).double(), some_acts(rng, 50, 5).double()
    assert_close(lift(acts, base), reference.lift(acts, base), **CLOSE)
