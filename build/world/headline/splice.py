"""A model with dictionaries in place, in which every latent and every error is a node that can be kept or replaced.

A set of nodes is a tensor [sites, length, L + 1] of bool: each site's latents at each position, in the last column its
error x − x̂. A node outside the set takes its value from the twin.
"""

import torch
from nodes import difference
from torch import Tensor

from saelab.prompts import Prompts


class Spliced:
    """The model with its dictionaries in place: the nodes outside a set take their values from the twin."""

    @torch.no_grad()
    def __init__(self, lab, prompts: Prompts, sites: tuple[str, ...]):
        assert prompts.twin is not None
        self.model, self.prompts, self.sites = lab.model, prompts, sites
        self.dictionaries = {site: lab.dictionary(site) for site in sites}
        self.clean, self.twin = ({site: self._read(lab, site, tokens) for site in sites}
                                 for tokens in (prompts.tokens, prompts.twin))  # fmt: skip
        self.full, self.empty = (float(difference(self.model, prompts, tokens=t).mean())
                                 for t in (prompts.tokens, prompts.twin))  # fmt: skip

    def _read(self, lab, site: str, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [n, length, L] and error [n, length, d_model]."""
        x, dictionary = lab.activations(site, tokens), self.dictionaries[site]
        f = dictionary.encode(x)
        return f, x - dictionary.decode(f)

    def attributions(self) -> Tensor:
        """First-order change of the logit difference by each node's value in the twin, [sites, length, L + 1]."""
        kept: dict[str, Tensor] = {}

        def keep(x: Tensor, hook, site: str) -> Tensor:
            kept[site] = x
            return x

        with torch.enable_grad():
            hooks = [(site, lambda x, hook, site=site: keep(x, hook, site)) for site in self.sites]
            gradients = torch.autograd.grad(difference(self.model, self.prompts, hooks).mean(), list(kept.values()))
        rows = []
        for site, gradient in zip(self.sites, gradients):
            (f, error), (f_twin, error_twin) = self.clean[site], self.twin[site]
            by_latent = ((gradient @ self.dictionaries[site].W_dec.T) * (f_twin - f)).sum(0)
            by_error = (gradient * (error_twin - error)).sum((0, 2))
            rows.append(torch.cat([by_latent, by_error[:, None]], 1))
        return torch.stack(rows).detach()

    def changes(self) -> Tensor:
        """Mean size of each node's difference between a prompt and its twin, [sites, length, L + 1]."""
        rows = []
        for site in self.sites:
            (f, error), (f_twin, error_twin) = self.clean[site], self.twin[site]
            by_error = (error - error_twin).norm(dim=2).mean(0)
            rows.append(torch.cat([(f - f_twin).abs().mean(0), by_error[:, None]], 1))
        return torch.stack(rows)

    @torch.no_grad()
    def faithfulness(self, inside: Tensor) -> float:
        """Of the nodes `inside` [sites, length, L + 1] bool; the others are as in the twin."""

        def put(x: Tensor, hook, i: int) -> Tensor:
            dictionary, (f_twin, error_twin) = self.dictionaries[self.sites[i]], self.twin[self.sites[i]]
            f = dictionary.encode(x)
            error = x - dictionary.decode(f)
            f = torch.where(inside[i, :, :-1], f, f_twin)
            return dictionary.decode(f) + torch.where(inside[i, :, -1:], error, error_twin)

        hooks = [(site, lambda x, hook, i=i: put(x, hook, i)) for i, site in enumerate(self.sites)]
        return (float(difference(self.model, self.prompts, hooks).mean()) - self.empty) / (self.full - self.empty)


def with_first(order: list[int], size: int, always: Tensor) -> Tensor:
    """The first nodes of an order, by their place in the flattened set, and those `always` inside."""
    inside = always.flatten().clone()
    inside[order[:size]] = True
    return inside.view(always.shape)


def smallest(spliced: Spliced, order: list[int], always: Tensor, goal: float) -> int:
    """How many of the first nodes reach this faithfulness, by halving; -1: not even all of them do."""
    if spliced.faithfulness(with_first(order, len(order), always)) < goal:
        return -1
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        enough = spliced.faithfulness(with_first(order, middle, always)) >= goal
        low, high = (low, middle) if enough else (middle + 1, high)
    return high
