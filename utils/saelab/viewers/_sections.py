"""The parts of a dashboard, each a piece of HTML."""

import math

import torch
from torch import Tensor

from ._page import Raw, escape, number, table
from ._statistics import EDGES, LatentStatistics
from ._tokens import context_html, legend, scale_of

WIDTH, HEIGHT, BASE = 360, 110, 88  # of a histogram, in its own units


def histogram(tokens: Tensor, maximum: float) -> str:
    """Bars over a logarithmic axis, as a picture with a description in words; tokens [bins] counts them."""
    counts = tokens.tolist()
    on = [i for i, count in enumerate(counts) if count]
    if not on:
        return '<p class="soft">It never fired on this text.</p>'
    first, last = on[0], on[-1]
    edges = EDGES.tolist()
    step, tallest = WIDTH / (last - first + 1), max(counts)
    bars = []
    for i in on:
        x, height = (i - first) * step, BASE * counts[i] / tallest
        told = f"{number(edges[i])} to {number(edges[i + 1])}: {counts[i]:,} tokens"
        bars.append(
            f'<rect x="{x:.1f}" y="{BASE - height:.1f}" width="{max(step - 1, 1):.1f}" height="{height:.1f}">'
            f"<title>{told}</title></rect>"
        )
    low, high = number(edges[first]), number(edges[last + 1])
    told = f"Histogram of {sum(counts):,} activations above 0, from {low} to {high}, on a logarithmic axis."
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{told}">{"".join(bars)}'
        f'<text x="0" y="{HEIGHT - 6}">{low}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end">{high}</text></svg>'
        f'<p class="soft">{told} Largest: {number(maximum)}.</p>'
    )


def contexts(statistics: LatentStatistics, latent: int, words: list[str], top: int = 10, each: int = 3) -> str:
    """Top, interval and random contexts, all on one scale."""
    row = statistics.row(latent)
    scale = float(statistics.maximum[row]) or 1.0

    def shown(windows) -> str:
        return "".join(context_html([words[t] for t in tokens], values, scale) for tokens, values in windows)

    parts = ["<h2>Top contexts</h2>", legend(scale), shown(statistics.top.of(row)[:top]) or _NEVER]
    for i, (low, high, windows) in enumerate(statistics.intervals(latent), start=1):
        parts.append(
            f"<h2>Interval {i} of its activations: {number(low)} to {number(high)}</h2>{shown(windows[:each])}"
        )
    parts.append("<h2>Random contexts</h2>")
    parts.append('<p class="soft">From all text, wherever this latent fires or not; most latents are off here.</p>')
    for tokens, values in list(zip(statistics.random_tokens, statistics.random_values[..., row]))[:each]:
        inside = tokens >= 0
        parts.append(shown([(tokens[inside].tolist(), values[inside].tolist())]))
    return "".join(parts)


_NEVER = '<p class="soft">It never fired on this text.</p>'


def promoted(logits: Tensor, words: list[str], n: int = 10) -> str:
    """The tokens whose logits a latent raises and lowers most; logits [d_vocab]."""
    n = min(n, len(logits) // 2)
    up, down = logits.topk(n), (-logits).topk(n)
    tables = [
        table(
            ["token", "logit"], [[_seen(words[i]), float(v)] for i, v in zip(side.indices.tolist(), values)], name, (1,)
        )
        for name, side, values in (("Promoted", up, up.values), ("Suppressed", down, -down.values))
    ]
    return (
        f'<h2>Next tokens that it promotes and suppresses</h2><div class="side"><div>{tables[0]}</div>'
        f'<div>{tables[1]}</div></div><p class="soft">Logit lens: its decoder direction through the final LayerNorm, '
        "weights folded in and scale left at 1, and W_U; the mean over the vocabulary is 0. The direct path "
        "only: what later layers make of it is not in here.</p>"
    )


def _seen(token: str) -> str:
    """A token whose spaces can be seen at its ends."""
    return token.replace("\n", "↵") if token.strip() == token and token else f"“{token}”".replace("\n", "↵")


def co_firing(statistics: LatentStatistics, latent: int, link: str = "", n: int = 8) -> str:
    """The latents that fire with this one more often than by chance, beside their null."""
    row = statistics.row(latent)
    both, null = statistics.cofiring[row].double(), statistics.cofiring_null[row].double()
    mine, others = both[latent], (statistics.density_all.double() * statistics.tokens).round()
    overlap = both / (mine + others - both).clamp(min=1)
    overlap[latent] = -1
    overlap[both <= null] = -1
    rows: list[list[object]] = []
    for i in overlap.topk(min(n, len(overlap))).indices.tolist():
        if overlap[i] > 0:
            name = Raw(f'<a href="{link.format(i)}">{i}</a>') if link else str(i)
            shares = (both[i] / mine, null[i] / mine, both[i] / others[i])
            rows.append([name, float(overlap[i]), *(f"{float(share):.1%}" for share in shares)])
    told = "Where this latent fires, how often does the other? Null: the other read at the same place of another text"
    head = ["latent", "overlap", "of its firings", "null", "of the other's firings"]
    return "<h2>Latents that fire with it</h2>" + table(head, rows, told, (1, 2, 3, 4))


def factors(best: tuple[str, float, float, float] | None, single: list[list[object]], tokens: int) -> str:
    """What is known to be true of the text where it fires."""
    if best is None and not single:
        told = f"Too few firings in {tokens:,} tokens to say."
        return f'<h2>What it matches in the pocket world</h2><p class="soft">{told}</p>'
    head = ["description", "precision", "recall", "F1", "F1 by chance"]
    rows = [list(row) for row in single]
    if best is not None:
        rows = [[f"best: {best[0]}", *best[1:], "–"], *rows]
    told = (
        f"Found on one half of {tokens:,} tokens, measured on the other; the best one may be a pair of factors. By "
        "chance: a latent that always fires"
    )
    return "<h2>What it matches in the pocket world</h2>" + table(head, rows, told, (1, 2, 3, 4))


def reading(texts: list[list[str]], heads: Tensor, sources: list[list[float]]) -> str:
    """Heads [n, heads] and source tokens of an attention latent, in n texts that end where it fires."""
    mean = heads.mean(0)
    spread = heads.std(0) if len(heads) > 1 else torch.full_like(mean, math.nan)
    rows: list[list[object]] = [[f"head {h}", float(mean[h]), float(spread[h])] for h in range(len(mean))]
    rows.sort(key=lambda row: -abs(float(row[1])))  # type: ignore[arg-type]
    scale = scale_of(sources)
    text = "".join(context_html(tokens, source, scale) for tokens, source in zip(texts, sources))
    told = f"Contribution to its pre-activation, mean and standard deviation over {len(texts)} top contexts"
    return (
        f"<h2>Heads that it reads</h2>{table(['head', 'mean', 's.d.'], rows, told, (1, 2))}"
        "<h2>Source tokens that it reads, in its top contexts</h2>"
        f'<p class="soft">Each text ends where the latent fires.</p>{legend(scale)}{text}'
    )


def facts(statistics: LatentStatistics, latent: int) -> str:
    """Density, maximum and mean in a sentence."""
    row = statistics.row(latent)
    density, mean = float(statistics.density[row]), float(statistics.mean[row])
    told = f"It fires on {density:.3%} of {statistics.tokens:,} tokens"
    if density:
        told += f", there {number(mean)} on average and {number(float(statistics.maximum[row]))} at most"
    return f"<p>{escape(told)}.</p>"
