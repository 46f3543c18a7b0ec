"""Held-out text with its factors, activations and latents side by side: what the analyses of dictionaries share.

N tokens of text without <bos>, F factors, L latents. Numbers are chosen on the first half of the sequences and told
from the second, as everywhere in `saelab.scores`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from saelab.world.text import Text

GROUPS = ("class:", "country of:", "wealth:", "initial:", "decade:", "size:")
SEED = 400_000  # text that no model (≥ 1,000,000), no dictionary (700,000) and no evaluation (500,000) has read


def held_out(lab, n: int, seed: int) -> Text:
    """n sequences of 128 tokens that nothing was trained on."""
    return lab.world.sample(n, 128, seed=SEED + seed)


def frequent(text: Text, least: float) -> tuple[list[str], Tensor, Tensor]:
    """Names, labels and asked [N, F] (see `Text.truth`) of the factors true of at least this share of the tokens."""
    truth = text.truth(least)
    return truth.names, torch.from_numpy(truth.labels), torch.from_numpy(truth.asked)


@torch.no_grad()
def activations(lab, site: str, tokens: Tensor, batch: int = 64) -> Tensor:
    """What the model has at a hook point, [n, length, d_in], a batch at a time."""
    return torch.cat([lab.activations(site, part) for part in tokens.split(batch)])


def flat(lab, site: str, text: Text) -> Tensor:
    """The same for a text, without <bos>, [N, d_in]."""
    return activations(lab, site, torch.from_numpy(text.tokens))[:, 1:].flatten(0, 1)


@torch.no_grad()
def encoded(dictionary, x: Tensor, size: int = 8192) -> Iterator[Tensor]:
    """Latents of x [N, d_in], pieces of [size, L]."""
    for part in x.split(size):
        yield dictionary.encode(part)


def f1_of(true: Tensor, said: Tensor, actual: Tensor) -> Tensor:
    """F1 from counts: right ones said, all that were said, all there are."""
    return 2 * true / (said + actual).clamp(min=1)


def best_cut(score: Tensor, label: Tensor) -> float:
    """The threshold on `score` [N] that gives the best F1."""
    order = score.argsort(descending=True)
    true = label[order].cumsum(0)
    return float(score[order[f1_of(true, torch.arange(1, len(order) + 1), label.sum()).argmax()]])


def hierarchy(world, names: list[str]) -> list[tuple[int, int]]:
    """Pairs (parent, child) of positions in `names`: those declared, and groups of words inside larger groups."""
    table = torch.from_numpy(world.token_table[:, world.factor_numbers(names)])
    declared = {factor.name: factor.parent for factor in world.factors}
    found = [(names.index(p), c) for c, name in enumerate(names) if (p := declared[name]) in names]
    sizes = table.sum(0)
    for parent, name in enumerate(names):
        if name.startswith(GROUPS):
            inside = ~(table & ~table[:, [parent]]).any(0) & (sizes > 0) & (sizes < sizes[parent])
            found += [(parent, c) for c in inside.nonzero()[:, 0].tolist() if names[c].startswith((*GROUPS, "word:"))]
    return sorted(set(found))


def main_latents(on: Tensor, label: Tensor, barred: Sequence[int] = (), most: int = 5) -> list[int]:
    """The latents, none of them `barred`, whose union says `label` [N] best: each adds at least 0.03 to the F1.

    `on` [N, L] is 0 or 1.
    """
    found: list[int] = []
    covered, f1 = torch.zeros_like(label), 0.0
    while len(found) < most:
        new_true, new = ((mask & ~covered).float() @ on for mask in (label, torch.ones_like(label)))
        after = f1_of((covered & label).sum() + new_true, covered.sum() + new, label.sum())
        after[list(barred)] = 0
        best = int(after.argmax())
        if after[best] < f1 + 0.03:
            break
        found, f1, covered = [*found, best], float(after[best]), covered | (on[:, best] > 0)
    return found


def logistic(x: Tensor, y: Tensor, l2: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Weights [d] and bias of a logistic regression on x [n, d], y [n] bool."""
    w, b = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([w, b], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y.float()) + l2 * w.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    return w.detach(), b.detach()
