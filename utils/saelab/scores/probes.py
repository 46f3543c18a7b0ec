"""Is a factor in the activations, is it there in the token already, and are there more factors than dimensions?"""

import numpy as np
import torch
from torch import Tensor

from ._halves import asked_tokens, check_rows, halves


@torch.no_grad()
def auc(scores: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
    """Area under the ROC curve of each column, [F]: P(score of a positive > of a negative), ties counting half.

    scores [N, F] or [N, 1], labels [N, F] bool, mask [N] or [N, F] bool: the tokens where the question is asked.
    nan for a column without both classes, or with a nan among its scores.
    """
    check_rows("scores", scores, labels)
    asked = asked_tokens(labels, mask)
    scores = scores if scores.dtype == torch.float64 else scores.float()
    out = torch.full((labels.shape[1],), torch.nan, dtype=torch.float64)
    columns = (t.T.cpu().contiguous() for t in (scores.expand_as(labels), labels, asked))
    for f, (column, true, where) in enumerate(zip(*columns)):
        positive, negative = column[true & where], column[~true & where]
        if not len(positive) or not len(negative) or positive.isnan().any() or negative.isnan().any():
            continue
        negative = torch.from_numpy(np.sort(negative.numpy()))  # four times as fast as torch's sort
        below = torch.searchsorted(negative, positive) + torch.searchsorted(negative, positive, right=True)
        out[f] = int(below.sum()) / (2 * len(positive) * len(negative))
    return out


def token_auc(tokens: Tensor, labels: Tensor, mask: Tensor | None = None, fit: Tensor | None = None) -> Tensor:
    """Held-out AUC [F] of the best guess from the current token's identity alone: P(label | token).

    tokens [N] ids, labels [N, F], mask [N] or [N, F] where the question is asked. The probability is counted on the
    fitting half, with one more observation at the factor's base rate, so that an unseen token gets that rate.
    """
    check_rows("tokens", tokens, labels)
    on, off = halves(len(labels), fit)
    asked = asked_tokens(labels, mask)
    n_tokens = int(tokens.max()) + 1
    seen, true = (
        torch.zeros(n_tokens, labels.shape[1], device=labels.device).index_add_(0, tokens[on], what[on].float())
        for what in (asked, labels & asked)
    )
    rate = (true + true.sum(0) / seen.sum(0)) / (seen + 1)
    return auc(rate[tokens[off]], labels[off], asked[off])


def mean_differences(acts: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean activation with the factor less the mean without it, [F, d_model]; a row of nan without both classes."""
    check_rows("activations", acts, labels)
    asked = asked_tokens(labels, mask)
    acts = acts.float() - acts.float().mean(0)
    true = (labels & asked).float()
    false = asked.float() - true
    return true.T @ acts / true.sum(0)[:, None] - false.T @ acts / false.sum(0)[:, None]


def probe_directions(acts: Tensor, labels: Tensor, mask: Tensor | None = None, ridge: float = 1e-3) -> Tensor:
    """Linear probes [F, d_model] of all factors by one solve: (C + ridge · mean variance · I)⁻¹ mean difference.

    C is the covariance of acts [N, d_model] over all N tokens. This is the least-squares fit to targets that weigh
    both classes alike (0 where the question isn't asked), up to its scale: Fisher's discriminant.
    """
    centred = acts.float() - acts.float().mean(0)
    C = (centred.T @ centred).double() / len(acts)
    C.diagonal().add_(ridge * C.diagonal().mean())
    return (mean_differences(acts, labels, mask).double() @ torch.linalg.inv(C)).float()


def linear_probe_auc(
    acts: Tensor, labels: Tensor, mask: Tensor | None = None, fit: Tensor | None = None, ridge: float = 1e-3
) -> Tensor:
    """Held-out AUC [F] of `probe_directions`, solved on one half of acts [N, d_model], scored on the other."""
    check_rows("activations", acts, labels)
    on, off = halves(len(labels), fit)
    asked = asked_tokens(labels, mask)
    directions = probe_directions(acts[on], labels[on], asked[on], ridge)
    return auc(acts[off].float() @ directions.T, labels[off], asked[off])
