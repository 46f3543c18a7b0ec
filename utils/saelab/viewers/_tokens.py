"""Token highlighting: the value of each token as a colour, on hover, and in the text for those who can't see it."""

import math
from collections.abc import Sequence
from typing import Any

from ._page import Page, escape, number

MOST = 20_000  # tokens on one page: a browser scrolls through that without a hitch
_LEGEND = "Orange with a solid line: positive. Blue with a dashed line: negative. Full colour: {scale}."


def highlight(
    tokens: Sequence[str] | Sequence[Sequence[str]],
    values: Any,
    title: str = "",
    labels: Sequence[str] | None = None,
    scale: float | None = None,
    numbers: bool = False,
) -> Page:
    """Colour tokens by a value each: positive orange, negative blue, zero plain; NaN has a dotted line.

    tokens [length] of str, or several contexts of different lengths; values of the same form: lists, arrays or a
    tensor. `labels`: a word before each context. `scale` is the value of the full colour (by default the largest
    |value| that is finite). The strongest value of each context stands beside its token, the others appear on hover
    or tap and are read out by a screen reader; `numbers=True` shows all of them.

    Raises ValueError where tokens and values don't fit each other, and for more than 20,000 tokens.
    """
    contexts, rows = _contexts(tokens, values)
    if labels is not None and len(labels) != len(contexts):
        raise ValueError(f"There are {len(contexts)} contexts and {len(labels)} labels: give one label per context.")
    if scale is None:
        scale = scale_of(rows)
    elif not scale > 0 or math.isinf(scale):
        raise ValueError(f"scale is the value that gets the full colour, a number above 0, not {scale}.")
    names = labels if labels is not None else [""] * len(contexts)
    body = "".join(context_html(*one, scale, name) for one, name in zip(zip(contexts, rows), names))
    head = f"<h2>{escape(title)}</h2>" if title else ""
    told = legend(scale) if body else '<p class="soft">There are no tokens to show.</p>'
    return Page(title or "Tokens", f"{head}{told}<div{' class=nums' if numbers else ''}>{body}</div>")


def legend(scale: float) -> str:
    """What the colours mean, in a sentence."""
    return f'<p class="soft">{_LEGEND.format(scale=escape(number(float(scale))))}</p>'


def scale_of(rows: Sequence[Sequence[float]]) -> float:
    """The largest finite |value|; 1 where all are zero."""
    sizes = (abs(value) for row in rows for value in row)
    return max((size for size in sizes if math.isfinite(size)), default=0) or 1.0


def context_html(tokens: Sequence[str], values: Sequence[float], scale: float, label: str = "") -> str:
    """One context as a paragraph."""
    sizes = [abs(value) if value == value else 0.0 for value in values]
    top = sizes.index(max(sizes)) if any(sizes) else -1
    text = "".join(_token(t, float(v), scale, i == top) for i, (t, v) in enumerate(zip(tokens, values)))
    named = f'<span class="lab">{escape(label)}</span>' if label else ""
    return f'<p class="ctx">{named}{text}</p>\n'


def _token(token: str, value: float, scale: float, is_top: bool) -> str:
    text = escape(str(token).replace("\n", "↵").replace("\t", "→"))
    if value == 0:
        return text
    kind = "x" if value != value else "p" if value > 0 else "n"
    kind, told = f'"{kind} t"' if is_top else kind, number(value)
    depth = "" if value != value else f" style=--a:{_depth(abs(value) / scale)}"
    return f"<mark class={kind}{depth}>{text or '∅'}<i> {told} </i></mark>"


def _depth(share: float) -> str:
    """The opacity of a colour, never so low that it can't be seen."""
    return f"{0.08 + 0.92 * min(share, 1.0):.2f}".lstrip("0")


def _contexts(tokens: Any, values: Any) -> tuple[list[list[str]], list[list[float]]]:
    if isinstance(tokens, str):
        raise ValueError("tokens is a list of strings, one per token, not one string: cut it up with the tokenizer.")
    tokens = list(tokens)
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    if not all(isinstance(t, str) for t in tokens):
        if any(isinstance(t, str) for t in tokens):
            raise ValueError("tokens mixes strings and lists: give one context [length], or a list of contexts.")
        tokens = [list(context) for context in tokens]
    else:
        tokens, values = ([tokens], [values]) if tokens else ([], [] if not values else [values])
    values = [v.tolist() if hasattr(v, "tolist") else v for v in values]
    n = sum(len(context) for context in tokens)
    if n > MOST:
        raise ValueError(
            f"{n:,} tokens are too many for one page, which takes {MOST:,}: show the contexts where something happens, "
            "as `dashboard` does, or a slice."
        )
    try:
        rows = [[float(value) for value in row] for row in values]
    except (TypeError, ValueError):
        raise ValueError("values must be numbers, one for each token, in the same form as tokens.") from None
    lengths, given = [len(t) for t in tokens], [len(row) for row in rows]
    if lengths != given:
        which = next((i for i, (a, b) in enumerate(zip(lengths, given)) if a != b), None)
        told = (
            f"{len(lengths)} contexts of tokens and {len(given)} of values"
            if which is None
            else f"{lengths[which]} tokens and {given[which]} values in context {which}"
        )
        raise ValueError(f"There are {told}: give one value per token.")
    return tokens, rows
