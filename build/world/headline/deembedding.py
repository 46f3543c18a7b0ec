"""De-embedding: do a transcoder's weights show where a table is looked up? `python build/world/headline/deembedding.py`

Question: the model knows the capital and the continent of each country, and the first letter of each word. Does a
layer's MLP hold such a table, so that latents of its transcoder read the word and write the answer?

Method: weights alone; Dunefsky et al. 2024, "Transcoders Find Interpretable LLM Feature Circuits", call the reading
half de-embedding. A word reaches an MLP by itself (LayerNorm of W_E, times W_enc), or moved by a head of this layer or
an earlier one (W_E through the head's values); what a latent writes reaches the logits directly (W_dec, the final
LayerNorm's weight, W_U), or moved by a head of a later layer. For every such way: the five latents that read a word
most (less their mean over the words) write together, each as much as it reads; is the answer the likeliest of all
answers? The best way counts. Null: the same over all ways with the decoders of other latents, so it includes the luck
of the best way. `one`: the same, asked of the single latent that reads the word most.

It shows for a lookup and a layer if the share of words answered is above one half and at least twice the null's.

Came out: on the edge of it, in layer 0 only, for words that head 0.4 has moved to the end of the prompt. Capitals 0.36
(null 0.14, one latent 0.39), continents 0.82 (0.43, 0.68), initials 0.22 (0.08). Layers 1 to 3 are near the null but
for continents, 0.57 to 0.75 (0.41 to 0.45): what reaches them is no longer the embedding, and patching the MLPs at the
end shows all four layers at work on a capital.
"""

import torch
from torch import Tensor

from saelab.world import words as w
from saelab.world.families.grammar import SPELLED


def lookups(world) -> dict[str, tuple[Tensor, Tensor]]:
    """By name: words [n] and their answers [n], as tokens."""
    number = {word: i for i, word in enumerate(world.vocabulary)}
    tables = {
        "capital": list(zip(w.COUNTRIES.words, w.CAPITALS.words)),
        "continent": [(country, w.CONTINENTS.words[c]) for country, c in zip(w.COUNTRIES.words, w.CONTINENT_OF)],
        "initial": [(word, word[0]) for word in SPELLED.words],
    }
    pairs = {name: torch.tensor([[number[" " + x] for x in row] for row in rows]) for name, rows in tables.items()}
    return {name: (both[:, 0], both[:, 1]) for name, both in pairs.items()}


def normalised(x: Tensor) -> Tensor:
    """LayerNorm without weight and bias, over the last dimension."""
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def readings(model, layer: int, W_enc: Tensor, words: Tensor) -> dict[str, Tensor]:
    """By way: how much each latent reads each word, less its mean over the words, [n, L]."""
    E, weight = model.W_E[words], model.blocks[layer].ln2.weight
    arrived = {"itself": E}
    for early in range(layer + 1):
        seen = normalised(E) * model.blocks[early].ln1.weight
        for head in range(model.cfg.n_heads):
            arrived[f"head {early}.{head}"] = seen @ model.W_V[early, head] @ model.W_O[early, head]
    read = {way: (normalised(x) * weight) @ W_enc for way, x in arrived.items()}
    return {way: x - x.mean(0) for way, x in read.items()}


def writings(model, layer: int, W_dec: Tensor, answers: Tensor) -> dict[str, Tensor]:
    """By way: what each latent adds to the logit of each possible answer, [L, answers]."""
    unembed = model.ln_final.weight[:, None] * model.W_U[:, answers]
    unembed, written = unembed - unembed.mean(0), {"itself": W_dec}
    for later in range(layer + 1, model.cfg.n_layers):
        seen = (W_dec - W_dec.mean(1, keepdim=True)) * model.blocks[later].ln1.weight
        for head in range(model.cfg.n_heads):
            written[f"head {later}.{head}"] = seen @ model.W_V[later, head] @ model.W_O[later, head]
    return {way: x @ unembed for way, x in written.items()}


def share_right(read: Tensor, write: Tensor, right: Tensor, readers: int) -> float:
    """Of read [n, L] and write [L, answers]: how often the strongest readers together say the answer right [n]."""
    top = read.topk(readers, dim=1)
    said = (top.values.relu()[..., None] * write[top.indices]).sum(1)
    return float((said.argmax(1) == right).float().mean())


def best_way(read: dict[str, Tensor], write: dict[str, Tensor], right: Tensor, readers: int) -> tuple[float, str, str]:
    """The best share, and its way in and out; a word moved to the MLP needs no second head."""
    ways = [("itself", out) for out in write] + [(way, "itself") for way in read if way != "itself"]
    return max((share_right(read[a], write[b], right, readers), a, b) for a, b in ways)


@torch.no_grad()
def measure(lab, seed: int = 0, layers: tuple[int, ...] = (0, 1, 2, 3), times: int = 10) -> dict:
    """For each lookup, lists by layer: the share of words answered, its null, the best way, and `one`."""
    found: dict[str, list] = {}
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        transcoder = lab.transcoder(layer)
        orders = [torch.randperm(transcoder.d_sae, generator=generator) for _ in range(times)]
        for name, (words, answers) in lookups(lab.world).items():
            choices, right = answers.unique(return_inverse=True)
            read = readings(lab.model, layer, transcoder.W_enc, words)
            write = writings(lab.model, layer, transcoder.W_dec, choices)
            nulls = [best_way(read, {way: x[order] for way, x in write.items()}, right, 5)[0] for order in orders]
            (share, way_in, way_out), one = best_way(read, write, right, 5), best_way(read, write, right, 1)[0]
            row = {"share": share, "null": sum(nulls) / times, "ways": f"{way_in} > {way_out}", "one": one}
            for key, value in row.items():
                found.setdefault(f"{name}_{key}", []).append(value)
    return found


if __name__ == "__main__":
    from nodes import show

    show(measure)
