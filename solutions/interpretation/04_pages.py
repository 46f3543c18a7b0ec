# Generated from chapters/interpretation/04_pages.py by `saelab build`: edit that file, not this one.
"""Is your explanation true?: the exercises of this section, solved."""

import html

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict

POSITIVE = "230, 159, 0"  # orange, and
NEGATIVE = "86, 180, 233"  # blue: colour-blind readers can tell them apart


def shade(values: Float[Tensor, "token"], max_value: float | None = None) -> Float[Tensor, "token"]:
    """Colour of each token, from -1 (full negative) over 0 (none) to 1: value / max_value, cut off at -1 and 1.

    Without max_value it is the largest finite |value|. nan gets 0, and if all finite values are 0 they get 0 too.

    >>> shade(torch.tensor([1.0, -4.0, float("nan"), 0.0]))
    tensor([ 0.2500, -1.0000,  0.0000,  0.0000])
    >>> shade(torch.tensor([1.0, -4.0, float("nan"), 0.0]), max_value=2.0)
    tensor([ 0.5000, -1.0000,  0.0000,  0.0000])
    """
    # BEGIN SOLUTION
    if max_value is None:
        finite = values[values.isfinite()].abs()
        max_value = finite.max().item() if len(finite) and finite.max() > 0 else 1.0
    return (values / max_value).clamp(-1, 1).nan_to_num(0.0)
    # END SOLUTION


def create_html(strings: list[str], values: Float[Tensor, "token"], max_value: float | None = None) -> str:
    """One span per token, one after the other and nothing else, in the form above.

    The colour is POSITIVE or NEGATIVE, as opaque as `shade` says, with two decimals; 0 may have either colour. The
    title is the value itself with three decimals. The text is the token, spaces and all, escaped; a line break is shown
    as ↵. Raises ValueError if there are not as many strings as values.

    >>> print(create_html([" a<b"], torch.tensor([-0.5]), max_value=2.0))
    <span style="background-color: rgba(86, 180, 233, 0.25)" title="-0.500"> a&lt;b</span>
    """
    # BEGIN SOLUTION
    if len(strings) != len(values):
        raise ValueError(f"There are {len(strings)} strings and {len(values)} values.")
    spans = []
    for text, value, depth in zip(strings, values.tolist(), shade(values, max_value).tolist()):
        colour = f"rgba({POSITIVE if depth > 0 else NEGATIVE}, {abs(depth):.2f})"
        shown = html.escape(text).replace("\n", "↵")
        spans.append(f'<span style="background-color: {colour}" title="{value:.3f}">{shown}</span>')
    return "".join(spans)
    # END SOLUTION


def intervals(acts: Float[Tensor, "token"], n: int) -> Int[Tensor, "token"]:
    """Band of each token: 0 where the latent is off (acts is 0), else 1 to n, of equal width from 0 to the largest.

    Band i holds acts above max · (i - 1) / n, up to and including max · i / n.

    >>> intervals(torch.tensor([0.0, 0.1, 4.0, 8.0, 4.1]), 2)
    tensor([0, 1, 1, 2, 2])
    """
    # BEGIN SOLUTION
    return (acts / acts.max().clamp_min(1e-12) * n).ceil().clamp(0, n).long()
    # END SOLUTION


def interval_sample(bands: Int[Tensor, "token"], per_band: int, key: Float[Tensor, "token"]) -> Int[Tensor, "read"]:
    """Which tokens to read: in each band, 0 included, the `per_band` tokens with the smallest keys, or all if fewer.

    `key` has a random number per token, no two the same: that makes it a draw without replacement. The result has the
    tokens' places in the text, in rising order.

    >>> interval_sample(torch.tensor([0, 2, 0, 0]), 2, torch.tensor([0.9, 0.8, 0.1, 0.3]))
    tensor([1, 2, 3])
    """
    # BEGIN SOLUTION
    order = key.argsort()  # one draw for all bands: within each, the first are kept
    kept = [order[bands[order] == band][:per_band] for band in bands.unique()]
    return torch.cat(kept).sort().values
    # END SOLUTION


def precision_recall(
    bands: Int[Tensor, "token"], read: Int[Tensor, "read"], named: Bool[Tensor, "read"]
) -> tuple[float, float]:
    """(precision, recall) of a rule in the whole text, estimated from the tokens that were read.

    `bands` is for the whole text (`intervals`), `read` has places of tokens (`interval_sample`), and `named` says which
    of these the rule names. Each counts for its band: tokens in the band / tokens read in the band. nan for 0/0.

    >>> precision_recall(torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 1, 4]), torch.tensor([True, False, True]))
    (0.5, 1.0)
    """
    # BEGIN SOLUTION
    size = bands.bincount().double()
    weight = (size / bands[read].bincount(minlength=len(size)))[bands[read]]
    on = bands[read] > 0
    hits = weight[on & named].sum()
    return (hits / weight[named].sum()).item(), (hits / weight[on].sum()).item()
    # END SOLUTION
