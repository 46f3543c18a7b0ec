"""Steering a topic: does adding a topic's latent make the model go on about it?

    python build/world/headline/steering.py

Question: in a document about one topic, the decoder direction of another topic's latent is added to the residual stream
at all tokens. Do the words that a topic chooses come from the other topic then, and does the rest of the text stay as
it was?

Method: the latent of a topic is the one with the best F1 for it where the topic is at work (`saelab.scores.factor_f1`);
the three topics whose latents are best are steered to, in documents of topics of other themes. The dose is told in
units of the latent's mean activation where its topic is on. Measured where the next word is a topical one of a story
sentence, after the first sentence: the probability of words listed for X and not for Y, over that of words listed for
either but not for both. Fluency: the loss at the other tokens, nats. Null: a random direction of the same length.

It shows if the share of X at least doubles and gains 0.2 at a dose that costs less than 0.2 nats at the other tokens,
and the random direction gains less than a quarter of that. `text`: the share in real documents about X, the most that
can be asked.

Came out: it shows. Mean over 9 pairs, share of X at doses 0, ½, 1, 2, 4, 8: 0.10, 0.20, 0.38, 0.73, 0.94, 0.99; loss
elsewhere +0.00, +0.00, +0.01, +0.28, +2.5, +5.1. Random direction: 0.10 to 0.15 up to dose 2, 0.27 at 8, at nearly the
same loss. Real text about X: 0.89, which is reached only where the rest of the text is broken.
"""

import numpy as np
import torch
from latents import encoded, flat, held_out
from torch import Tensor

from saelab.scores import factor_f1
from saelab.world.topics import TOPICS

SITE = "blocks.2.hook_resid_post"
DOSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


def best_topics(lab, site: str, n: int, seed: int, many: int = 3) -> list[tuple[str, int, float, float]]:
    """Topics with the best latents: topic, latent, F1, the latent's mean activation where the topic is on."""
    text, dictionary = held_out(lab, n, seed), lab.dictionary(site)
    names = [f"topic: {name}" for name, topic in TOPICS.items() if topic.parent != name]
    asked = torch.from_numpy(text.at_work(names[:1]))[:, 1:].flatten()
    labels = torch.from_numpy(text.labels(names))[:, 1:].flatten(0, 1)[asked]
    f = torch.cat(list(encoded(dictionary, flat(lab, site, text)[asked])))
    best = factor_f1(f, labels)
    found = []
    for i in best.f1.nan_to_num(0.0).argsort(descending=True)[:many].tolist():
        latent = int(best.latent[i])
        on = f[labels[:, i], latent]
        found.append((names[i].removeprefix("topic: "), latent, float(best.f1[i]), float(on[on > 0].mean())))
    return found


def documents(lab, topic: str, n: int, seed: int, sentences: int = 5) -> tuple[Tensor, Tensor, int]:
    """n documents of story sentences [n, length], the tokens before topical words [length], end of sentence one."""
    stories = [kind for kind in lab.world.kinds if kind.family == "story"]
    number, rng = list(TOPICS).index(topic), np.random.default_rng([seed, 43])
    parts, slots, at = [np.zeros((n, 1), int)], [], 1  # <bos> is 0
    for i in range(sentences):
        d = lab.world.write(stories[i % len(stories)], rng, np.full(n, number))
        slots += [at + position for position in d.settled["topic"]]
        parts.append(d.tokens())
        at += len(d.columns)
    before = torch.zeros(at, dtype=torch.bool)
    before[torch.tensor(slots) - 1] = True
    return torch.from_numpy(np.concatenate(parts, 1)).long(), before, parts[1].shape[1] + 1


def listed(lab, topic: str) -> Tensor:
    """The words listed for a topic, [V] bool."""
    number = {word: i for i, word in enumerate(lab.world.vocabulary)}
    has = torch.zeros(len(number), dtype=torch.bool)
    has[[number[" " + word] for part in TOPICS[topic][1:] for word in part.split()]] = True
    return has


@torch.no_grad()
def steered(lab, site: str, tokens: Tensor, add: Tensor) -> Tensor:
    """Log probabilities [n, length, V] with `add` [d_model] on the residual stream everywhere but at <bos>."""

    def put(x: Tensor, hook) -> Tensor:
        return torch.cat([x[:, :1], x[:, 1:] + add], 1)

    return lab.model.run_with_hooks(tokens, fwd_hooks=[(site, put)]).log_softmax(-1)


def outcome(lab, log_p: Tensor, tokens: Tensor, before: Tensor, start: int, x: str, y: str) -> tuple[float, float]:
    """Share of topic x against topic y at topical words from `start` on, and the loss at the other tokens."""
    of_x, of_y = listed(lab, x), listed(lab, y)
    late = torch.arange(len(before)) >= start
    p = log_p[:, before & late].exp()
    p_x, p_y = p[..., of_x & ~of_y].sum(), p[..., of_y & ~of_x].sum()
    loss = -log_p[:, :-1].gather(2, tokens[:, 1:, None])[..., 0]
    return float(p_x / (p_x + p_y)), float(loss[:, (~before & late)[:-1]].mean())


@torch.no_grad()
def measure(lab, n: int = 24, seed: int = 0, site: str = SITE, general: int = 300, others: int = 3) -> dict:
    """By dose, means over pairs of topics: share of X and loss elsewhere, for the latent and for a random direction."""
    topics, dictionary = best_topics(lab, site, general, seed), lab.dictionary(site)
    generator = torch.Generator().manual_seed(seed)
    rows: dict[str, list[list[tuple[float, float]]]] = {"latent": [], "random": []}
    text = []
    for x, latent, _, size in topics:
        elsewhere = [y for y, topic in TOPICS.items() if topic.parent not in (TOPICS[x].parent, y)]
        step = len(elsewhere) // others
        direction = dictionary.W_dec[latent]
        random = torch.nn.functional.normalize(torch.randn(len(direction), generator=generator), dim=0)
        for y in elsewhere[::step][:others]:
            tokens, before, start = documents(lab, y, n, seed)
            for name, by in (("latent", direction), ("random", random * direction.norm())):
                runs = [steered(lab, site, tokens, dose * size * by) for dose in DOSES]
                rows[name].append([outcome(lab, log_p, tokens, before, start, x, y) for log_p in runs])
            own, before, start = documents(lab, x, n, seed)
            text.append(outcome(lab, steered(lab, site, own, 0 * direction), own, before, start, x, y)[0])
    found: dict[str, list] = {
        "topics": [x for x, *_ in topics], "f1": [f1 for *_, f1, _ in topics],
        "mean_activation": [size for *_, size in topics],
        "doses": list(DOSES), "text": [sum(text) / len(text)], "pairs": [len(text)],
    }  # fmt: skip
    for name, pairs in rows.items():
        mean = torch.tensor(pairs).mean(0)
        found |= {f"{name}_share": mean[:, 0].tolist(), f"{name}_loss": mean[:, 1].tolist()}
        found[f"{name}_share_by_pair"] = [[share for share, _ in pair] for pair in pairs]
    return found


if __name__ == "__main__":
    from nodes import show

    show(measure)
