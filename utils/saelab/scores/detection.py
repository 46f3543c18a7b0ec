"""Is there a latent for each factor, and how exactly does it say the factor?"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ._halves import asked_tokens, halves
from .reconstruction import chunks_of

LEVELS = 24  # ranks tried for every latent-factor pair: its strongest 1, 2^-½, 2^-1 … 2^-11½ of activations


@dataclass(frozen=True)
class FactorF1:
    """For each of F factors the latent that says it best ("latent > threshold"), all fields [F].

    `latent` and `threshold` were chosen on one half of the tokens; precision, recall, f1 and frequency (among the
    tokens asked) are from the other. latent is -1 where no latent ever fires with the factor (f1 is then 0). All
    scores are nan for a factor without positives on either half. Read f1 beside `chance`, the F1 of saying yes to
    everything.
    """

    latent: Tensor
    threshold: Tensor
    precision: Tensor
    recall: Tensor
    f1: Tensor
    frequency: Tensor

    @property
    def chance(self) -> Tensor:
        """F1 of a latent that always fires: 2p / (1 + p) at frequency p."""
        return 2 * self.frequency / (1 + self.frequency)


@torch.no_grad()
def factor_f1(
    latents: Tensor | Iterable[Tensor],
    labels: Tensor,
    candidates: int = 16,
    fit: Tensor | None = None,
    mask: Tensor | None = None,
) -> FactorF1:
    """The best latent of each factor: chosen by F1 on one half of the tokens, reported on the other.

    latents [N, d_sae] ≥ 0 (or an iterable of chunks of it), labels [N, F] bool, mask [N] or [N, F] bool: the tokens
    where the question is asked; others count neither way. Only entries > 0 are kept (16 bytes each). Every pair is
    first tried at LEVELS geometric ranks of the latent's activations, so that a dense latent is found by its strongest
    few; for the best `candidates` latents a factor, every possible threshold is tried.
    """
    asked = asked_tokens(labels, mask)
    labels = labels & asked
    fitted, reported = _positive_entries(latents, labels, fit)
    on, off = halves(len(labels), fit)
    positives = labels[on].sum(0)
    n_factors = labels.shape[1]
    best, threshold = torch.zeros(n_factors), torch.zeros(n_factors)
    latent = torch.full((n_factors,), -1)
    chosen = _candidates(fitted, labels, asked, positives, candidates)
    for i in chosen.unique().tolist():
        factors = (chosen == i).any(0).nonzero()[:, 0]
        rows, values = fitted.of(i)
        if not len(rows):
            continue
        # true positives, and tokens asked, if the first 1, 2, … activations say yes
        true, said = (table[rows[:, None], factors].cumsum(0) for table in (labels, asked))
        f1 = 2 * true / (said + positives[factors]).clamp(min=1)
        below = torch.cat([values[1:], values.new_zeros(1)])
        f1[values == below] = 0  # no threshold parts equal activations
        top, cut = f1.max(0)
        better = top > best[factors]
        which, cut = factors[better], cut[better]
        best[which], latent[which], threshold[which] = top[better], i, _halfway(values[cut], below[cut])

    true, said = torch.zeros(n_factors), torch.zeros(n_factors)
    for f in (latent >= 0).nonzero()[:, 0].tolist():
        rows, values = reported.of(int(latent[f]))
        yes = rows[values > threshold[f]]
        true[f], said[f] = labels[yes, f].sum(), asked[yes, f].sum()
    actual = labels[off].sum(0)
    undefined = (positives == 0) | (actual == 0)
    scores = [true / said.clamp(min=1), true / actual, 2 * true / (said + actual)]
    precision, recall, f1 = (s.masked_fill(undefined, torch.nan) for s in scores)
    return FactorF1(latent, threshold, precision, recall, f1, actual / asked[off].sum(0))


def _halfway(above: Tensor, below: Tensor) -> Tensor:
    """A threshold t with above > t ≥ below: in the middle, but 0 where nothing but zeros is below."""
    middle = (above + below) / 2
    return torch.where((below > 0) & (middle < above), middle, below)


class _Entries:
    """The entries > 0 of a matrix [N, d_sae], column by column, strongest first."""

    def __init__(self, rows: Tensor, columns: Tensor, values: Tensor, d_sae: int):
        order = values.argsort(descending=True)
        order = order[columns[order].argsort(stable=True)]
        self.rows, self.columns, self.values = rows[order], columns[order], values[order]
        self.counts = columns.bincount(minlength=d_sae)
        self.starts = self.counts.cumsum(0) - self.counts

    def of(self, column: int) -> tuple[Tensor, Tensor]:
        """Row numbers and values of a column, strongest first."""
        start, count = int(self.starts[column]), int(self.counts[column])
        return self.rows[start : start + count], self.values[start : start + count]


def _positive_entries(latents: Tensor | Iterable[Tensor], labels: Tensor, fit: Tensor | None) -> list[_Entries]:
    on, _ = halves(len(labels), fit)
    found, n, d_sae = [], 0, 0
    for chunk in chunks_of(latents):
        if not chunk.isfinite().all():
            raise ValueError("The latents hold nan or infinity; look at the dictionary's weights and its input.")
        rows, columns = (chunk > 0).nonzero(as_tuple=True)
        found.append((rows + n, columns.int(), chunk[rows, columns].float()))
        n, d_sae = n + len(chunk), chunk.shape[1]
    if n != len(labels):
        raise ValueError(f"There are {n} rows of latents and {len(labels)} of labels; give one a token in both.")
    rows, columns, values = (torch.cat(parts).cpu() for parts in zip(*found))
    sides = (on[rows], ~on[rows])
    return [_Entries(rows[side], columns[side], values[side], d_sae) for side in sides]


def _candidates(entries: _Entries, labels: Tensor, asked: Tensor, positives: Tensor, n: int) -> Tensor:
    """The n latents [n, F] with the best F1 for each factor over LEVELS ranks of their activations."""
    d_sae = len(entries.counts)
    columns = entries.columns.long()
    rank = torch.arange(len(columns)) - entries.starts[columns] + 1
    halvings = 2 * torch.log2(entries.counts[columns] / rank)
    bags = columns * LEVELS + (LEVELS - 1 - halvings.long().clamp(0, LEVELS - 1))  # the strongest few come first
    sizes = bags.bincount(minlength=d_sae * LEVELS)
    starts = sizes.cumsum(0) - sizes
    best = []
    for actual, *tables in zip(positives.split(64), labels.split(64, dim=1), asked.split(64, dim=1)):
        true = _bag_sums(tables[0], entries.rows, starts).view(d_sae, LEVELS, -1).cumsum(1)
        said = sizes.view(d_sae, LEVELS, 1).cumsum(1).float().repeat(1, 1, len(actual))
        somewhere = (~tables[1]).any(0)  # most factors are asked everywhere
        if somewhere.any():
            not_asked = _bag_sums(~tables[1][:, somewhere], entries.rows, starts)
            said[..., somewhere] -= not_asked.view(d_sae, LEVELS, -1).cumsum(1)
        f1 = 2 * true / (said + actual).clamp(min=1)
        best.append(f1.amax(1).topk(min(n, d_sae), dim=0).indices)
    return torch.cat(best, 1)


def _bag_sums(table: Tensor, rows: Tensor, starts: Tensor) -> Tensor:
    """For bags of rows that begin at `starts`, how often each column of a bool table is true, [bags, columns]."""
    return torch.nn.functional.embedding_bag(rows, table.float(), starts, mode="sum")
