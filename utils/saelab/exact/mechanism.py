"""The model: named subspaces of the residual stream, and heads and neurons that move things between them.

**Subspaces.** `SPACE` names slices of 94 orthonormal directions (`BASIS`): but for the first, they are cosines over
94 of the 96 dimensions, so none is along a coordinate. A token's embedding writes *what it is*; heads and neurons
read one subspace and write another; the unembedding reads `answer` and `answer sport` only.

**LayerNorm** is made the identity. Every direction sums to zero, so no mean is taken away. The position embedding
gives every token one long vector (`BALLAST`, along `one`, in two dimensions of its own), beside which all else is
small: whatever is written or ablated, the norm stays the same within 1 part in 100,000, and LayerNorm's weight
multiplies it back. So what a node writes is what later nodes read, and no circuit runs through a LayerNorm. The
ballast is also the 1 that constants are read from. (Real models have outlier dimensions too, but in them the scale
still carries information.) Together: logits are multiples of `LOGIT` to within 1e-4, measured.

**Attention** is saturated: scores are multiples of `SHARP`, and the runner-up is one `SHARP` behind, so other
positions get less than 1e-7 together. A head with nothing to find looks at `start`, the first position, where there
is nothing to move.

**Neurons** are off (gelu(-6) = 0) or on (gelu(6) = 6, and a sixth of it is written).
"""

import math

import torch
from torch import Tensor

from saelab import extras

from .vocabulary import MAX_TOKENS, NAMES, PLACES, SPORTS, SURNAMES, VOCABULARY, WORDS, sport

D_MODEL, D_HEAD, D_MLP, N_HEADS, N_LAYERS = 96, 24, 48, 4, 3
BALLAST, SHARP, STEEP, LOGIT = 4096.0, 20.0, 12.0, 10.0
PERIOD = 8  # positions 1 … 15 are coded in 8 dimensions: +1 in one of them, or -1

SIZES = {
    "one": 1,  # the ballast
    "start": 1,  # this is the first position
    "position": PERIOD,  # code of the position
    "word": len(WORDS),  # what the token is: a first name or an item …
    "surname": len(SURNAMES),  # … or a surname …
    "place": len(PLACES),  # … or a place …
    "wants name": 1,  # … or " to", after which a name should come …
    "wants sport": 1,  # … or " of", after which a sport should come
    "before": len(WORDS),  # the word one position earlier (written by a0.1)
    "duplicate": 1,  # this word was here before (a0.3)
    "inhibit": len(NAMES),  # a name that is not wanted (a1.2)
    "sport": len(SPORTS),  # what the person who ends here plays (m1)
    "answer": len(WORDS),  # a word that comes next: read by the unembedding
    "answer sport": len(SPORTS),  # a sport that comes next: read by the unembedding
    "echo": len(WORDS),  # read by no one who matters
}
_ends = torch.tensor(list(SIZES.values())).cumsum(0).tolist()
SPACE = {name: slice(end - size, end) for (name, size), end in zip(SIZES.items(), _ends)}
for _words in ("word", "answer"):  # names are the first of the words
    SPACE[f"{_words}: name"] = slice(SPACE[_words].start, SPACE[_words].start + len(NAMES))


def _basis() -> Tensor:
    """Orthonormal directions that sum to zero, [94, d_model]; the first has the first two dimensions for itself."""
    width = D_MODEL - 2
    k, i = torch.arange(1, width).double()[:, None], torch.arange(width) + 0.5
    rows = torch.zeros(width, D_MODEL, dtype=torch.float64)
    rows[0, :2] = torch.tensor([1.0, -1.0]) / math.sqrt(2)
    rows[1:, 2:] = math.sqrt(2 / width) * torch.cos(math.pi / width * k * i)
    return rows.float()


BASIS = _basis()


def at(name: str) -> Tensor:
    """The directions of a subspace, [size, d_model].

    Their products with the residual stream read the subspace, a sum of them writes to it.
    """
    return BASIS[SPACE[name]] / (BALLAST if name == "one" else 1)  # so that `one` reads 1


def anything(directions: Tensor) -> Tensor:
    """Reads how much there is in these directions together: [k, d_model] → [1, d_model]."""
    return directions.sum(0, keepdim=True)


Weights = dict[str, Tensor]
SINK = (at("one"), at("start"), 1)  # a score of 1 for the first position: where a head looks if it finds nothing


def head(scores: list[tuple[Tensor, Tensor, int]], moves: list[tuple[Tensor, Tensor]]) -> Weights:
    """A head that looks where query and key agree, and moves what it finds there.

    scores: (query, key, weight), each [k, d_model]: weight · (query x_i) · (key x_j) is the score, in units of
        SHARP, that position i gives to j; their sum counts
    moves: (source, target), each [k, d_model]: the source is read at j and added to the target at i
    Returns Q, K, V, O, each [d_head, d_model].
    """
    return {
        "Q": _pad([query for query, _, _ in scores]),
        "K": _pad([key * weight for _, key, weight in scores]),
        "V": _pad([source for source, _ in moves]),
        "O": _pad([target for _, target in moves]),
    }


def _pad(rows: list[Tensor]) -> Tensor:
    block = torch.cat([*rows, torch.zeros(D_HEAD, D_MODEL)])
    assert not block[D_HEAD:].any(), f"a head has {D_HEAD} dimensions; this one needs {len(block) - D_HEAD}"
    return block[:D_HEAD]


def heads() -> dict[str, Weights]:
    """All twelve heads, by name; those with a name in capitals are in a circuit."""
    one, start, word, position = at("one"), at("start"), at("word"), at("position")
    same_word_elsewhere = [(word, word, 4), (position, position, -2), (one, start, 3)]
    follows_this_word = [(word, at("before"), 2), SINK]
    repeated = [(one, at("duplicate"), 2), SINK]
    what_is_wanted = [
        (at("wants name"), anything(at("word: name")), 2),
        (at("inhibit"), at("word: name"), -2),
        (at("wants sport"), anything(at("sport")), 2),
        SINK,
    ]
    return {
        # looks two positions back, but nobody reads what it moves
        "a0.0": head(
            [(one_back(one_back(position)), position, 2), SINK],
            [(word, at("echo")), (at("place"), at("echo")[: len(PLACES)])],
        ),
        # PREVIOUS TOKEN: looks one position back, says which word stood there
        "a0.1": head([(one_back(position), position, 2), SINK], [(word, at("before"))]),
        # looks where a0.3 looks, but nobody reads what it moves
        "a0.2": head(same_word_elsewhere, [(word, at("echo"))]),
        # DUPLICATE TOKEN: looks at the same word earlier, says that there was one
        "a0.3": head(same_word_elsewhere, [(anything(word), at("duplicate"))]),
        # INDUCTION: looks at the word that followed this word before, answers with it
        "a1.0": head(follows_this_word, [(word, at("answer"))]),
        # looks where a1.2 looks, but nobody reads what it moves
        "a1.1": head(repeated, [(word, at("echo"))]),
        # S-INHIBITION: looks at the name that came twice, says that it is not wanted
        "a1.2": head(repeated, [(at("word: name"), at("inhibit"))]),
        # looks at its own position, says once more what stood before
        "a1.3": head([(position, position, 2), SINK], [(at("before"), at("echo"))]),
        # looks where a2.2 looks, but nobody reads what it moves
        "a2.0": head(what_is_wanted, [(at("word"), at("echo")), (at("sport"), at("echo")[-len(SPORTS) :])]),
        # an induction head whose answer goes nowhere
        "a2.1": head(follows_this_word, [(word, at("echo"))]),
        # MOVER: looks at a name that is not inhibited, or at a sport, whichever is wanted, and answers with it
        "a2.2": head(what_is_wanted, [(at("word: name"), at("answer: name")), (at("sport"), at("answer sport"))]),
        # looks everywhere equally
        "a2.3": head([], [(word, at("echo"))]),
    }


def neurons(layer: int) -> list[tuple[Tensor, float, Tensor]]:
    """(reads, threshold, writes) of every neuron: `writes` is added where `reads` · x is half above the threshold.

    reads and writes are [d_model]. Neurons 0–23 of m1 know the 24 people; no answer needs any other.
    """
    word, surname, before, echo = at("word"), at("surname"), at("before"), at("echo")
    if layer == 0:
        return [(reads, 0.5, 2 * writes) for reads, writes in zip(torch.cat([word, surname]), echo.repeat(2, 1))]
    if layer == 2:
        return [(reads, 0.5, writes) for reads, writes in zip(echo, echo.roll(1, 0))]
    people = [  # an AND: the first name one position before, and the surname here
        (before[i] + surname[j], 1.5, at("sport")[SPORTS.index(sport(name, last))])
        for i, name in enumerate(NAMES)
        for j, last in enumerate(SURNAMES)
    ]
    return people + [(reads, 0.5, writes) for reads, writes in zip(before, echo)]


def code(position: int) -> Tensor:
    """The code of a position, [PERIOD]: orthogonal for all but those 8 apart, which are opposite."""
    return torch.eye(PERIOD)[position % PERIOD] * (-1) ** (position // PERIOD)


def one_back(position: Tensor) -> Tensor:
    """Reads the code of the position before: the code turned by one, with a sign when it goes round."""
    return torch.cat([position[1:], -position[:1]])


def model(sharp: float = SHARP):
    """The model as a transformers GPT2LMHeadModel (float32, eval, no gradients); every call gives the same weights.

    `sharp` is how far ahead the score is of the position a head looks at. Saturated attention has no gradient: at 20,
    attribution patching gives 0.0 to a0.3 and a1.2, which the answer needs. At 2 it finds them (it ranks the nodes of
    every circuit first) and all answers are still right, but edges outside of a circuit matter by up to a tenth.

    Raises ValueError unless sharp > 0.
    """
    if not sharp > 0:
        raise ValueError(f"Give a positive number for sharp, such as {SHARP:g}: it is {sharp}.")
    extras.demand("transformers")
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(VOCABULARY),
        n_positions=MAX_TOKENS,
        n_embd=D_MODEL,
        n_layer=N_LAYERS,
        n_head=N_HEADS,
        n_inner=D_MLP,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    built = GPT2LMHeadModel(config)
    built.load_state_dict(weights(sharp))
    return built.eval().requires_grad_(False)


def weights(sharp: float = SHARP) -> Weights:
    """The state dict of a GPT2LMHeadModel (whose linear maps are [in, out]; biases are zero but the neurons')."""
    words, positions = torch.zeros(len(VOCABULARY), D_MODEL), torch.zeros(MAX_TOKENS, D_MODEL)
    unembed = torch.zeros(len(VOCABULARY), D_MODEL)
    for space, of in [("word", WORDS), ("surname", SURNAMES), ("place", PLACES)]:
        words[[VOCABULARY.index(f" {w}") for w in of]] = at(space)
    words[VOCABULARY.index(" to")] = at("wants name")[0]
    words[VOCABULARY.index(" of")] = at("wants sport")[0]
    unembed[[VOCABULARY.index(f" {w}") for w in WORDS + SPORTS]] = LOGIT * torch.cat([at("answer"), at("answer sport")])
    for i in range(1, MAX_TOKENS):
        positions[i] = code(i) @ at("position")
    positions[0] = at("start")[0]
    positions += BALLAST * BASIS[SPACE["one"]]

    built = {"transformer.wte.weight": words, "transformer.wpe.weight": positions, "lm_head.weight": unembed}
    qk_scale = math.sqrt(sharp * math.sqrt(D_HEAD))  # GPT-2 divides scores by sqrt(d_head)
    every_head, scale = heads(), torch.full((D_MODEL,), BALLAST / math.sqrt(D_MODEL))
    for layer in range(N_LAYERS):
        own = [every_head[f"a{layer}.{i}"] for i in range(N_HEADS)]
        q, k, v, o = (torch.cat([each[part] for each in own]) for part in "QKVO")  # each [d_model, d_model]
        read, threshold, write = zip(*neurons(layer))
        w_in, w_out, bias = torch.zeros(D_MLP, D_MODEL), torch.zeros(D_MLP, D_MODEL), torch.zeros(D_MLP)
        w_in[: len(read)], w_out[: len(read)] = STEEP * torch.stack(read), torch.stack(write) / (STEEP / 2)
        bias[: len(read)] = -STEEP * torch.tensor(threshold)
        here = {
            "ln_1": (scale, torch.zeros(D_MODEL)),
            "attn.c_attn": (torch.cat([q * qk_scale, k * qk_scale, v]).T, torch.zeros(3 * D_MODEL)),
            "attn.c_proj": (o, torch.zeros(D_MODEL)),
            "ln_2": (scale, torch.zeros(D_MODEL)),
            "mlp.c_fc": (w_in.T, bias),
            "mlp.c_proj": (w_out, torch.zeros(D_MODEL)),
        }
        for name, (weight, shift) in here.items():
            built |= {f"transformer.h.{layer}.{name}.weight": weight, f"transformer.h.{layer}.{name}.bias": shift}
    return built | {"transformer.ln_f.weight": scale, "transformer.ln_f.bias": torch.zeros(D_MODEL)}
