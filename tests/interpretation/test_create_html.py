"""Does the page show each token as it is, in the colour of its value?"""

import re
from html.parser import HTMLParser

import pytest
import torch
from torch.testing import assert_close

INF, NAN = float("inf"), float("nan")
COLOURS = {(230, 159, 0): 1, (86, 180, 233): -1}  # POSITIVE and NEGATIVE
NASTY = [
    "<b>",
    "a&b",
    "&lt;",
    '"',
    "'>",
    "<script>x()</script>",
    "</span>",
    "&amp;amp;",
    "<!--",
    " <i title='",
    "&#60;",
]
PLAIN = [" the", " keys", " are", "n't", "  two", ".", " é", " 漢"]


class Spans(HTMLParser):  # the text and the attributes of each span, and what else a browser would see
    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.texts, self.attrs, self.odd, self.is_open = [], [], [], False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.odd += [f"<{tag}>"] * (tag != "span" or self.is_open)
        self.texts, self.attrs, self.is_open = [*self.texts, ""], [*self.attrs, dict(attrs)], True

    def handle_endtag(self, tag):
        self.odd += [f"</{tag}>"] * (tag != "span" or not self.is_open)
        self.is_open = False

    def handle_data(self, data):
        if self.is_open:
            self.texts[-1] += data
        elif data.strip():
            self.odd.append(data)


def read(page):  # texts, signed shades, titles
    found, shades = Spans(page), []
    assert not found.odd, f"The browser sees more than spans, {found.odd[0]!r}, in {page[:300]}"
    for attrs in found.attrs:
        colour = re.search(r"rgba\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*([\d.]+)\s*\)", attrs.get("style") or "")
        assert colour, f"A span has no background-color: rgba(R, G, B, A) in its style: {attrs}"
        sign = COLOURS.get(tuple(map(int, colour.groups()[:3])))
        assert sign, f"The colour in {attrs} is neither POSITIVE nor NEGATIVE."
        shades.append(sign * float(colour[4]))
    return found.texts, torch.tensor(shades), [attrs.get("title") for attrs in found.attrs]


def pick(rng, some, n):
    return [some[i] for i in rng.permutation(len(some))[:n].tolist()]


def test_without_a_scale_the_largest_size_gets_the_full_colour(shade, rng):
    "The value with the largest |value| has shade 1 or -1, the others their share of it, with their signs."
    for top in (4.0, -4.0):
        values = torch.cat([rng.uniform(7, low=-3.0, high=3.0), torch.tensor([top, 0.0])])[rng.permutation(9)]
        assert_close(shade(values), values / 4, atol=1e-6, rtol=1e-5)
    few = -1e-4 * rng.uniform(3, low=1.0, high=2.0)
    assert_close(shade(few), few / few.abs().max(), atol=1e-6, rtol=1e-5)


def test_a_common_scale_is_kept_and_nothing_goes_beyond_it(shade, rng):
    "Values are divided by max_value, and cut off at -1 and 1, infinite ones too."
    values = torch.cat([rng.uniform(8, low=-5.0, high=5.0), torch.tensor([INF, -INF, 9.0, -9.0])])[rng.permutation(12)]
    for scale in rng.uniform(3, low=1.0, high=8.0).tolist():
        expected = (values / scale).clamp(-1, 1)
        assert_close(shade(values, max_value=scale), expected, atol=1e-6, rtol=1e-5)


def test_nan_has_no_colour_and_infinite_values_do_not_set_the_scale(shade, rng):
    "Shade 0 for nan. The scale is the largest *finite* size; ±inf is beyond it, and has the full colour."
    for scale in (None, 7.0):
        values = torch.cat([rng.uniform(5, low=-4.0, high=4.0), torch.tensor([NAN, INF, -INF])])[rng.permutation(8)]
        size = scale or values[values.isfinite()].abs().max()
        expected = torch.where(values.isnan(), torch.tensor(0.0), (values / size).clamp(-1, 1))
        assert_close(shade(values, max_value=scale), expected, atol=1e-6, rtol=1e-5)


def test_where_all_is_zero_nothing_is_coloured(shade, rng):
    "No value has any size: 0 for each, not 0/0, also beside nan and ±inf."
    assert_close(shade(torch.zeros(rng.integer(2, 6))).unique(), torch.zeros(1))
    assert_close(shade(torch.tensor([0.0, NAN, INF])[rng.permutation(3)]).sort().values, torch.tensor([0.0, 0.0, 1.0]))


def test_each_token_stands_in_its_span_with_all_its_spaces(create_html, rng):
    "One span per token, in order: ' cat' and 'cat' are two tokens. A line break is shown as ↵."
    for n in (1, 4, 8):
        strings = [text + "\n" * rng.integer(0, 3) + " " * rng.integer(0, 2) for text in pick(rng, PLAIN, n)]
        texts = read(create_html(strings, rng.normal(n)))[0]
        expected = [text.replace("\n", "↵") for text in strings]
        assert texts == expected, f"the page shows {texts}, the tokens are {expected}"


@pytest.mark.parametrize("n", [3, 5, 11], ids=["three tokens", "five tokens", "eleven tokens"])
def test_a_token_that_looks_like_html_is_shown_and_not_obeyed(create_html, rng, n):
    "<b>, &lt; or a script: the reader sees these characters. Is every token escaped, & first, and only once?"
    for _ in range(2):
        strings = [a + b for a, b in zip(pick(rng, NASTY, n), [*pick(rng, PLAIN, 8), "", " ", "\n"])]
        texts = read(create_html(strings, rng.normal(n)))[0]
        expected = [text.replace("\n", "↵") for text in strings]
        assert texts == expected, f"the page shows {texts}, the tokens are {expected}"


def test_positive_and_negative_values_have_two_colours_as_deep_as_their_shades(create_html, rng):
    "POSITIVE above 0, NEGATIVE below, |shade| with two decimals as the fourth number; that is 0.00 for 0 and nan."
    for scale in (None, 1.5, 6.0):
        values = rng.uniform(9, low=0.3, high=3.0) * torch.tensor([1, -1, 1, -1, 1, -1, 1, 0, NAN])[rng.permutation(9)]
        shades = read(create_html([*pick(rng, PLAIN, 8), "x"], values, scale))[1]
        size = values.nan_to_num(0.0).abs().max() if scale is None else scale
        assert_close(shades, (values / size).clamp(-1, 1).nan_to_num(0.0), atol=0.0051, rtol=0.0)


def test_the_title_tells_the_value_itself(create_html, rng):
    "Three decimals of the value, with its sign, not of its share of the scale."
    for scale in (None, 0.7):
        values = 20 * rng.normal(5)
        titles = read(create_html(pick(rng, PLAIN, 5), values, scale))[2]
        expected = [f"{value:.3f}" for value in values.tolist()]
        assert titles == expected, f"the titles are {titles}, the values {expected}"


def test_a_text_and_values_of_unequal_length_raise_an_error(create_html, rng):
    "ValueError for one value too few, or one too many: zip would drop the rest without a word."
    strings = pick(rng, PLAIN, 6)
    for n in (5, 7, 1):
        with pytest.raises(ValueError):
            create_html(strings, rng.normal(n))
