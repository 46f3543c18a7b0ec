"""Text of the pocket world: its tokens, and what is true of each of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saelab.world.draw import Array

if TYPE_CHECKING:
    from saelab.world.factors import Factor
    from saelab.world.world import World


class Truth(NamedTuple):
    """What a dictionary is scored against: of N tokens (<bos> left out, one sequence after the other) and F factors.

    labels [N, F]: is the factor true of the token? asked [N, F]: is it fair to ask? Not where the factor is true but
    has nothing to settle (`Text.at_work`): there a latent may be on or off.
    """

    factors: tuple["Factor", ...]
    labels: Array
    asked: Array

    @property
    def names(self) -> list[str]:
        return [factor.name for factor in self.factors]


@dataclass
class Text:
    """n sequences of T tokens with all their labels.

    `tokens` [n, T] starts every sequence with <bos>. `kind` [n, T] is the number of the sentence's kind in
    `world.kinds` (−1 at <bos>), `sentence` [n, T] counts the sentences of a sequence. `context` [n, T, k] lists the
    factors that the context gives to each token (−1: none); those that a token has by itself are looked up.
    `log_p` [n] is the log chance (nats) of the tokens under `counted` [n, T]: whole sentences from the first on.
    """

    world: "World"
    tokens: Array
    kind: Array
    sentence: Array
    context: Array
    counted: Array
    log_p: Array

    def labels(self, names: list[str] | tuple[str, ...] | None = None) -> Array:
        """Is a factor true of a token? [n, T, F] of bool, for the factors named (all of `world.factors` by default).

        Raises ValueError for a name that the world does not have.
        """
        numbers = self.world.factor_numbers(names)
        place = np.full(len(self.world.factors) + 1, -1)
        place[numbers] = np.arange(len(numbers))
        labels = self.world.token_table[:, numbers][self.tokens]
        column = place[self.context]  # −1 → the extra last row of `place`, which stays −1
        n, t, k = np.nonzero(column >= 0)
        labels[n, t, column[n, t, k]] = True
        return labels

    def at_work(self, names: list[str] | tuple[str, ...] | None = None) -> Array:
        """Do factors of this sort settle the next token? [n, T, F] of bool, for the factors named as in `labels`.

        There a model that reads well has to have them at hand: whether a woman or a man is spoken of where a pronoun
        comes next, the topic where the topic chooses the next word. Elsewhere a factor may be true, and the model may
        leave it alone until it is needed. Factors that have no such place are asked for everywhere: True.
        """
        t = np.arange(self.tokens.shape[1])
        starts = np.diff(self.sentence, axis=1, prepend=-2) != 0
        position = t - np.maximum.accumulate(np.where(starts, t, 0), axis=1)
        return self.world.work_table[:, :, self.world.factor_numbers(names)][self.kind, position]

    def truth(self, least: float = 1e-3) -> Truth:
        """The factors true of at least this share of the tokens, and at work somewhere in each half of the sequences.

        Of factors that are true of the same tokens only the first is taken: nothing could tell them apart.
        """
        labels, at_work = (x[:, 1:].reshape(-1, len(self.world.factors)) for x in (self.labels(), self.at_work()))
        halves = np.array_split(labels & at_work, 2)
        often = (labels.mean(0) >= least) & halves[0].any(0) & halves[1].any(0)
        first: dict[bytes, int] = {}
        for i in np.flatnonzero(often):
            first.setdefault(np.packbits(labels[:, i]).tobytes(), int(i))
        chosen = list(first.values())
        labels, at_work = labels[:, chosen], at_work[:, chosen]
        return Truth(tuple(self.world.factors[i] for i in chosen), labels, at_work | ~labels)

    def entropy(self) -> float:
        """Mean surprise of a perfect reader on the counted tokens, nats a token: the loss that no model can beat.

        `counted` takes in the sentences that begin early enough to be complete whatever they turn out to be, so the
        choice of tokens tells nothing about them. The mean over many sequences estimates the grammar's entropy.
        """
        return float(-self.log_p.sum() / self.counted.sum())

    def __str__(self) -> str:
        return "\n".join(self.world.decode(row) for row in self.tokens[:20])
