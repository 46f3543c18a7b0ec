"""Are the examples the strongest, one per sequence, and does each row of the table have its own words around it?"""

import torch
from torch.testing import assert_close


def some_acts(rng, n, length):  # whole numbers, each once where there is something: no two are equal
    acts = (rng.permutation(n * length) + 1.0).reshape(n, length)
    return torch.where(rng.uniform(n, length) < 0.5, acts, 0.0), rng.uniform(n, length) < 0.7


def by_hand(acts, mask, k):  # for activations of which no two are equal
    found = []
    for s, row in enumerate(acts.tolist()):
        best, p = max([(f, p) for p, f in enumerate(row) if mask[s, p]], default=(0.0, 0))
        found += [(best, s, p)] if best > 0 else []
    return torch.tensor([[s, p] for _, s, p in sorted(found, reverse=True)[:k]]).long().reshape(-1, 2)


def test_the_strongest_token_of_each_sequence_comes_strongest_first(top_examples, rng):
    "One example per sequence. Do you sort by the strongest activation of each, in descending order?"
    acts = (rng.permutation(40) + 1.0).reshape(8, 5)
    for k in (3, 8, 1):
        got, mask = top_examples(acts, torch.ones(8, 5) > 0, k), torch.ones(8, 5) > 0
        assert_close(got, by_hand(acts, mask, k))


def test_a_sequence_that_fires_everywhere_gives_one_example(top_examples, rng):
    "One sequence has the strongest activations of all, at each of its tokens. It may fill one place of the list only."
    acts, loud = rng.uniform(6, 5, low=0.5), rng.integer(0, 5)
    acts[loud] += 3
    assert_close(top_examples(acts, torch.ones(6, 5) > 0, 4), by_hand(acts, torch.ones(6, 5) > 0, 4))


def test_tokens_outside_the_mask_are_no_examples(top_examples, rng):
    "BOS and padding have the largest activations here. The next best of the sequence takes their place."
    acts, mask = some_acts(rng, 7, 6)
    acts = torch.where(mask, acts, acts + 100)
    for k in (3, 7):
        assert_close(top_examples(acts, mask, k), by_hand(acts, mask, k))


def test_where_the_latent_is_off_there_is_no_example(top_examples, rng):
    "Some sequences have no activation above 0. Then there are fewer than k examples, possibly none: shape [0, 2]."
    acts, mask = some_acts(rng, 6, 5)
    acts[rng.permutation(6)[:3]] = 0
    assert_close(top_examples(acts, mask, 6), by_hand(acts, mask, 6))
    acts = torch.where(torch.arange(6)[:, None] == rng.integer(0, 6), acts, 0.0)
    assert_close(top_examples(acts, mask, 6), by_hand(acts, mask, 6))


def test_of_equal_activations_the_earlier_comes_first(top_examples, rng):
    "Three heights only, so many are equal: `topk` promises nothing about their order, a stable sort does."
    acts = rng.permutation(60).reshape(20, 3) % 3 + 0.0
    found = sorted(
        (-float(row.max()), s, int((row == row.max()).nonzero()[0])) for s, row in enumerate(acts) if row.any()
    )
    for k in (5, 20):
        got = top_examples(acts, torch.ones(20, 3) > 0, k)
        assert_close(got, torch.tensor([[s, p] for _, s, p in found[:k]]))


def some_words(rng, lengths):  # every token is another word
    numbers = iter(rng.permutation(sum(lengths)).tolist())
    return [[f" w{next(numbers)}" for _ in range(length)] for length in lengths]


def test_each_token_has_a_row_that_says_where_it_stands(make_token_df, rng):
    "Rows come in reading order. Sequences are counted from 0, and positions from 0 in each sequence."
    words = some_words(rng, [3, 1, 4])
    got = make_token_df(words, 1, 1)
    rows = [(token, s, p) for s, text in enumerate(words) for p, token in enumerate(text)]
    for i, name in enumerate(["token", "sequence", "position"]):
        expected = [row[i] for row in rows]
        assert list(got[name]) == expected, f"Column {name!r}: expected {expected}, got {list(got[name])}."


def test_the_context_has_the_tokens_before_between_bars_the_token_and_those_after(make_token_df, rng):
    "Far from the edges: `before` tokens, a bar, the token, a bar, `after` tokens, with nothing put in between."
    for before, after in [(2, 1), (1, 3), (0, 2), (3, 0)]:
        (text,) = some_words(rng, [9])
        p = rng.integer(3, 6)
        got = make_token_df([text], before, after)["context"][p]
        expected = "".join(text[p - before : p]) + f"|{text[p]}|" + "".join(text[p + 1 : p + 1 + after])
        assert got == expected, f"{before} before and {after} after {text[p]!r}: expected {expected!r}, got {got!r}."


def test_at_the_edges_of_a_sequence_the_context_is_shorter(make_token_df, rng):
    "Near the start and the end there are fewer tokens, but none is lost, and none comes from the neighbouring text."
    words = some_words(rng, [4, 5, 2])
    got = make_token_df(words, 3, 2)["context"]
    expected = []
    for text in words:
        for p, token in enumerate(text):
            left = [text[i] for i in range(len(text)) if p - 3 <= i < p]
            right = [text[i] for i in range(len(text)) if p < i <= p + 2]
            expected.append("".join(left) + f"|{token}|" + "".join(right))
    for i, (mine, right) in enumerate(zip(got, expected)):
        assert mine == right, (
            f"Sequences of 4, 5 and 2 tokens, 3 before, 2 after: row {i} should be {right!r}, it is {mine!r}."
        )
    assert len(got) == 11, f"11 tokens give 11 rows, not {len(got)}."


def test_agrees_with_the_reference_on_random_text(top_examples, make_token_df, reference, rng):
    "This tries one sequence of one token, float64, a k larger than the text, and an empty sequence."
    for n, length, k in [(1, 1, 1), (9, 4, 3), (3, 7, 50)]:
        acts, mask = some_acts(rng, n, length)
        assert_close(top_examples(acts.double(), mask, k), reference(acts.double(), mask, k))
        words = [*some_words(rng, [length, 1]), []]
        got, expected = make_token_df(words, k, 1), reference.make_token_df(words, k, 1)
        assert got == expected, f"Expected {expected}, got {got}."
