"""What the pocket model has to do before it ships, measured on text that it was not trained on.

Every function takes a model (anything that gives `model(tokens)` logits, or an object with `.logits`) and returns
figures; `GATES` says which of them must exceed what. Training text is drawn from seeds ≥ 1,000,000, the text here from
smaller ones, and the IOI prompts use pairs of names that training never showed.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from saelab.prompts import Prompts
from saelab.scores import linear_probe_auc, token_auc
from saelab.world import World

# figure: (least, most)
GATES: dict[str, tuple[float, float]] = {
    "ioi_accuracy": (0.95, 1.0),
    "ioi_logit_difference": (2.0, float("inf")),
    "facts_accuracy": (0.95, 1.0),
    "agreement_accuracy": (0.95, 1.0),
    "agreement_accuracy_across_attractors": (0.95, 1.0),
    "induction_accuracy": (0.90, 1.0),
    "loss_over_entropy": (0.99, 1.05),
    "largest_token_auc_of_a_context_factor": (0.5, 0.75),
    "smallest_probe_auc_of_a_context_factor": (0.9, 1.0),
}


def logits_of(model: Callable[[Tensor], object], tokens: Tensor, batch: int = 64) -> Tensor:
    """Logits [n, length, d_vocab] in float32, a batch at a time."""
    with torch.no_grad():
        outputs = [model(part) for part in tokens.split(batch)]
    return torch.cat([getattr(output, "logits", output).float() for output in outputs])  # type: ignore[attr-defined]


def at_the_end(model, prompts: Prompts, twin: bool = False) -> tuple[Tensor, Tensor]:
    """Logits at the last position [n, d_vocab], and the right minus the wrong answer's logit [n]."""
    tokens = prompts.twin if twin else prompts.tokens
    assert tokens is not None, "these prompts have no twins"
    rows = torch.arange(len(tokens))
    logits = logits_of(model, tokens)[rows, prompts.last]
    difference = logits[rows, prompts.answers] - logits[rows, prompts.wrong]
    return logits, -difference if twin else difference


def _top_answer(model, prompts: Prompts) -> float:
    """Share of prompts whose answer is the likeliest of all tokens, in the prompt and in its twin."""
    right = at_the_end(model, prompts)[0].argmax(-1) == prompts.answers
    right_in_twin = at_the_end(model, prompts, twin=True)[0].argmax(-1) == prompts.wrong
    return float((right & right_in_twin).float().mean())


def behaviour(model, world: World, n: int = 1200, seed: int = 0) -> dict[str, float]:
    """IOI, facts, agreement and induction, each over all its templates; an accuracy counts a prompt with its twin."""
    ioi, agreement = world.prompts.ioi(n, seed), world.prompts.agreement(n, seed)
    pairs = [at_the_end(model, agreement, twin)[1] > 0 for twin in (False, True)]
    right = pairs[0] & pairs[1]
    figures = {
        "ioi_accuracy": _top_answer(model, ioi),
        "ioi_logit_difference": float(at_the_end(model, ioi)[1].mean()),
        "facts_accuracy": _top_answer(model, world.prompts.facts(n, seed)),
        "agreement_accuracy": float(right.float().mean()),
        "agreement_accuracy_across_attractors": float(right[_misled(world, agreement)].float().mean()),
        "induction_accuracy": induction(model, world, n, seed),
    }
    others = ("origin", "two_hop", "capital", "gender", "profession", "spelling", "weekday", "month")
    return figures | {f"{kind}_accuracy": _top_answer(model, getattr(world.prompts, kind)(n, seed)) for kind in others}


def _misled(world: World, agreement: Prompts) -> Tensor:
    """Prompts whose nouns differ in number, so that a prompt or its twin must look past the nearer one, [n]."""
    plural = torch.from_numpy(world.token_table[:, world.factor_numbers(["class: plural"])[0]])[agreement.tokens]
    noun = torch.from_numpy(world.token_table[:, world.factor_numbers(["class: noun"])[0]])[agreement.tokens]
    return plural.any(1) & (noun & ~plural).any(1)


def induction(model, world: World, n: int = 1200, seed: int = 0) -> float:
    """Share of right guesses on the second time of random words said twice (the first of them apart)."""
    right, asked = 0, 0
    kinds = [kind for kind in world.kinds if kind.family == "repeat"]
    for i, kind in enumerate(kinds):
        count = n // len(kinds)
        d = world.write(kind, np.random.default_rng([seed, i]), np.zeros(count, int))
        tokens = torch.from_numpy(np.pad(d.tokens(), ((0, 0), (1, 0)))).long()  # <bos> is 0
        stop = d.answer + 2
        again = tokens[:, stop - kind.template + 1 : stop]
        guess = logits_of(model, tokens)[:, stop - kind.template : stop - 1].argmax(-1)
        right, asked = right + int((guess == again).sum()), asked + again.numel()
    return right / asked


def loss_over_entropy(model, world: World, n: int = 1500, seed: int = 0) -> dict[str, float]:
    """The model's loss and the surprise of a perfect reader, nats a token, over the same tokens; and their ratio."""
    text = world.sample(n, 128, seed=seed)
    tokens, counted = torch.from_numpy(text.tokens), torch.from_numpy(text.counted)
    total = 0.0
    for part, mask in zip(tokens.split(50), counted.split(50)):
        surprise = torch.nn.functional.cross_entropy(
            logits_of(model, part)[:, :-1].flatten(0, 1), part[:, 1:].flatten(), reduction="none"
        )
        total += float(surprise[mask[:, 1:].flatten()].double().sum())
    loss = total / int(counted.sum())
    return {"loss": loss, "entropy": text.entropy(), "loss_over_entropy": loss / text.entropy()}


def context_factors(model, world: World, n: int = 800, seed: int = 1) -> dict[str, object]:
    """For every factor called context: held-out AUC of a probe on the token alone and of one on the residual stream.

    The token's probe is asked over all tokens, and again only where the topic is at work (`Text.at_work`); the
    larger figure counts. The model's probe may choose the layer; it is asked where the topic is at work, because at
    the other tokens nothing makes a model carry it (`probe_auc_everywhere` is lower, and is reported).
    `model` is a transformers GPT-2.
    """
    text = world.sample(n, 128, seed=seed)
    names = [factor.name for factor in world.factors if factor.kind == "context"]
    labels = torch.from_numpy(text.labels(names))[:, 1:].flatten(0, 1)
    tokens, here = torch.from_numpy(text.tokens), torch.from_numpy(text.at_work(names[:1]))[:, 1:].flatten()
    layers = residual_stream(model, tokens)
    by_token = [token_auc(tokens[:, 1:].flatten(), labels, mask) for mask in (None, here)]
    by_model = [torch.stack([linear_probe_auc(x, labels, mask) for x in layers]).amax(0) for mask in (here, None)]
    return {
        "largest_token_auc_of_a_context_factor": float(torch.stack(by_token).max()),
        "smallest_probe_auc_of_a_context_factor": float(by_model[0].min()),
        "token_auc": dict(zip(names, by_token[0].tolist())),
        "probe_auc": dict(zip(names, by_model[0].tolist())),
        "probe_auc_everywhere": dict(zip(names, by_model[1].tolist())),
    }


def residual_stream(model, tokens: Tensor) -> list[Tensor]:
    """What leaves each layer of a transformers GPT-2, <bos> left out: a list of [n · (length − 1), d_model].

    (The last of `hidden_states` has passed the final LayerNorm, so it is taken from the block itself.)
    """
    found: list[list[Tensor]] = [[] for _ in model.transformer.h]
    hooks = [
        block.register_forward_hook(lambda _, __, out, i=i: found[i].append(out[0] if isinstance(out, tuple) else out))
        for i, block in enumerate(model.transformer.h)
    ]
    try:
        with torch.no_grad():
            for part in tokens.split(64):
                model.transformer(part)
    finally:
        for hook in hooks:
            hook.remove()
    return [torch.cat(parts)[:, 1:].flatten(0, 1) for parts in found]


def failures(figures: dict[str, float]) -> list[str]:
    """The gates that are not met, as sentences; a gate that was not measured is not met."""
    told = []
    for name, (least, most) in GATES.items():
        value = figures.get(name, float("nan"))
        if not least <= value <= most:
            told.append(f"{name.replace('_', ' ')} is {value:.3f}; it must be from {least} to {most}.")
    return told
