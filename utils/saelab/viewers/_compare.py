"""Two dictionaries side by side: which latents have a partner, and what only one of them has."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ._dashboard import Dictionary, middle
from ._page import Page, escape, number, table
from ._statistics import latent_statistics

MATCHED, ALONE = 0.7, 0.4  # |cos| of partners; below the second a latent has nothing like it on the other side


@torch.no_grad()
def matched_latents(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """For decoders W_dec [m, d] and [k, d]: the best |cos| of each row of the first, and with which row: both [m]."""
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"These decoders write into spaces of {first.shape[1]} and {second.shape[1]} dimensions: compare "
            "dictionaries of the same hook point."
        )
    cosine = F.normalize(first.float(), dim=1) @ F.normalize(second.float(), dim=1).T
    best, partner = cosine.abs().max(1)
    return best, partner


def compare(lab, first: tuple | str, second: tuple | str, other_lab=None, tokens: Tensor | None = None) -> Page:
    """A page on two dictionaries: latents matched by |cos| of their decoders, and those that only one of them has.

    Each is (site, architecture, seed), the last ones left out as in `lab.dictionary`, or the name of a site, or of an
    architecture at the middle of the residual stream; the second may be
    another lab's (`other_lab=lab.control("second_seed")`). Latents that never fire on the text are left out. Beside
    the figures stands a null: as many random directions. Raises ValueError where the decoders' spaces differ in size.
    """
    sides = [_side(lab, first, tokens)]
    sides.append(_side(other_lab or lab, second, sides[0].tokens))
    names = [side.name for side in sides]
    matched_latents(*(side.sae.W_dec for side in sides))
    stats = [latent_statistics(side.lab, side.site, side.tokens, side.sae, sample=1, random=1) for side in sides]
    live = [s.density.nonzero()[:, 0] for s in stats]
    decoders = [side.sae.W_dec.detach()[i].cpu() for side, i in zip(sides, live)]
    if not all(len(i) for i in live):
        raise ValueError("One of these dictionaries never fires on this text: give other tokens.")
    (best, partner), (best_back, back) = matched_latents(*decoders), matched_latents(*decoders[::-1])
    mutual = back[partner] == torch.arange(len(partner))
    null = matched_latents(decoders[0], random_directions(*decoders[1].shape))[0]
    words = sides[0].words

    def fires(side: int, i: int) -> str:
        row, at = int(live[side][i]), stats[side].top.tokens.shape[-1] // 2
        peaks = stats[side].top.tokens[row, :, at][stats[side].top.found[row]].tolist()
        return ", ".join(list(dict.fromkeys(words[t].strip() for t in peaks))[:4])

    def density(side: int, i: int) -> str:
        return f"{float(stats[side].density[live[side][i]]):.2%}"

    matched = (mutual & (best >= MATCHED)).nonzero()[:, 0]
    pairs = matched[best[matched].argsort(descending=True)].tolist()
    body = [
        f"<h1>Two dictionaries</h1><p>A: {escape(names[0])}<br>B: {escape(names[1])}</p>",
        _summary(best, best_back, null, len(pairs)),
        _shares(best, null),
    ]
    rows: list[list[object]] = []
    for i in pairs[:100]:
        j = int(partner[i])
        rows.append(
            [
                str(int(live[0][i])),
                str(int(live[1][j])),
                float(best[i]),
                density(0, i),
                density(1, j),
                fires(0, i),
                fires(1, j),
            ]
        )
    head = ["A", "B", "|cos|", "density A", "density B", "A fires on", "B fires on"]
    told = f"Partners (each the other's nearest, |cos| {MATCHED} or more), the closest {len(rows)} of {len(pairs)}"
    body.append(f"<h2>In both</h2>{table(head, rows, told, (0, 1, 2, 3, 4))}")
    for side, name, near in ((0, "A", best), (1, "B", best_back)):
        lonely = (near < ALONE).nonzero()[:, 0]
        alone = lonely[stats[side].density[live[side][lonely]].argsort(descending=True)].tolist()
        rows = [[str(int(live[side][i])), float(near[i]), density(side, i), fires(side, i)] for i in alone[:50]]
        told = (
            f"Nothing on the other side has a |cos| of {ALONE} with it: the {len(rows)} most frequent of {len(alone)}"
        )
        body.append(
            f"<h2>Only in {name}</h2>{table(['latent', 'best |cos|', 'density', 'fires on'], rows, told, (0, 1, 2))}"
        )
    return Page("Two dictionaries: " + " and ".join(names), "".join(body))


def random_directions(n: int, d: int) -> Tensor:
    """[n, d], from a seed of their own: with a small one they would be what a dictionary of that seed began with."""
    return torch.randn(n, d, generator=torch.Generator().manual_seed(918_273_645))


def _side(lab, given: tuple | str, tokens: Tensor | None) -> Dictionary:
    """From (site, architecture, seed), or a site, or an architecture at the middle site."""
    if isinstance(given, str):
        given = (given,) if "." in given else (middle(lab), given)
    return Dictionary(lab, **dict(zip(("site", "architecture", "seed"), given)), given=tokens)


def _summary(best: Tensor, back: Tensor, null: Tensor, pairs: int) -> str:
    rows: list[list[object]] = [
        ["live latents", f"{len(best):,}", f"{len(back):,}", ""],
        ["with a partner", f"{pairs / len(best):.0%}", f"{pairs / len(back):.0%}", ""],
        [f"best |cos| {MATCHED} or more", *(f"{float((x >= MATCHED).float().mean()):.0%}" for x in (best, back, null))],
        [f"best |cos| below {ALONE}", *(f"{float((x < ALONE).float().mean()):.0%}" for x in (best, back, null))],
        ["median of best |cos|", *(number(float(x.median())) for x in (best, back, null))],
    ]
    return table(["", "A", "B", "A against random directions"], rows, "", (1, 2, 3))


def _shares(best: Tensor, null: Tensor) -> str:
    """How the best |cos| is distributed, in tenths, beside the null."""
    edges = [i / 10 for i in range(11)]
    counts = [torch.histc(x.clamp(0, 0.9999), 10, 0, 1) / len(x) for x in (best, null)]
    rows: list[list[object]] = [
        [f"{low:.1f} to {high:.1f}", *(f"{float(share[i]):.0%}" for share in counts)]
        for i, (low, high) in enumerate(zip(edges, edges[1:]))
    ]
    shown = table(["best |cos|", "A", "null"], rows, "", (1, 2))
    return f"<details><summary>Distribution of the best |cos| of A's latents</summary>{shown}</details>"
