"""Two hops, person → country → capital: composed or memorised? `python build/world/headline/two_hop.py`

Question: is the capital of the country of a person found by way of the country, or stored person by person?

Method, at the end, over all 96 people (6 a country), after every layer:
- lead: the unembedding reads the residual stream; the right country (or capital) over the mean of the 16.
- decoded: the nearest class mean tells the country of a person whom it has not seen (chance 1/16). Across: means from
  "Sarah Snow comes from", so that only what both questions share can tell. Shuffled: countries dealt anew.
- swap: a country's mean in "… comes from" (of other people) goes, another's comes; the share of the difference between
  the two capitals' logits that moves (1: the other is as far ahead now). Within: means of the two-hop prompts; random:
  of people drawn at random; back: means of two-hop prompts put into "… comes from", where the country is asked; after
  the last layer: the same change, too late for later layers to work on it (country and capital words are alike).
- without: differences between the country words (in the unembedding), as far as orthogonal to those between capitals,
  are averaged away (or the other way round, or as many random directions); the capital's lead that is left.

Composition (capital from country) shows if before the last layer the country is decoded across, leads before the
capital does, and the capital loses most of its lead without the country words. Memorising person by person shows if the
swap moves the capital by less than 0.1; a code that both questions share, if capital and country move by about half.
"""

import numpy as np
import torch
from nodes import change_at, show
from torch import Tensor

from saelab.world import words as w

TWO_HOP, ONE_HOP = "The capital of the country of {} {} is", "{} {} comes from"


def residuals(lab, template: str) -> tuple[Tensor, Tensor]:
    """What leaves each layer, for all people: [layers, 96, length, d_model]; and the tokens."""
    people = [(w.FIRST_NAMES.words[f], w.LAST_NAMES.words[n]) for f, n in zip(w.FIRST_OF, w.LAST_OF)]
    tokens = torch.tensor([lab.world.encode(template.format(*names)) for names in people], device=lab.device)
    _, cache = lab.model.run_with_cache(tokens)
    return torch.stack([cache[f"blocks.{i}.hook_resid_post"] for i in range(lab.model.cfg.n_layers)]), tokens


def means_of_others(x: Tensor, classes: Tensor) -> Tensor:
    """[people, d] → [people, 16, d]: each class's mean without the person in question."""
    member = torch.nn.functional.one_hot(classes, 16).T.to(x)  # [16, people]
    return (member @ x - member.T[..., None] * x[:, None]) / (member.sum(1) - member.T)[..., None]


def decoded(means: Tensor, x: Tensor, classes: Tensor) -> float:
    """Share of people [n, d] whose own class's mean (of `means` [n, 16, d]) correlates best with them."""
    centre = means.mean(1, keepdim=True)
    likeness = torch.cosine_similarity(means - centre, x[:, None] - centre, dim=-1)
    return float((likeness.argmax(1) == classes).float().mean())


def lead(logits: Tensor, right: Tensor, group: Tensor) -> float:
    """The right token's logit [n, d_vocab] over the mean of its group, mean over people."""
    return float((logits.gather(1, right[:, None])[:, 0] - logits[:, group].mean(1)).mean())


def at_the_end(lab, tokens: Tensor, layer: int, do) -> Tensor:
    """Logits at the end [n, d_vocab] after `do` changed what leaves a layer there."""
    return lab.model.run_with_hooks(tokens, fwd_hooks=[change_at(f"blocks.{layer}.hook_resid_post", [-1], do)])[:, -1]


def share_moved(before: Tensor, after: Tensor, right: Tensor, other: Tensor) -> float:
    """How far logits [n, d_vocab] moved from the right token [n] to the other: 1 if that is as far ahead now."""
    ahead = [(x.gather(1, right[:, None]) - x.gather(1, other[:, None])).mean() for x in (before, after)]
    return float((ahead[0] - ahead[1]) / (2 * ahead[0]))


def span(directions: Tensor, apart_from: Tensor | None = None) -> Tensor:
    """Orthonormal basis [d, k] of the differences between columns [d, 16], orthogonal to those of other columns."""
    centred = directions - directions.mean(1, keepdim=True)
    if apart_from is not None:
        other = span(apart_from)
        centred = centred - other @ (other.T @ centred)
    return torch.linalg.svd(centred, full_matrices=False)[0][:, : centred.shape[1] - 1]


@torch.no_grad()
def measure(lab, n: int = 3, seed: int = 0) -> dict[str, float | list]:
    """All figures; lists have one for what leaves each layer. n: how many other countries to try."""
    country = torch.from_numpy(np.array(w.COUNTRY_OF)).to(lab.device)
    countries, capitals = (
        torch.tensor([lab.world.vocabulary.index(f" {x}") for x in bag.words[:16]], device=lab.device)
        for bag in (w.COUNTRIES, w.CAPITALS)
    )
    (two, two_tokens), (one, one_tokens) = residuals(lab, TWO_HOP), residuals(lab, ONE_HOP)
    shuffled = country[torch.randperm(len(country), generator=torch.Generator().manual_seed(seed))]
    right = lab.model(two_tokens)[:, -1].argmax(1) == capitals[country]
    found: dict[str, float | list] = {"accuracy": float(right.float().mean())}
    read = [lab.model.ln_final(x[:, -1:])[:, 0] @ lab.model.W_U for x in two]
    found["country_lead"] = [lead(x, countries[country], countries) for x in read]
    found["capital_lead"] = [lead(x, capitals[country], capitals) for x in read]
    own = [means_of_others(x[:, -1], country) for x in two]
    for name, at in (("end", -1), ("last_name", -2)):
        found[f"decoded_at_{name}"] = [decoded(means_of_others(x[:, at], country), x[:, at], country) for x in two]
    found["decoded_shuffled"] = [decoded(means_of_others(x[:, -1], shuffled), x[:, -1], shuffled) for x in two]
    theirs = [means_of_others(x[:, -1], country) for x in one]
    question = (two[:, :, -1] - one[:, :, -1]).mean(1)  # what the other question changes for everybody, [layers, d]
    found["decoded_across"] = [decoded(m + q, x[:, -1], country) for m, q, x in zip(theirs, question, two)]
    dealt = [means_of_others(x[:, -1], shuffled) for x in one]

    every, rows = range(len(two)), torch.arange(len(country))
    for name, means, classes, tokens, answers, layers in (
        ("across", theirs, country, two_tokens, capitals, every),
        ("across_after_the_last_layer", theirs, country, two_tokens, capitals, [every[-1]] * len(two)),
        ("within", own, country, two_tokens, capitals, every),
        ("random", dealt, shuffled, two_tokens, capitals, every),
        ("back", own, country, one_tokens, countries, every),
    ):
        before, shares = lab.model(tokens)[:, -1], torch.zeros(len(two))
        for step in range(1, n + 1):  # to the country `step` further on
            for i, (m, layer) in enumerate(zip(means, layers)):
                change = (m[rows, (classes + step) % 16] - m[rows, classes])[:, None]
                after = at_the_end(lab, tokens, layer, lambda x, change=change: x + change)
                shares[i] += share_moved(before, after, answers[country], answers[(country + step) % 16]) / n
        found[f"swap_{name}"] = shares.tolist()
    words = [lab.model.W_U[:, some] for some in (countries, capitals)]
    noise = torch.randn(words[0].shape, generator=torch.Generator().manual_seed(seed))
    for name, q in (("countries", span(*words)), ("capitals", span(*words[::-1])), ("noise", span(noise))):
        logits = [at_the_end(lab, two_tokens, i, lambda x, q=q: x - (x - x.mean(0)) @ q @ q.T) for i in every]
        found[f"capital_lead_without_{name}"] = [lead(x, capitals[country], capitals) for x in logits]
    apart = [some - some.mean(1, keepdim=True) for some in words]
    found["cosine_of_country_and_its_capital"] = float(torch.cosine_similarity(apart[0], apart[1], dim=0).mean())
    return found


if __name__ == "__main__":
    show(measure)
