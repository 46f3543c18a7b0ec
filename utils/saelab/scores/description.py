"""What does each latent say? The other direction of `factor_f1`: from a latent to the factor, or pair of factors."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ._halves import asked_tokens, halves
from .detection import _positive_entries

SHARES = (1.0, 0.6, 0.3)  # shares of a latent's firings, the strongest, that are tried as "on"
CANDIDATES = 40  # factors tried in pairs: so many by each of three criteria
HOW = ("", "and", "or", "and not")


@dataclass(frozen=True)
class Descriptions:
    """For each of L live latents the best single factor, and the best pair; F1 from the half that chose nothing.

    latent [L]; factor [L] and f1 [L]: the single factor. pair [L, 2], how [L] (a number in HOW: "" means that no pair
    was better on the half that chooses) and pair_f1 [L]: the best of single factors and pairs, with its precision [L]
    (of the tokens where the latent is on, how many does it describe?) and recall [L] (at how many of the tokens that
    it describes is the latent on?). The latent is "on" at `threshold` [L] or more; 0: wherever it fires.
    """

    latent: Tensor
    factor: Tensor
    f1: Tensor
    pair: Tensor
    how: Tensor
    pair_f1: Tensor
    precision: Tensor
    recall: Tensor
    threshold: Tensor

    def said(self, row: int, names: list[str]) -> str:
        """The best description of a row in words: "class: food and not word: cake"."""
        first, second = (names[i] for i in self.pair[row].tolist())
        how = HOW[int(self.how[row])]
        return f"{first} {how} {second}" if how else first


@torch.no_grad()
def describe(
    latents: Tensor | Iterable[Tensor],
    labels: Tensor,
    mask: Tensor | None = None,
    fit: Tensor | None = None,
    least: int = 30,
) -> Descriptions:
    """Describe every latent that fires at least `least` times on both halves of the tokens.

    latents [N, d_sae] ≥ 0 (or an iterable of chunks of it), labels [N, F] bool, mask [N] or [N, F] bool: where it isn't
    asked whether a factor is true, a latent may be on or off, alone and in pairs. A pair is true where both factors
    are, where one of them is, or where the first is and the second is not. Threshold, factor and pair are chosen by F1
    on the half that fits.
    """
    asked = asked_tokens(labels, mask)
    on, off = halves(len(labels), fit)
    fitted, reported = _positive_entries(latents, labels, fit)
    live = ((fitted.counts >= least) & (reported.counts >= least)).nonzero()[:, 0]
    choose, score = _Counts(labels, asked, on), _Counts(labels, asked, off)
    rows = []
    for latent in live.tolist():
        firing, strength = fitted.of(latent)
        single, pair = (-1.0, 0.0, 0, 0, 0), (-1.0, 0.0, 0, 0, 0)  # F1, threshold, first, second, how
        for share in SHARES:
            rows_on = firing[: max(1, int(share * len(firing)))]
            threshold = float(strength[len(rows_on) - 1]) if share < 1 else 0.0
            single = max(single, _best_single(choose, rows_on, threshold), key=lambda found: found[0])
            pair = max(pair, _best_pair(choose, rows_on, threshold), key=lambda found: found[0])
        best = pair if pair[0] > single[0] else single
        firing, strength = reported.of(latent)
        told = [score.of(firing[strength >= threshold], *what) for _, threshold, *what in (single, best)]
        rows.append((latent, single[2], best[2], best[3], best[4], told[0][0], *told[1], best[1]))
    columns = list(zip(*rows)) if rows else [()] * 10
    latent, factor, first, second, how = (torch.tensor(column, dtype=torch.long) for column in columns[:5])
    f1, *more = (torch.tensor(column, dtype=torch.float) for column in columns[5:])
    return Descriptions(latent, factor, f1, torch.stack([first, second], dim=1), how, *more)


class _Counts:
    """How often factors, and pairs of them, are true and asked for on one half of the tokens."""

    def __init__(self, labels: Tensor, asked: Tensor, half: Tensor):
        self.true, self.work = labels, labels & asked
        true, work = (table[half].float() for table in (self.true, self.work))
        self.positives = work.sum(0)
        # [F, F]: both at work; the first at work, the second true
        self.both, self.first = work.T @ work, work.T @ true

    def of(self, rows: Tensor, first: int, second: int, how: int) -> tuple[float, float, float]:
        """F1, precision and recall of "on at these rows" for one description; 0 where there is nothing to divide by."""
        table = self.hits(rows, torch.tensor([first, second]))[how]
        hits, said, wanted = (float(x[0, -1 if how else 0]) for x in table)
        return 2 * hits / max(said + wanted, 1), hits / max(said, 1), hits / max(wanted, 1)

    def f1(self, rows: Tensor, factors: Tensor) -> list[Tensor]:
        """F1 of "on at these rows" for pairs of the factors [k]: the second alone, and, or, and not, each [k, k]."""
        return [2 * hits / (said + wanted).clamp(min=1) for hits, said, wanted in self.hits(rows, factors)]

    def hits(self, rows: Tensor, factors: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The same pairs: rows where they are true, rows where they are asked, and tokens where they are true."""
        true, work = self.true[rows][:, factors].float(), self.work[rows][:, factors].float()
        n, idle = len(rows), true - work
        w, t = work.sum(0), true.sum(0)
        ww, wt, tt = work.T @ work, work.T @ true, true.T @ true
        positives, both = self.positives[factors], self.both[factors][:, factors]
        only = positives[:, None] - self.first[factors][:, factors]  # the first at work, the second not true

        def counted(hits: Tensor, free: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return hits, n - free, wanted

        either_work, either = w[:, None] + w - ww, t[:, None] + t - tt
        return [
            counted(w.expand(len(w), -1), (t - w).expand(len(w), -1), positives.expand(len(w), -1)),
            counted(ww, tt - ww, both),
            counted(either_work, either - either_work, positives[:, None] + positives - both),
            counted(w[:, None] - wt, idle.sum(0)[:, None] - idle.T @ true, only),
        ]


def _best_single(counts: _Counts, rows: Tensor, threshold: float) -> tuple[float, float, int, int, int]:
    """The factor that says best where a latent is on: F1, threshold, the factor twice, 0."""
    true, work = counts.true[rows].float().sum(0), counts.work[rows].float().sum(0)
    f1 = 2 * work / (len(rows) - (true - work) + counts.positives).clamp(min=1)
    top = int(f1.argmax())
    return float(f1[top]), threshold, top, top, 0


def _best_pair(counts: _Counts, rows: Tensor, threshold: float) -> tuple[float, float, int, int, int]:
    """The pair of factors that says best where a latent is on: F1, threshold, first, second, how."""
    work = counts.work[rows].float().sum(0)
    recall, precision = work / len(rows), work / counts.positives.clamp(min=1)
    k = min(CANDIDATES, len(work))
    by_each = [score.topk(k).indices for score in (recall, precision * (recall > 0.05), recall * precision)]
    factors = torch.cat(by_each).unique()
    found = []
    for how, table in enumerate(counts.f1(rows, factors)[1:], start=1):
        table = table.clone().fill_diagonal_(-1)
        i, j = divmod(int(table.argmax()), len(factors))
        found.append((float(table[i, j]), threshold, int(factors[i]), int(factors[j]), how))
    return max(found, key=lambda one: one[0])
