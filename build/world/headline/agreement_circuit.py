"""Agreement across an attractor: a circuit of heads and MLPs. `python build/world/headline/agreement_circuit.py`

Question: "The bat near the offices was" agrees with the bat. Which heads and MLPs carry the number of the subject, and
do few of them suffice?

Method: only prompts whose subject and attractor differ in number. A node is replaced, at all positions, by its value
in the twin (the subject in the other number, the attractor as it was); beside it attribution patching. Faithfulness is
(m(C) − m(∅)) / (m(M) − m(∅)), m the mean logit difference, nodes outside C as in the twin; ∅: all nodes as in the twin.

It shows if a small set reaches 0.9, random sets with as many heads and as many MLPs do not, and the rest without it
stays below 0.1.
Nodes are written [layer, head], an MLP [layer, -1].
"""

from dataclasses import replace as with_changes

import nodes as N
import torch
from nodes import Node, difference, replace, show

from saelab.prompts import Prompts


def across_attractors(lab, n: int, seed: int) -> Prompts:
    """Those of n prompts in which a singular and a plural noun stand."""
    prompts = lab.prompts("agreement", n, seed)
    is_noun, is_plural = (
        torch.from_numpy(lab.world.token_table[:, number]).to(lab.device)[prompts.tokens]
        for number in lab.world.factor_numbers(["class: noun", "class: plural"])
    )
    keep = is_plural.any(1) & (is_noun & ~is_plural).any(1)
    tensors = {name: x[keep] for name, x in vars(prompts).items() if isinstance(x, torch.Tensor)}
    return with_changes(prompts, text=[t for t, yes in zip(prompts.text, keep) if yes], **tensors)


def written(nodes: list[Node]) -> list[list[int]]:
    return [[layer, -1 if head is None else head] for layer, head in nodes]


@torch.no_grad()
def measure(lab, n: int = 200, seed: int = 0, draws: int = 20) -> dict[str, float | list]:
    """All figures, over those of n prompts that have an attractor; lists by node: all heads, then all MLPs."""
    model, prompts, every = lab.model, across_attractors(lab, n, seed), N.heads(lab.model) + N.mlps(lab.model)
    assert prompts.twin is not None
    by = N.values(model, prompts.twin)
    full = difference(model, prompts)
    true, linear = N.effects(model, prompts, every, by), N.attributions(model, prompts, every, by)
    found: dict[str, float | list] = {
        "prompts": len(prompts.text),
        "logit_difference": float(full.mean()),
        "accuracy": float((full > 0).float().mean()),
        "effect": true.tolist(),
        "attribution": linear.tolist(),
        "correlation": N.correlation(true, linear),
        "correlation_heads": N.correlation(true[: -model.cfg.n_layers], linear[: -model.cfg.n_layers]),
    }
    circuits = N.Circuits(model, prompts, every, by)
    order = [every[i] for i in true.argsort()]
    small = circuits.smallest(order)
    rest = [node for node in every if node not in small]
    alone, without = (difference(model, prompts, replace(nodes, by)) for nodes in (rest, small))
    return found | {
        "circuit": written(small),
        "circuit_faithfulness": circuits.faithfulness(small),
        "circuit_accuracy": float((alone > 0).float().mean()),
        "faithfulness_by_size": [circuits.faithfulness(order[:size]) for size in range(11)],
        "faithfulness_of_random_circuits": circuits.random(small, draws),
        "faithfulness_of_the_rest": circuits.faithfulness(rest),
        "accuracy_of_the_rest": float((without > 0).float().mean()),
    }


if __name__ == "__main__":
    show(measure)
