# %% [markdown]
# # Is your explanation true?
#
# You look at the places where a latent fires most, and the explanation jumps at you: *plural nouns*. All ten of the top
# ten are plural nouns. Is that an explanation of the latent, or of ten tokens? In this section you build the page on
# which people look at latents, coloured text, and then you measure what a glance at such a page can't tell.
#
# **At the end of this section** you will be able to colour a text by a latent without being fooled or hacked by it, and
# to estimate precision and recall of an explanation from a handful of tokens that somebody has to read.

# %% setup=1
import html

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict

POSITIVE = "230, 159, 0"  # orange, and
NEGATIVE = "86, 180, 233"  # blue: colour-blind readers can tell them apart

# %% [markdown]
# Text of the pocket world, and a dictionary of the stream after layer 2. `truth.labels` says what is true of each
# token: the explanations that we shall try.

# %%
SITE = "blocks.2.hook_resid_post"

pocket = lab("pocket")
text = pocket.world.sample(96, 96, seed=1)
tokens = torch.from_numpy(text.tokens)
words = [pocket.tokenizer.decode([i]) for i in range(len(pocket.tokenizer))]
dictionary = pocket.dictionary(SITE).requires_grad_(False)
f = dictionary.encode(pocket.activations(SITE, tokens))[:, 1:]  # sequence token d_sae: BOS is no text
truth = text.truth(1e-3)
labels = torch.from_numpy(truth.labels)  # token factor, all sequences one after the other
print(" ".join(words[i].strip() for i in tokens[0, 1:40].tolist()))

# %% [markdown]
# ## A page of coloured text
#
# What do people look at? A text, in which each token has a background: the stronger the latent, the deeper the colour.
# A page is a string of HTML, so one token is
#
# ```html
# <span style="background-color: rgba(230, 159, 0, 0.50)" title="1.250"> keys</span>
# ```
#
# Three numbers for red, green and blue, then how opaque the colour is, from 0 to 1, and in `title` the value that
# appears when the mouse rests on the token. Seven lines, and a surprising number of ways to lie:
#
# | what happens | what the page should do |
# |---|---|
# | a value is negative (a logit, an attribution) | another colour, as deep as $\lvert$value$\rvert$ is large |
# | two texts side by side | one scale for both: `max_value` |
# | a value is above `max_value`, or infinite | full colour, and no more |
# | all values are 0 | no colour, and no 0/0 |
# | a value is nan | no colour |
# | a token is `<b>`, or `&amp;`, or worse: `<script>…` | the page shows these characters; it must not *obey* them |
#
# The last one is no joke. Text from the web is full of HTML, and a page that doesn't escape it runs whatever somebody
# once wrote there. `html.escape` writes `<` as `&lt;` and so on; the browser shows the `<` again.


# %% exercise="create_html" points=3 minutes=25 difficulty=2 importance=4
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


# %%
check(create_html, shade)

# %% [markdown] hint=1
# Which values decide the scale if there is no `max_value`, and what if none of them is left, or all are 0? What would
# the browser make of a token that looks like HTML? Which of the two numbers of a token, its value or its shade, belongs
# into the colour, and which into the title?

# %% [markdown] hint=2
# `values[values.isfinite()].abs()` are the sizes that count. `clamp` cuts off at both ends, also ±inf, and `nan_to_num`
# comes last. `html.escape` belongs around the token before anything else is added to it. `zip` stops at the shorter of
# its lists without a word: look at the lengths first.

# %% [markdown] hint=3
# `(values / max_value).clamp(-1, 1)` has the sign and the depth, and nan where values had it. Each span is an f-string
# with `abs(depth):.2f` in the colour, `value:.3f` in the title, and `html.escape(text)` between the tags. Where does ↵
# go, and what is `max_value` if the largest size is 0?

# %% [markdown]
# The page for one latent, four texts on one scale. (`viewers.highlight` is this page grown up: it is readable in dark
# mode, on a phone, and by a screen reader, which a background colour alone is not.)

# %%
on = f.flatten(0, 1) > 0
often = (on.sum(dim=0) >= 100).nonzero()[:, 0]
latent = often[len(often) // 2].item()  # try others
rows = f[..., latent].amax(dim=1).argsort(descending=True)[:4]
scale = f[..., latent].max().item()
parts = []
for row in rows.tolist():
    peak = f[row, :, latent].argmax().item()
    there = slice(max(0, peak - 10), peak + 4)
    strings = [words[i] for i in tokens[row, 1:][there].tolist()]
    parts.append(f"<p>{create_html(strings, f[row, there, latent], scale)}</p>")


class Show(str):
    """HTML that a notebook shows as a page. Black on white, also in a dark theme."""

    def _repr_html_(self):
        return f'<div style="color: black; background-color: white; padding: 0.5em">{self}</div>'


Show(f"<b>Latent {latent}</b>" + "".join(parts))

# %% [markdown]
# ## From a glance to two numbers
#
# Such a page shows the top of the distribution. Say you read it and come up with an explanation: a rule that says of
# each token whether the latent should be on, "plural noun", say. Two questions then:
#
# - **precision**: of the tokens that the rule names, at how many is the latent on?
# - **recall**: of the tokens where the latent is on, how many does the rule name?
#
# The top ten can't answer either. All of them are tokens where the latent is on, so a rule that names *every* token of
# the text would fit all ten. And they are the strongest: at most of the places where a latent is on, it is on weakly.
# Do rules that fit at the top fit there?
#
# To know, somebody has to read tokens of all strengths, and reading is what costs. So sample. Cut the range from 0 to
# the largest activation $M$ into $n$ bands of the same width: band $i$ holds the activations above $M(i-1)/n$ up to
# $Mi/n$, and band 0 the tokens where the latent is off. Read the same number of tokens in each band. (Bricken et al.
# [2023](https://transformer-circuits.pub/2023/monosemantic-features) had people rate latents so, from interval to
# interval.)
#
# But the bands aren't equally full. Band 0 has nearly all tokens and the top band a handful. Each token that was read
# stands for others of its band: if band $b$ has $N_b$ tokens and $n_b$ of them were read, each of these has the weight
# $w = N_b/n_b$. Then, over the tokens that were read,
#
# $$\text{precision} = \frac{\sum_{\text{on and named}} w}{\sum_{\text{named}} w},\qquad
# \text{recall} = \frac{\sum_{\text{on and named}} w}{\sum_{\text{on}} w}$$
#
# | case | |
# |---|---|
# | all tokens are read | every weight is 1: the exact figures |
# | a weak band of 90 tokens, a strong one of 10; one of each is read, the strong one is named | recall 0.1, not 0.5 |
# | only tokens where the latent is on are read | precision 1 for any rule: the mistakes are in band 0 |
# | nothing is named, or the latent is never on | precision or recall nan |


# %% exercise="precision_recall" points=4 minutes=40 difficulty=3 importance=5
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


# %%
check(precision_recall, intervals, interval_sample)

# %% [markdown] hint=1
# Which function takes every number above $i-1$ up to $i$ to $i$? How many tokens does each band have, and how many of
# them were read? A token that was read in band 0 stands for how many others?

# %% [markdown] hint=2
# `ceil` makes bands of shares of the maximum (mind a latent that is off everywhere: 0/0). With `order = key.argsort()`,
# what is `bands[order] == band`? `bincount` counts how often each band occurs, in all of the text and among
# `bands[read]`.

# %% [markdown] hint=3
# With `size = bands.bincount()` and `count = bands[read].bincount(minlength=len(size))`, a token's weight is
# `(size / count)[bands[read]]`. Both figures have the weights of `on & named` above the line. What stands below it in
# each?

# %% [markdown]
# Now take every latent that fires often enough, and find the explanation with the highest F1 for it, among all factors
# of the text, on the first half of the text. On the second half, see how large a share of the tokens it names, band by
# band. Before you look:

# %%
guess_top = predict("Mean share of tokens that the best explanation names in the top fifth of the range?", ...)
guess_low = predict("And in the bottom fifth?", ...)

# %%
N_BANDS = 5
LEAST_F1 = 0.3  # explanations that fit worse than this are left out

flat = f.flatten(0, 1)
half = len(flat) // 2


def f1_of_all(on, labels):
    """F1 of every factor as an explanation of every latent, [d_sae, factor]."""
    on, labels = on.float(), labels.float()
    return 2 * (on.T @ labels) / (on.sum(dim=0)[:, None] + labels.sum(dim=0)).clamp_min(1)


best = f1_of_all(flat[:half] > 0, labels[:half]).max(dim=1)
explained = ((flat[half:] > 0).sum(dim=0) >= 30) & (best.values >= LEAST_F1)
shares = []
for i in explained.nonzero()[:, 0].tolist():
    bands = intervals(flat[half:, i], N_BANDS)
    named = labels[half:, best.indices[i]].double()
    shares.append([named[bands == band].mean() for band in range(N_BANDS + 1)])  # nan where a band is empty
mean_share = torch.tensor(shares).nanmean(dim=0)
print(f"{len(shares)} latents")
plots.bars(
    mean_share,
    ["off", *(f"{20 * i}–{20 * i + 20}%" for i in range(N_BANDS))],
    title="How often the explanation is true, by strength of the latent",
    x_title="activation, of the latent's maximum",
    y_title="mean share of tokens named",
)

# %%
guess_top.came_out(mean_share[-1], within=0.1)
guess_low.came_out(mean_share[1], within=0.1)

# %% [markdown]
# And how good is the estimate from few tokens? For the same latents: the exact figures of each explanation, which can
# be had here since the world knows all labels. Beside them what reading 8 tokens of each band gives, the same tokens
# without weights, the top ten alone, and, for precision, eight tokens drawn from those that the rule names.

# %%
PER_BAND = 8

generator = torch.Generator().manual_seed(0)
exact, weighted, unweighted, top_ten, of_named = [], [], [], [], []
for i in explained.nonzero()[:, 0].tolist():
    acts = flat[half:, i]
    named = labels[half:, best.indices[i]]
    bands = intervals(acts, N_BANDS)
    read = interval_sample(bands, PER_BAND, torch.rand(len(bands), generator=generator))
    everything = torch.arange(len(bands))
    exact.append(precision_recall(bands, everything, named))
    weighted.append(precision_recall(bands, read, named[read]))
    unweighted.append(precision_recall(bands[read], torch.arange(len(read)), named[read]))  # as if that were the text
    top_ten.append(named[acts.topk(10).indices].double().mean().item())
    there = named.nonzero()[:, 0]
    some = there[torch.randperm(len(there), generator=generator)[:PER_BAND]]
    of_named.append((acts[some] > 0).double().mean().item())
exact, weighted, unweighted = (torch.tensor(rows) for rows in (exact, weighted, unweighted))
table = {
    "exact": exact.nanmean(dim=0),
    "weighted": weighted.nanmean(dim=0),
    "not weighted": unweighted.nanmean(dim=0),
    "top ten": torch.tensor([torch.nan, sum(top_ten) / len(top_ten)]),
    "of those named": torch.tensor([torch.tensor(of_named).nanmean(), torch.nan]),
}
for name, (precision, recall) in table.items():
    print(f"{name:<14} mean precision {precision:5.2f}   mean recall {recall:.2f}")
plots.scatter(
    {
        "weighted": torch.stack([exact[:, 1], weighted[:, 1]], dim=1),
        "top ten": torch.stack([exact[:, 1], torch.tensor(top_ten)], dim=1),
    },
    title="Recall of an explanation: estimated, and true",
    x_title="exact recall",
    y_title="estimate",
)

# %%
# What the text says of this model. Seen: .20 in the bottom band, .76 in the top one; recall .58 exact and weighted, .75
# for the top ten; precision .56 exact, .91 weighted, .57 from tokens that the rule names.
assert mean_share[-1] > mean_share[1] + 0.25 and mean_share[1] > mean_share[0], mean_share
assert (table["weighted"] - table["exact"]).abs()[1] < 0.06 < (table["top ten"] - table["exact"])[1] - 0.04, table
assert min(table["weighted"][0], table["not weighted"][0]) > table["exact"][0] + 0.1, table
assert abs(table["of those named"][0] - table["exact"][0]) < 0.08, table

# %% [markdown]
# The best explanations are mostly true at the top and much more rarely at the bottom, of the very same latents. So the
# top ten flatters, and not a little. Reading eight tokens of each band gives the right recall on average, though for a
# single latent it can be off: a handful of tokens stands for all of a band.
#
# Precision is another matter. It comes out much too high, with weights and without. Why? The false alarms are in band
# 0, which has nearly all of the text, and the rule names perhaps one token in fifty there. Among eight of them it
# mostly names none, and once in a while one that then stands for hundreds. So read where the mistakes can be: to judge
# recall, tokens where the latent is on, and to judge precision, tokens that the *rule* names. A rule that a program can
# read finds these by itself, and eight of them are enough for the right answer on average.
#
# What does a low recall say? Two things look alike here. Either the explanation is too narrow, since the latent means
# more than you saw; or the weak activations are noise, and mean nothing. The picture can't tell. (What happens to the
# model when only the weak activations are taken away? That is an experiment for later in this chapter.) Nor does a
# high figure say that the explanation is *the* reason: whatever goes together in the text explains equally well.
#
# And a caution that costs many papers their result: the explanations were chosen on one half of the text and judged on
# the other. Choose and judge on the same tokens, and even a random rule looks better than it is.
#
# **An experiment of your own.** Fewer bands, or more? Choose how many tokens you are willing to read per latent and how
# to spread them. How far off will the estimated recall be, on average over the latents? (0.1: ten of a hundred tokens.)

# %%
my_bands, my_per_band = 2, 20  # 1 to 20 bands; about 60 tokens in all (above: 6 bands with 8)

guess_error = predict(
    f"{my_bands} bands and band 0, {my_per_band} tokens each: how far off is the estimated recall, on average?",
    ...,
)

# %%
latents = explained.nonzero()[:, 0].tolist()


def mean_error(n_bands, per_band):
    errors = []
    for row, i in enumerate(latents):
        bands = intervals(flat[half:, i], n_bands)
        read = interval_sample(bands, per_band, torch.rand(len(bands), generator=generator))
        _, recall = precision_recall(bands, read, labels[half:, best.indices[i]][read])
        errors.append(abs(recall - exact[row, 1].item()))
    return sum(errors) / len(errors)


print(f"{N_BANDS} bands, {PER_BAND} tokens each: off by {mean_error(N_BANDS, PER_BAND):.3f}")
guess_error.came_out(mean_error(my_bands, my_per_band), within=0.03)

# %% [markdown]
# **The same on gpt2-small**, where a hub can be reached: nobody knows the labels there, so the rule has to be one that
# a program can read, such as "the token begins with a capital letter".

# %%
try:
    gpt2 = lab("gpt2-small")
    gpt2_site = "blocks.8.hook_resid_pre"
    gpt2_dictionary = gpt2.dictionary(gpt2_site)
    there = gpt2.tokens(16, 64)
    gpt2_acts = gpt2_dictionary.encode(gpt2.activations(gpt2_site, there))[:, 1:].flatten(0, 1)
    capital = torch.tensor([gpt2.tokenizer.decode([i]).strip()[:1].isupper() for i in there[:, 1:].flatten().tolist()])
    hits = f1_of_all(gpt2_acts > 0, capital[:, None])[:, 0]
    bands = intervals(gpt2_acts[:, hits.argmax()], N_BANDS)
    print(precision_recall(bands, torch.arange(len(bands)), capital))
except (FileNotFoundError, MemoryError) as error:
    print(f"Skipped: {error}")


# %% misconception="create_html" part="shade"
def largest_value_not_largest_size(values, max_value=None):
    "The scale is the largest value. A negative one may be larger in size, and is cut off: take the largest |value|."
    finite = values[values.isfinite()]
    top = finite.max().item() if len(finite) else 0.0
    return shade(values, max_value if max_value is not None else top if top > 0 else 1.0)


# %% misconception="create_html" part="shade"
def from_the_smallest_to_the_largest(values, max_value=None):
    "The colours run from the smallest value to the largest, so that 0 is coloured. 0 should have no colour."
    finite = values[values.isfinite()]
    low, high = finite.min(), finite.max()
    return ((values - low) / (high - low).clamp_min(1e-9)).clamp(-1, 1).nan_to_num(0.0)


# %% misconception="create_html" part="shade"
def sign_is_lost(values, max_value=None):
    "All shades are positive. A negative value needs a negative shade, or it can't get its own colour."
    return shade(values, max_value).abs()


# %% misconception="create_html" part="shade"
def negative_values_are_dropped(values, max_value=None):
    "Negative values get no colour. Their shade is negative, down to -1."
    return shade(values, max_value).clamp_min(0)


# %% misconception="create_html" part="shade"
def nothing_is_cut_off(values, max_value=None):
    "Shades go beyond 1 where a value is above max_value. Cut them off at -1 and 1."
    sizes = values[values.isfinite()].abs()
    top = sizes.max().item() if len(sizes) and sizes.max() > 0 else 1.0
    return torch.where(values.isnan(), 0.0, values / (max_value or top))


# %% misconception="create_html" part="shade"
def zero_over_zero(values, max_value=None):
    "If all values are 0 they are divided by 0, and the shades are nan. They should be 0."
    return (values / (max_value or values[values.isfinite()].abs().max().item())).clamp(-1, 1)


# %% misconception="create_html" part="shade"
def never_quite_full(values, max_value=None):
    "Something was added to the scale, so the largest value doesn't get the full colour."
    sizes = values[values.isfinite()].abs()
    return shade(values, max_value if max_value is not None else sizes.amax().item() + 1e-3 if len(sizes) else 1.0)


# %% misconception="create_html" part="shade"
def max_value_is_ignored(values, max_value=None):
    "max_value has no effect: two texts side by side then have two scales."
    return shade(values)


# %% misconception="create_html"
def nothing_is_escaped(strings, values, max_value=None):
    "The tokens' text is not escaped. A token like <b> is then taken for HTML, and a script would be run."
    page = create_html(["\0"] * len(strings), values, max_value)
    parts = page.split("\0")
    return "".join(a + b.replace("\n", "↵") for a, b in zip(parts, [*strings, ""]))


# %% misconception="create_html"
def escapes_only_the_angle_brackets(strings, values, max_value=None):
    "Only < and > are escaped. A token such as &lt; would be shown as <: the & needs escaping too, and first."
    parts = create_html(["\0"] * len(strings), values, max_value).split("\0")
    shown = [text.replace("<", "&lt;").replace(">", "&gt;").replace("\n", "↵") for text in strings]
    return "".join(a + b for a, b in zip(parts, [*shown, ""]))


# %% misconception="create_html"
def escapes_twice(strings, values, max_value=None):
    "The text is escaped twice, so that the page shows &lt; where the token has <."
    return create_html([html.escape(text) for text in strings], values, max_value)


# %% misconception="create_html"
def one_colour_for_both_signs(strings, values, max_value=None):
    "Negative values have the colour of positive ones. They need NEGATIVE."
    return create_html(strings, values, max_value).replace(NEGATIVE, POSITIVE)


# %% misconception="create_html"
def colours_the_wrong_way_round(strings, values, max_value=None):
    "POSITIVE and NEGATIVE are exchanged."
    page = create_html(strings, values, max_value).replace(NEGATIVE, "\0")
    return page.replace(POSITIVE, NEGATIVE).replace("\0", POSITIVE)


# %% misconception="create_html"
def spaces_are_stripped(strings, values, max_value=None):
    "The tokens lost their spaces, so the words run together and ' cat' looks like 'cat'."
    return create_html([text.strip(" ") for text in strings], values, max_value)


# %% misconception="create_html"
def stops_at_the_shorter(strings, values, max_value=None):
    "With fewer values than tokens the rest of the text is dropped without a word. Raise ValueError."
    n = min(len(strings), len(values))
    return create_html(list(strings)[:n], values[:n], max_value)


# %% alternative="create_html" part="shade"
def value_by_value(values, max_value=None):
    sizes = [abs(v) for v in values.tolist() if v == v and abs(v) != float("inf")]
    top = max_value if max_value is not None else max(sizes, default=0.0) or 1.0
    result = [0.0 if v != v or v == 0 else max(-1.0, min(1.0, v / top)) for v in values.tolist()]
    return torch.tensor(result, dtype=values.dtype)


# %% alternative="create_html"
def another_style(strings, values, max_value=None):
    if len(strings) != len(values):
        raise ValueError("lengths differ")
    page = ""
    for text, value, depth in zip(strings, values.tolist(), shade(values, max_value).tolist()):
        text = text.replace("&", "&amp;").replace("<", "&#60;").replace(">", "&#62;").replace("\n", "&#8629;")
        colour = NEGATIVE if depth < 0 else POSITIVE
        page += (
            f"<span title='{value:.3f}' style='background-color:rgba({colour}, {round(abs(depth), 2)})'>{text}</span>"
        )
    return page


# %% misconception="precision_recall" part="intervals"
def bands_equally_full(acts, n):
    "These bands hold equally many tokens. They should be equally wide, from 0 to the largest activation."
    on = acts > 0
    rank = acts[on].argsort().argsort()
    bands = torch.zeros(len(acts), dtype=torch.long)
    bands[on] = rank * n // max(1, len(rank)) + 1
    return bands


# %% misconception="precision_recall" part="intervals"
def off_counts_as_weak(acts, n):
    "Tokens where the latent is off are in band 1. They need a band of their own, 0."
    return intervals(acts, n).clamp_min(1)


# %% misconception="precision_recall" part="intervals"
def from_the_weakest(acts, n):
    "The bands begin at the weakest activation. They begin at 0."
    on = acts > 0
    low = acts[on].min() if on.any() else torch.tensor(0.0)
    bands = ((acts - low) / (acts.max() - low).clamp_min(1e-12) * n).ceil().clamp(1, n).long()
    return torch.where(on, bands, 0)


# %% misconception="precision_recall" part="intervals"
def rounds_down(acts, n):
    "The bands are rounded down and count from 0, so that weak activations share a band with those that are off."
    return (acts / acts.max().clamp_min(1e-12) * n).floor().clamp(0, n).long()


# %% misconception="precision_recall" part="intervals"
def upper_end_belongs_to_the_next(acts, n):
    "An activation at a band's upper end is in the next band. The end is included."
    bands = (acts / acts.max().clamp_min(1e-12) * n).floor().long() + 1
    return torch.where(acts > 0, bands.clamp_max(n), 0)


# %% misconception="precision_recall" part="precision_recall"
def not_weighted(bands, read, named):
    "All tokens that were read count the same. A token of a full band stands for many, one of a thin band for few."
    on = bands[read] > 0
    hits = (on & named).sum()
    return (hits / named.sum()).item(), (hits / on.sum()).item()


# %% misconception="precision_recall" part="precision_recall"
def mean_over_the_bands(bands, read, named):
    "Recall is the plain mean of the bands' shares. Bands have different numbers of tokens: weight them by that."
    shares = [named[bands[read] == b].double().mean() for b in bands[read].unique() if b > 0]
    recall = torch.stack(shares).mean().item() if shares else float("nan")
    return precision_recall(bands, read, named)[0], recall


# %% misconception="precision_recall" part="precision_recall"
def exchanged(bands, read, named):
    "Precision and recall are exchanged. Precision is out of what the rule names, recall out of where the latent is on."
    return precision_recall(bands, read, named)[::-1]


# %% misconception="precision_recall" part="precision_recall"
def only_where_it_is_on(bands, read, named):
    "Only tokens where the latent is on were looked at, so precision is 1 for any rule. False alarms are in band 0."
    on = bands[read] > 0
    return precision_recall(bands, read[on], named[on])


# %% misconception="precision_recall" part="precision_recall"
def weights_upside_down(bands, read, named):
    "The weights are upside down: (tokens read in the band) / (tokens in the band). One token read stands for several."
    size = bands.bincount().double()
    weight = (bands[read].bincount(minlength=len(size)) / size.clamp_min(1))[bands[read]]
    on = bands[read] > 0
    hits = weight[on & named].sum()
    return (hits / weight[named].sum()).item(), (hits / weight[on].sum()).item()


# %% misconception="precision_recall" part="precision_recall"
def size_of_the_band_alone(bands, read, named):
    "Each token has the size of its band as weight. Divide that by how many tokens of the band were read."
    weight = bands.bincount().double()[bands[read]]
    on = bands[read] > 0
    hits = weight[on & named].sum()
    return (hits / weight[named].sum()).item(), (hits / weight[on].sum()).item()


# %% misconception="precision_recall" part="precision_recall"
def zero_for_nan(bands, read, named):
    "0/0 came out as 0. If the rule names nothing, or the latent is never on, there is nothing to say: nan."
    precision, recall = precision_recall(bands, read, named)
    return 0.0 if precision != precision else precision, 0.0 if recall != recall else recall


# %% misconception="precision_recall" part="interval_sample"
def the_first_of_each_band(bands, per_band, key):
    "The first tokens of each band were taken. Early tokens are no fair sample: the keys decide."
    return interval_sample(bands, per_band, torch.arange(len(bands)))


# %% misconception="precision_recall" part="interval_sample"
def the_largest_keys(bands, per_band, key):
    "The tokens with the largest keys were taken. That is as random, but asked are the smallest."
    return interval_sample(bands, per_band, -key)


# %% misconception="precision_recall" part="interval_sample"
def leaves_out_the_tokens_that_are_off(bands, per_band, key):
    "Band 0 is missing. Without it nobody sees where the rule names a token and the latent is off."
    there = interval_sample(bands, per_band, key)
    return there[bands[there] > 0]


# %% misconception="precision_recall" part="interval_sample"
def draws_from_all_tokens(bands, per_band, key):
    "The tokens were drawn from the whole text, so that hardly any is in a thin band. Draw within each band."
    return key.argsort()[: per_band * len(bands.unique())].sort().values


# %% misconception="precision_recall" part="interval_sample"
def only_the_strongest_band(bands, per_band, key):
    "Only the strongest band was read. Each band counts, the weak ones and 0 too."
    there = interval_sample(bands, per_band, key)
    return there[bands[there] == bands.max()]


# %% alternative="precision_recall" part="intervals"
def by_comparing_with_the_ends(acts, n):
    ends = acts.max().double() * torch.arange(n) / n
    return (acts.double()[:, None] > ends).sum(dim=1)


# %% alternative="precision_recall" part="interval_sample"
def token_after_token(bands, per_band, key):
    taken, result = {}, []
    for i in sorted(range(len(bands)), key=lambda i: key[i].item()):
        band = bands[i].item()
        taken[band] = taken.get(band, 0) + 1
        if taken[band] <= per_band:
            result.append(i)
    return torch.tensor(sorted(result))


# %% alternative="precision_recall"
def token_by_token(bands, read, named):
    both = names = on = 0.0
    for place, is_named in zip(read.tolist(), named.tolist()):
        band = bands[place]
        weight = (bands == band).sum().item() / (bands[read] == band).sum().item()
        both += weight * bool(is_named and band > 0)
        names += weight * is_named
        on += weight * bool(band > 0)
    return both / names if names else float("nan"), both / on if on else float("nan")
