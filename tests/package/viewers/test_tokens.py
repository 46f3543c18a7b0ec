"""Token highlighting: what stands on the page, and what can't get onto it."""

import re
import sys
from pathlib import Path

import pytest
import torch

from saelab.viewers import highlight
from saelab.viewers._page import _DARK, _LIGHT, Page, escape

sys.path.insert(0, str(Path(__file__).parent))
from pages import Reader  # noqa: E402


def test_values_stand_in_the_text_and_signs_have_their_own_class():
    page = highlight([" Mary", " went", " home"], [1.25, 0.0, -0.5])
    assert re.search(r'<mark class="p t"[^>]*> Mary<i> 1.25 </i></mark>', page.html)
    assert re.search(r"<mark class=n[^>]*> home<i> -0.5 </i></mark>", page.html)
    assert "</mark> went<mark" in page.html, "a token whose value is 0 is plain text"


def test_a_page_of_20_contexts_of_20_tokens_is_below_30_kilobytes():
    tokens = [[" something"] * 20 for _ in range(20)]
    values = torch.linspace(-3, 3, 400).view(20, 20)
    assert len(highlight(tokens, values).html.encode()) < 30_000


def test_text_is_shown_and_never_becomes_a_tag():
    nasty = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</mark></p>", "&lt;", "<!--", "]]>"]
    read = Reader(highlight(nasty, [1, -1, float("nan"), 0, float("inf"), 2], title=nasty[0], labels=[nasty[1]]).html)
    assert not read.dangers and not read.scripts
    assert "alert(1)" in read.text and "img" not in read.tags


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 0.0, 1e-320, 1e308])
def test_any_value_gives_a_valid_page(value):
    read = Reader(highlight([["a", "b"], ["c"]], [[value, 1.0], [value]]).html)
    assert "a" in read.text


def test_nothing_and_only_zeros_give_a_page_as_well():
    assert "no tokens" in Reader(highlight([], []).html).text
    assert "mark" not in Reader(highlight(["a", "b"], torch.zeros(2)).html).tags
    Reader(highlight([[], ["a"]], [[], [1.0]]).html)


def test_a_million_tokens_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="1,000,000 tokens are too many for one page"):
        highlight(["a"] * 10**6, torch.ones(10**6))


@pytest.mark.parametrize(
    "tokens, values, told",
    [
        (["a", "b"], [1.0], "2 tokens and 1 values"),
        ([["a"], ["b"]], [[1.0]], "2 contexts of tokens and 1 of values"),
        (["a", ["b"]], [1.0, 2.0], "mixes strings and lists"),
        ("text", [1.0] * 4, "not one string"),
        (["a"], ["x"], "must be numbers"),
    ],
)
def test_what_does_not_fit_is_told(tokens, values, told):
    with pytest.raises(ValueError, match=told):
        highlight(tokens, values)
    with pytest.raises(ValueError, match="one label per context"):
        highlight(["a"], [1.0], labels=["x", "y"])
    with pytest.raises(ValueError, match="scale is"):
        highlight(["a"], [1.0], scale=0.0)


def test_what_cannot_be_seen_is_named():
    assert escape("a\u202eb\x00\ud800") == "a⟨U+202E⟩b⟨U+0000⟩⟨U+D800⟩"
    highlight(["\ud800"], [1.0]).html.encode()
    assert escape("é 中 😀") == "é 中 😀"


def test_ink_has_enough_contrast_on_the_deepest_colours():
    def luminance(rgb):
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in rgb)]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear))

    for theme in (_LIGHT, _DARK):
        colours = dict(part.split(":") for part in theme.split(";"))
        ink = luminance([int(colours["--ink"][i : i + 2], 16) for i in (1, 3, 5)])
        for name in ("--pos", "--neg"):
            ground = luminance([int(x) for x in colours[name].split()])
            low, high = sorted((ink, ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, theme)


def test_a_page_is_saved_whole_and_a_folder_in_the_way_is_told(tmp_path):
    page = Page("a <title>", "<p>text</p>")
    assert page.save(tmp_path / "new" / "page.html").read_text(encoding="utf-8") == page.html
    assert "&lt;title&gt;" in page.html and page._repr_html_().startswith("<style>")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="Choose another"):
        page.save(tmp_path / "file" / "page.html")


def test_any_string_and_any_value_give_a_valid_page_on_which_nothing_runs():
    hypothesis = pytest.importorskip("hypothesis", reason="fuzzing needs hypothesis")
    given, settings, st = hypothesis.given, hypothesis.settings, hypothesis.strategies
    pieces = st.sampled_from(
        ["<", ">", '"', "'", "&", "script", "</i>", "<!--", "--a", "\x00", "\ud800", "\n", "\u202e"]
    )
    text = st.one_of(st.text(), st.lists(pieces).map("".join), st.text(alphabet=st.characters()))
    token = st.tuples(text, st.floats(allow_nan=True, allow_infinity=True))

    @settings(max_examples=150, deadline=None, database=None)
    @given(st.lists(st.lists(token, max_size=6), max_size=4), text)
    def holds(contexts, title):
        tokens, values = ([[pair[i] for pair in context] for context in contexts] for i in (0, 1))
        read = Reader(highlight(tokens, values, title).html.encode().decode())
        assert not read.dangers and set(read.tags) <= {
            *("html", "head", "meta", "title", "style", "body", "main", "h2", "p", "div", "mark", "i")
        }

    holds()
