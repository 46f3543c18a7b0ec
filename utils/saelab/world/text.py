"""Text of the pocket world: its tokens, and what is true of each of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saelab.world.draw import Array

if TYPE_CHECKING:
    from saelab.world.world import World


@dataclass
class Text:
    """n sequences of T tokens with all their labels.

    `tokens` [n, T] starts every sequence with <bos>. `kind` [n, T] is the number of the sentence's kind in
    `world.kinds` (−1 at <bos>), `sentence` [n, T] counts the sentences of a sequence. `context` [n, T, k] lists the
    factors that the context gives to each token (−1: none); those that a token has by itself are looked up.
    `topic_next` [n, T]: is the next token a word that the topic chooses? There the topic is at work, and a model that
    reads well has to have it at hand; elsewhere it may forget about it until it is needed again.
    `log_p` [n] is the log chance (nats) of the tokens under `counted` [n, T]: whole sentences from the first on.
    """

    world: "World"
    tokens: Array
    kind: Array
    sentence: Array
    context: Array
    topic_next: Array
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

    def entropy(self) -> float:
        """Mean surprise of a perfect reader on the counted tokens, nats a token: the loss that no model can beat.

        `counted` takes in the sentences that begin early enough to be complete whatever they turn out to be, so the
        choice of tokens tells nothing about them. The mean over many sequences estimates the grammar's entropy.
        """
        return float(-self.log_p.sum() / self.counted.sum())

    def __str__(self) -> str:
        return "\n".join(self.world.decode(row) for row in self.tokens[:20])
