"""Heads and MLPs as the nodes of a circuit: what the headline analyses share.

A node is (layer, head), or (layer, None) for a layer's MLP. `Values` are activations by hook point: hook_z
[n, length, head, d_head] and hook_mlp_out [n, length, d_model] of a run, or what is to be put in their place.
Prompts of several templates take turns (row i has template i mod `templates`), so that their positions mean the same.

In TransformerLens 3.9's bridge "hook_resid_mid" is only what the MLP reads: a patch there leaves the residual stream as
it was. So the residual stream is patched at hook_resid_pre and hook_resid_post.
"""

import random
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from saelab.prompts import Prompts

Node = tuple[int, int | None]
Values = dict[str, Tensor]
Hooks = list[tuple[str, Callable]]


def heads(model) -> list[Node]:
    """All heads of a model, from the first layer on."""
    return [(layer, head) for layer in range(model.cfg.n_layers) for head in range(model.cfg.n_heads)]


def mlps(model) -> list[Node]:
    """All MLPs of a model."""
    return [(layer, None) for layer in range(model.cfg.n_layers)]


def site(node: Node) -> str:
    """The hook point where a node's output is found."""
    return f"blocks.{node[0]}.{'hook_mlp_out' if node[1] is None else 'attn.hook_z'}"


@torch.no_grad()
def values(model, tokens: Tensor) -> Values:
    """What every node gives for tokens [n, length]."""
    names = {site(node) for node in heads(model) + mlps(model)}
    return dict(model.run_with_cache(tokens, names_filter=lambda name: name in names)[1].items())


def averaged(clean: Values, templates: int) -> Values:
    """For mean ablation: every value's mean over the prompts of the same template, position by position."""
    return {name: _each(x, templates, lambda part: part.mean(0, keepdim=True)) for name, x in clean.items()}


def _each(x: Tensor, templates: int, do: Callable[[Tensor], Tensor]) -> Tensor:
    out = torch.empty_like(x)
    for i in range(templates):
        out[i::templates] = do(x[i::templates])
    return out


def replace(nodes: Iterable[Node], by: Values) -> Hooks:
    """Hooks that give these nodes the values `by`, at all positions; other nodes go on from there."""
    by_site: dict[str, list] = {}
    for node in nodes:
        by_site.setdefault(site(node), []).append(node[1])

    def put(x: Tensor, hook, name: str, which: list) -> Tensor:
        if which == [None]:
            return by[name].clone()
        x = x.clone()
        x[:, :, which] = by[name][:, :, which]
        return x

    return [(name, lambda x, hook, n=name, w=which: put(x, hook, n, w)) for name, which in by_site.items()]


def last_logits(model, prompts: Prompts, hooks: Hooks | None = None, tokens: Tensor | None = None) -> Tensor:
    """Logits [n, d_vocab] where the answer is predicted, of the prompts (or of other tokens in their place)."""
    logits = model.run_with_hooks(prompts.tokens if tokens is None else tokens, fwd_hooks=hooks or [])
    return logits[torch.arange(len(logits)), prompts.last]


def difference(model, prompts: Prompts, hooks: Hooks | None = None, tokens: Tensor | None = None) -> Tensor:
    """The right answer's logit minus the wrong one's, [n]."""
    logits, rows = last_logits(model, prompts, hooks, tokens), torch.arange(len(prompts.last))
    return logits[rows, prompts.answers] - logits[rows, prompts.wrong]


@torch.no_grad()
def effects(model, prompts: Prompts, nodes: Sequence[Node], by: Values) -> Tensor:
    """What replacing each node alone adds to the logit difference, mean over prompts, [nodes]."""
    full = difference(model, prompts).mean()
    return torch.stack([difference(model, prompts, replace([node], by)).mean() - full for node in nodes])


def attributions(model, prompts: Prompts, nodes: Sequence[Node], by: Values) -> Tensor:
    """Attribution patching: what `effects` would be if the model were linear, [nodes]; one forward, one backward.

    The gradient at the unchanged run times (new − old value), summed over positions and dimensions.
    """
    found: Values = {}

    def keep(x: Tensor, hook, name: str) -> Tensor:
        found[name] = x
        return x

    names = dict.fromkeys(site(node) for node in nodes)
    with torch.enable_grad():
        total = difference(model, prompts, [(n, lambda x, hook, n=n: keep(x, hook, n)) for n in names]).mean()
        gradients = dict(zip(names, torch.autograd.grad(total, [found[n] for n in names])))
    first_order = {n: (gradients[n] * (by[n] - found[n].detach())).sum((0, 1)) for n in names}
    return torch.stack([first_order[site(node)][slice(None) if node[1] is None else node[1]].sum() for node in nodes])


class Circuits:
    """Faithfulness (m(C) − m(∅)) / (m(M) − m(∅)) of sets C among `nodes`: the others take the values `by`.

    m is the mean logit difference; M leaves every node as it is, ∅ replaces all of them.
    """

    @torch.no_grad()
    def __init__(self, model, prompts: Prompts, nodes: Sequence[Node], by: Values):
        self.model, self.prompts, self.nodes, self.by = model, prompts, list(nodes), by
        self.full, self.empty = (float(difference(model, prompts, replace(out, by)).mean()) for out in ([], nodes))

    @torch.no_grad()
    def faithfulness(self, circuit: Iterable[Node]) -> float:
        inside = set(circuit)
        hooks = replace([node for node in self.nodes if node not in inside], self.by)
        return float((difference(self.model, self.prompts, hooks).mean() - self.empty) / (self.full - self.empty))

    def smallest(self, order: Sequence[Node], goal: float = 0.9) -> list[Node]:
        """A small circuit that reaches `goal`: nodes added in this order, then left out where they can be.

        None is superfluous in it; that there is no smaller one is not shown.
        """
        size = next(k for k in range(len(order) + 1) if self.faithfulness(order[:k]) >= goal)
        circuit = list(order[:size])
        for node in reversed(order[:size]):
            without = [other for other in circuit if other != node]
            if self.faithfulness(without) >= goal:
                circuit = without
        return circuit

    def random(self, circuit: Sequence[Node], times: int = 20, seed: int = 0) -> list[float]:
        """Faithfulness of random circuits with as many heads and as many MLPs as this one has, sorted."""
        draw, found = random.Random(seed), []
        for _ in range(times):
            kinds = [[node for node in self.nodes if (node[1] is None) == is_mlp] for is_mlp in (False, True)]
            sizes = [sum((node[1] is None) == is_mlp for node in circuit) for is_mlp in (False, True)]
            found.append(self.faithfulness(sum((draw.sample(k, size) for k, size in zip(kinds, sizes)), [])))
        return sorted(found)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two lists of numbers."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def change_at(name: str, positions: list[int], new: Tensor | Callable[[Tensor], Tensor]) -> tuple[str, Callable]:
    """A hook that gives a hook point new values at some positions, [n, positions, …], or what `new` makes of them."""

    def put(x: Tensor, hook) -> Tensor:
        x = x.clone()
        x[:, positions] = new if isinstance(new, Tensor) else new(x[:, positions])
        return x

    return name, put


def show(measure: Callable) -> None:
    """Print what `measure` finds in the pocket lab, one figure a line, numbers to three digits."""
    from saelab import lab

    def rounded(x):
        return [rounded(y) for y in x] if isinstance(x, list) else float(f"{x:.3g}") if isinstance(x, float) else x

    torch.set_num_threads(1)
    for name, figure in measure(lab("pocket")).items():
        print(f"{name.replace('_', ' ')}: {rounded(figure)}")
