"""A sparse feature circuit for agreement. `python build/world/headline/sparse_circuit.py`

Question: "The keys near the cabinet" is followed by "are". Do a few latents of the residual stream carry the number of
the subject to the verb, and how much of it passes through what the dictionaries leave out (the errors)?

Method: Marks et al. 2024, "Sparse Feature Circuits". Nodes are latents of the SAEs at what leaves layers 0, 1 and 2,
each at its own position (one template, so positions mean the same), and the errors x − x̂. A node outside the circuit
takes its value from the twin (the subject in the other number); all nodes outside: ∅, which is the twin itself. Nodes
are ordered by attribution patching: gradient at the site times decoder direction times (value in the twin − value),
mean over prompts. That gradient is the one of the untouched model, so nothing is lost in errors between the sites.
Faithfulness of a circuit C is (m(C) − m(∅)) / (m(M) − m(∅)), m the mean logit difference; completeness is told by the
faithfulness of all but C. Nodes that are the same in prompt and twin are left out of the count: they change nothing.

It shows if a faithfulness of 0.8 takes less than a tenth of the nodes that differ, random sets of that size (drawn by
how much a node differs) stay below 0.1, and the model without the circuit falls below 0.2. With errors excluded, they
are as in the twin throughout.

Came out: it shows. 10 of 465 nodes, all of them latents, give 0.8 (6 give 0.5, 12 give 0.9; of latents alone as
many); the model without these 10 has 0.05, random sets 0.06 or less (of latents alone 0.05). All latents without any
error: 0.99, all errors alone: 0.01. With dictionaries of 1,200 steps it took 18 nodes, with 400 steps 40.
"""

import torch
from splice import Spliced, smallest, with_first
from torch import Tensor

from saelab.prompts import Prompts

GOALS, CURVE = (0.5, 0.8, 0.9), (1, 3, 10, 30, 100, 300)
SITES = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_post", "blocks.2.hook_resid_post")


def with_attractor(lab, n: int, seed: int, template: int = 0) -> Prompts:
    """Those of n prompts of one template whose nouns differ in number."""
    prompts = lab.world.prompts.agreement(n, seed, template=template).to(lab.device)
    noun, plural = (torch.from_numpy(lab.world.token_table[:, i])[prompts.tokens]
                    for i in lab.world.factor_numbers(["class: noun", "class: plural"]))  # fmt: skip
    keep = plural.any(1) & (noun & ~plural).any(1)
    tensors = {name: x[keep] for name, x in vars(prompts).items() if isinstance(x, Tensor)}
    return Prompts([t for t, yes in zip(prompts.text, keep) if yes], **tensors)


def measure(lab, n: int = 120, seed: int = 0, times: int = 10) -> dict:
    """Sizes for a faithfulness of 0.5, 0.8 and 0.9, curves and nulls: nodes with their errors, and latents alone."""
    spliced = Spliced(lab, with_attractor(lab, n, seed), SITES)
    effect, change = spliced.attributions(), spliced.changes()
    differ = change > 0
    everything, nothing = torch.ones_like(differ), torch.zeros_like(differ)
    is_error = nothing.clone()
    is_error[:, :, -1] = True
    found: dict[str, float | list] = {
        "prompts": len(spliced.prompts.text), "logit_difference": spliced.full, "in_the_twin": spliced.empty,
        "of_everything": spliced.faithfulness(everything), "of_nothing": spliced.faithfulness(nothing),
        "of_all_errors": spliced.faithfulness(is_error), "of_all_latents": spliced.faithfulness(~is_error),
        "differing_latents": int((differ & ~is_error).sum()), "differing_errors": int((differ & is_error).sum()),
    }  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    for kind, among in (("with_errors", differ), ("latents", differ & ~is_error)):
        places = among.flatten().nonzero()[:, 0]
        order = places[effect.flatten()[places].argsort()].tolist()  # those whose twin's value costs most come first
        sizes = [smallest(spliced, order, nothing, goal) for goal in GOALS]
        size = max(sizes[1], 0) or len(order) // 10
        odds = change.flatten()[places]
        random = [places[odds.multinomial(size, generator=generator)].tolist() for _ in range(times)]
        found |= {
            f"{kind}_sizes": sizes,
            f"{kind}_size": size,
            f"{kind}_errors_inside": int(with_first(order, size, nothing)[is_error].sum()),
            f"{kind}_curve": [[k, spliced.faithfulness(with_first(order, k, nothing))] for k in CURVE],
            f"{kind}_without": spliced.faithfulness(~with_first(order, size, nothing)),
            f"{kind}_random": [spliced.faithfulness(with_first(some, size, nothing)) for some in random],
        }
    return found


if __name__ == "__main__":
    from nodes import show

    show(measure)
