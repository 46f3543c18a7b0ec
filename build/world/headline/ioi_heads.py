"""IOI: which heads choose the receiver, and is it the circuit of larger models?

    python build/world/headline/ioi_heads.py

Question: "When A and B went to the park, A gave the ball to" is followed by B. In GPT-2 small (Wang et al. 2022) heads
find the duplicate, inhibit it in the queries of name movers, and these copy the other name. And here?

Method: each head is replaced, at all positions, by its mean over prompts of the same template, or by its value in the
twin (the other one acts, so only S2 differs), beside attribution patching. Direct: all other heads stay as they were,
MLPs go on. What a head does to each name is told apart: the logit of IO, or of S, over the mean of all other names.

It shows as in larger models if (a) a head attends from S2 to S1 rather than to IO and matters: "finds the duplicate";
(b) a head attends from the end to IO and raises IO: "mover"; (c) a path from another head into the movers' queries
carries most of the difference: "inhibits". It does another way if a head attends from the end to S2 and lowers S
("suppressor"), and if a name S2 that is no duplicate is avoided all the same.

IO: the name said once, S1 and S2: the name said twice, end: where the receiver is predicted. Heads as [layer, head].
"""

import nodes as N
import torch
from nodes import difference, heads, last_logits, replace, show

from saelab.prompts import Prompts
from saelab.world.words import NAMES

TEMPLATES = 6


def attention(model, prompts: Prompts) -> dict[str, torch.Tensor]:
    """Mean attention of all heads, [layers · heads], from the end to IO, S1 and S2, and from S2 to S1 and IO."""
    rows, is_s = torch.arange(len(prompts.last)), prompts.tokens == prompts.wrong[:, None]
    io = (prompts.tokens == prompts.answers[:, None]).int().argmax(1)
    s1, s2 = is_s.int().argmax(1), (is_s * torch.arange(is_s.shape[1])).argmax(1)
    _, cache = model.run_with_cache(prompts.tokens, names_filter=lambda name: name.endswith("hook_pattern"))
    patterns = [cache[f"blocks.{layer}.attn.hook_pattern"] for layer in range(model.cfg.n_layers)]
    pairs = {"end_io": (prompts.last, io), "end_s1": (prompts.last, s1), "end_s2": (prompts.last, s2),
             "s2_s1": (s2, s1), "s2_io": (s2, io)}  # fmt: skip
    return {name: torch.cat([p[rows, :, a, b].mean(0) for p in patterns]) for name, (a, b) in pairs.items()}


def over_other_names(model, prompts: Prompts, names: torch.Tensor, hooks=None) -> torch.Tensor:
    """Logits of IO and of S over the mean of the names that the prompt does not have, mean over prompts, [2]."""
    logits, rows = last_logits(model, prompts, hooks), torch.arange(len(prompts.last))
    both = torch.stack([logits[rows, prompts.answers], logits[rows, prompts.wrong]])
    return (both - (logits[:, names].sum(1) - both.sum(0)) / (len(names) - 2)).mean(1)


def through_queries(model, prompts: Prompts, senders, by, clean) -> float:
    """Added to the logit difference by the senders' new values on the way into later heads' queries, and only there."""
    found = {}
    later = [f"blocks.{i}.attn.hook_q" for i in range(min(senders)[0] + 1, model.cfg.n_layers)]
    frozen = replace([h for h in heads(model) if h not in senders], clean)
    keep = [(name, lambda q, hook, name=name: found.update({name: q.clone()})) for name in later]
    difference(model, prompts, replace(senders, by) + frozen + keep)
    put = [(name, lambda q, hook, name=name: found[name]) for name in later]
    return float((difference(model, prompts, put) - difference(model, prompts)).mean())


def without_duplicate(model, prompts: Prompts) -> dict[str, float]:
    """S1 becomes a third name C, so S2 is no duplicate: the logit of IO over that of S, and over that of C."""
    c, rows = prompts.wrong.roll(TEMPLATES), torch.arange(len(prompts.last))
    tokens, usable = prompts.tokens.clone(), (c != prompts.answers) & (c != prompts.wrong)
    tokens[rows, (tokens == prompts.wrong[:, None]).int().argmax(1)] = c
    logits = last_logits(model, prompts, tokens=tokens)
    io, s, third = (logits[rows, name][usable].mean() for name in (prompts.answers, prompts.wrong, c))
    return {"io_over_s_without_duplicate": float(io - s), "io_over_third_without_duplicate": float(io - third)}


@torch.no_grad()
def measure(lab, n: int = 90, seed: int = 0, draws: int = 20) -> dict[str, float | list]:
    """All figures, over n prompts (a multiple of 6); lists by head are in the order [0, 0], [0, 1], … [3, 7]."""
    model, prompts, every = lab.model, lab.prompts("ioi", n, seed), heads(lab.model)
    names = torch.tensor([lab.world.vocabulary.index(f" {name}") for name in NAMES.words])
    clean, twin = N.values(model, prompts.tokens), N.values(model, prompts.twin)
    mean = N.averaged(clean, TEMPLATES)
    full, asked = float(difference(model, prompts).mean()), over_other_names(model, prompts, names)
    found: dict[str, float | list] = {"logit_difference": full, "io_and_s_over_other_names": asked.tolist()}
    for kind, by in (("mean", mean), ("twin", twin)):
        true, linear = N.effects(model, prompts, every, by), N.attributions(model, prompts, every, by)
        found |= {f"{kind}_effect": true.tolist(), f"{kind}_attribution": linear.tolist()}
        found[f"{kind}_correlation"] = N.correlation(true, linear)
        circuits = N.Circuits(model, prompts, every, by)
        small = circuits.smallest([every[i] for i in true.argsort()])
        found |= {f"{kind}_circuit": [list(h) for h in small], f"{kind}_faithfulness": circuits.faithfulness(small)}
        found[f"{kind}_faithfulness_of_random_circuits"] = circuits.random(small, draws)
        found[f"{kind}_faithfulness_of_the_rest"] = circuits.faithfulness(set(every) - set(small))
        found[f"{kind}_faithfulness_of_none"] = circuits.faithfulness([])
    direct = torch.stack([
        over_other_names(model, prompts, names, replace([h], mean) + replace([o for o in every if o != h], clean))
        for h in every
    ]) - asked  # fmt: skip
    look, ablated = attention(model, prompts), torch.tensor(found["mean_effect"])
    roles = {
        "suppressors": (look["end_s2"] >= 0.5) & (direct[:, 1] >= 1),
        "movers": (look["end_io"] >= 0.3) & (direct[:, 0] <= -0.5),
        "finders_of_the_duplicate": (look["s2_s1"] - look["s2_io"] >= 0.1) & (ablated <= -0.3),
    }
    members = {role: [h for h, yes in zip(every, mask) if yes] for role, mask in roles.items()}
    found |= {role: [list(h) for h in some] for role, some in members.items()}
    found |= {f"attention_{name}": x.tolist() for name, x in look.items()}
    found |= {"direct_effect_on_io": direct[:, 0].tolist(), "direct_effect_on_s": direct[:, 1].tolist()}
    for role in ("suppressors", "movers"):
        found[f"io_and_s_without_{role}"] = over_other_names(
            model, prompts, names, replace(members[role], mean)
        ).tolist()
    main = min(members["suppressors"] or every)  # the first one: only later heads can stand in for it
    total = float(ablated[every.index(main)])
    alone = float((direct[:, 0] - direct[:, 1])[every.index(main)])
    found |= {"main": list(main), "main_total_effect": total, "main_direct_effect": alone}
    found["main_through_later_queries"] = through_queries(model, prompts, [main], twin, clean)
    return found | without_duplicate(model, prompts)


if __name__ == "__main__":
    show(measure)
