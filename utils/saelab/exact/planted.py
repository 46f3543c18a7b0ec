"""What is planted in the hand-written model, as a dictionary would have to find it; and an AND in two steps.

- `features()`: the 93 named directions that everything in the model is written in: an exact dictionary of the residual
  stream at every site, without any error.
- `qk_pairs("a2.2")`: which feature at the query makes a head look at which feature at the key, and how strongly.
- `table()`: the 24 people that MLP 1 knows, as an exact transcoder: one latent a person.
- `two_step()`: b = a₁ ∧ a₂ in one layer, c = b ∧ a₃ in the next, and two cross-layer transcoders that both reproduce
  every output, of which only one has the edge from b to c.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .mechanism import BALLAST, BASIS, PERIOD, SHARP, SIZES, heads, neurons
from .vocabulary import NAMES, PLACES, SPORTS, SURNAMES, WORDS, sport

_MEMBERS = {
    "word": WORDS,
    "surname": SURNAMES,
    "place": PLACES,
    "before": WORDS,
    "inhibit": NAMES,
    "sport": SPORTS,
    "answer": WORDS,
    "answer sport": SPORTS,
    "echo": WORDS,
    "position": [str(i) for i in range(PERIOD)],
}


class Features(NamedTuple):
    """Named directions: `names` ("word: Ann", "duplicate" …), `directions` [93, d_model], orthonormal.

    An activation x (or what a node writes) is directionsᵀ (directions · x): read and write by the same vectors.
    """

    names: tuple[str, ...]
    directions: Tensor


def features() -> Features:
    """All features of the residual stream.

    >>> features().names[:3], features().directions.shape
    (('one', 'start', 'position: 0'), torch.Size([93, 96]))
    """
    names = [f"{space}: {one}" for space, size in SIZES.items() for one in _MEMBERS.get(space, [""])]
    return Features(tuple(name.removesuffix(": ") for name in names), BASIS[: len(names)].clone())


def qk_pairs(head: str, sharp: float = SHARP) -> dict[tuple[str, str], float]:
    """{(feature at the query, feature at the key): score} of a head ("a2.2"), where both have their usual strength.

    The score is what the pair alone adds before the softmax: strength 1 for all features but "one" (the ballast). Pairs
    that are not listed add nothing. Raises ValueError for a head that the model does not have.

    >>> qk_pairs("a1.1")[("one", "duplicate")]
    40.0
    """
    known = heads()
    if head not in known:
        raise ValueError(f"The model has no head {head!r}; its heads are {', '.join(known)}.")
    names, directions = features()
    strength = torch.ones(len(names))
    strength[names.index("one")] = BALLAST
    present = directions * strength[:, None]
    scores = sharp * (present @ known[head]["Q"].T) @ (present @ known[head]["K"].T).T
    pairs = (scores.abs() > 1e-3).nonzero().tolist()
    return {(names[i], names[j]): round(float(scores[i, j]), 3) for i, j in pairs}


class Table(NamedTuple):
    """A table in an MLP as an exact transcoder: latent i is on where reads[i] · x > threshold, and adds writes[i].

    people: (first name, surname) of each latent; sports: what it answers; reads, writes [24, d_model].
    """

    people: tuple[tuple[str, str], ...]
    sports: tuple[str, ...]
    reads: Tensor
    threshold: float
    writes: Tensor


def table() -> Table:
    """Who plays what, as MLP 1 knows it: a latent reads the first name one position earlier AND the surname here.

    >>> who = table()
    >>> who.people[1], who.sports[1], who.reads.shape
    (('Ann', 'Ford'), 'golf', torch.Size([24, 96]))
    """
    people = tuple((name, surname) for name in NAMES for surname in SURNAMES)
    reads, thresholds, writes = zip(*neurons(1)[: len(people)])
    assert len({*thresholds}) == 1
    return Table(people, tuple(sport(*one) for one in people), torch.stack(reads), thresholds[0], torch.stack(writes))


class CrossLayer(NamedTuple):
    """A cross-layer transcoder of two layers: latents relu(encoder x + bias), each writing to its own layer or later.

    encoder [latents, d] reads what enters the latent's layer; layer [latents] is 0 or 1; decoder [latents, 2, d]: what
    a latent adds to the output of MLP 0 and of MLP 1 (nothing to a layer before its own).
    """

    names: tuple[str, ...]
    layer: Tensor
    encoder: Tensor
    bias: Tensor
    decoder: Tensor

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [n, latents] and outputs [n, 2, d] from what enters both MLPs [n, 2, d]."""
        latents = torch.relu(torch.einsum("nld,ld->nl", inputs[:, self.layer], self.encoder) + self.bias)
        return latents, torch.einsum("nl,lkd->nkd", latents, self.decoder)


class TwoStep(NamedTuple):
    """b = a₁ ∧ a₂ by MLP 0, then c = b ∧ a₃ by MLP 1, in a residual stream of 5 dimensions (a₁, a₂, a₃, b, c).

    `through` has the latents b and c, as the model does it. `around` reproduces the same outputs with fewer latents a
    token (1/4 against 3/8 where each a is on half of the time), but its c is computed from a₁, a₂ and a₃ in layer 0:
    there is no edge from b to c. Only an intervention on b tells them apart: in the model c goes with it.
    """

    through: CrossLayer
    around: CrossLayer

    @staticmethod
    def inputs(n: int, seed: int = 0) -> Tensor:
        """a₁, a₂, a₃ on or off, each with chance 1/2, in the stream that enters layer 0: [n, 5]."""
        if n < 1:
            raise ValueError(f"Ask for at least one input: n is {n}.")
        a = torch.rand(n, 3, generator=torch.Generator().manual_seed(seed)) < 0.5
        return torch.cat([a.float(), torch.zeros(n, 2)], dim=1)

    @staticmethod
    def run(stream: Tensor, b: Tensor | float | None = None) -> tuple[Tensor, Tensor]:
        """What enters and leaves the MLPs, each [n, 2, 5], from the stream [n, 5]; with `b` MLP 0 writes that b."""
        a1, a2, a3 = stream[:, :3].T
        both = torch.relu(a1 + a2 - 1) if b is None else torch.zeros_like(a1) + b
        zero = torch.zeros_like(a1)
        first = torch.stack([zero, zero, zero, both, zero], dim=1)
        second = torch.stack([zero, zero, zero, zero, torch.relu(both + a3 - 1)], dim=1)
        return torch.stack([stream, stream + first], dim=1), torch.stack([first, second], dim=1)


def two_step() -> TwoStep:
    """The model and its two dictionaries.

    >>> model, x = two_step(), TwoStep.inputs(1000)
    >>> inputs, outputs = model.run(x)
    >>> all(torch.equal(dictionary(inputs)[1], outputs) for dictionary in model)
    True
    """
    nothing, b, c = torch.zeros(5), torch.eye(5)[3], torch.eye(5)[4]
    through = CrossLayer(
        names=("b", "c"),
        layer=torch.tensor([0, 1]),
        encoder=torch.tensor([[1.0, 1, 0, 0, 0], [0, 0, 1, 1, 0]]),
        bias=torch.tensor([-1.0, -1.0]),
        decoder=torch.stack([torch.stack([b, nothing]), torch.stack([nothing, c])]),
    )
    around = CrossLayer(
        names=("a₁ and a₂ and a₃", "a₁ and a₂, not a₃"),
        layer=torch.tensor([0, 0]),
        encoder=torch.tensor([[1.0, 1, 1, 0, 0], [1, 1, -1, 0, 0]]),
        bias=torch.tensor([-2.0, -1.0]),
        decoder=torch.stack([torch.stack([b, c]), torch.stack([b, nothing])]),
    )
    return TwoStep(through, around)
