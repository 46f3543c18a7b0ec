"""The pocket world: a small language in which every token carries the factors that produced it.

>>> from saelab.world import World
>>> text = World().sample(2, 64, seed=0)
>>> text.tokens.shape, text.labels(["topic: war"]).shape
((2, 64), (2, 64, 1))
"""

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from saelab.world import factors as f
from saelab.world.draw import Array, Draw, Lexicon
from saelab.world.factors import Factor
from saelab.world.families import KINDS
from saelab.world.text import Text
from saelab.world.tokenizer import BOS, SPECIAL, split
from saelab.world.topical import CLASSES, LOG_P, PRIOR
from saelab.world.topics import TOPICS

from .questions import Flip, WorldPrompts, twins

_SLOTS = 10  # context factors a token can have at once


class World:
    """The grammar with its vocabulary and its factors. Making one takes a moment and no file.

    `vocabulary` [V] are the tokens by number, with their leading space; `factors` the `Factor`s; `kinds` the kinds of
    sentences; `token_table` [V, F] says which factors a token has by itself; `work_table` [kinds + 1, positions, F]
    after which words of a sentence a factor is at work (`Text.at_work`; the last row is for <bos>).
    """

    def __init__(self) -> None:
        words, factors = Lexicon(SPECIAL), Lexicon()
        self.kinds = KINDS
        first = [self._first_use(kind, words, factors) for kind in KINDS]
        self.lengths = np.array([len(d.columns) for d in first])
        by_token = dict(f.token_factors(words))
        for name in [*(f"topic: {z}" for z in TOPICS if TOPICS[z].parent != z), *by_token]:
            factors[name]
        for parent in dict.fromkeys(topic.parent for topic in TOPICS.values()):
            factors[f"theme: {parent}"]
        words.closed = factors.closed = True
        self._words, self._factors = words, factors
        self.vocabulary = tuple(words.names)
        self.factors = tuple(Factor(name, f.kind_of(name), f.parent_of(name)) for name in factors.names)
        self.token_table = np.zeros((len(words), len(factors)), dtype=bool)
        for name, tokens in by_token.items():
            self.token_table[tokens, factors[name]] = True
        self.work_table = self._where_at_work(first)
        self.circles, self.quantities = f.circles(words), f.quantities(words)

    @staticmethod
    def _first_use(kind, words: Lexicon, factors: Lexicon) -> Draw:
        """Let a kind write one sentence, so that its words and factors get their numbers."""
        d = Draw(1, np.random.default_rng(0), words, factors, np.zeros(1, int))
        kind.write(d, kind.template)
        factors[f"family: {kind.family}"]
        return d

    def _where_at_work(self, first: list[Draw]) -> Array:
        """The work table, from one sentence of each kind: words stand at the same places in all its sentences."""
        groups = list(dict.fromkeys(group for d in first for group in d.settled))
        table = np.zeros((len(first) + 1, self.lengths.max(), len(groups) + 1), dtype=bool)
        table[:-1, :, -1] = True  # the last column: factors of no group, asked for everywhere
        for k, d in enumerate(first):
            for group, places in d.settled.items():
                table[k, [p - 1 for p in places if p], groups.index(group)] = True
        its = [
            next((i for i, group in enumerate(groups) if factor.name.startswith(group)), -1) for factor in self.factors
        ]
        return table[:, :, its]

    def factor_numbers(self, names: Iterable[str] | None = None) -> Array:
        """The numbers of factors by name; all of them by default."""
        if names is None:
            return np.arange(len(self.factors))
        unknown = [name for name in names if name not in self._factors.number]
        if unknown:
            raise ValueError(f"The pocket world has no factor called {unknown[0]!r}; `world.factors` lists them all.")
        return np.array([self._factors.number[name] for name in names], dtype=int)

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, <bos> first. Raises ValueError for a word that the world does not have."""
        pieces = split(text)
        unknown = [piece for piece in pieces if piece not in self._words.number]
        if unknown:
            raise ValueError(f"The pocket world has no word {unknown[0].strip()!r}; `world.vocabulary` lists them all.")
        return [BOS, *(self._words.number[piece] for piece in pieces)]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens, special tokens left out."""
        return "".join(self.vocabulary[t] for t in tokens if t >= len(SPECIAL)).strip()

    def write(self, kind, rng: np.random.Generator, topic: Array, **more) -> Draw:
        """Let a kind of sentence write len(topic) sentences."""
        d = Draw(len(topic), rng, self._words, self._factors, topic, **more)
        kind.write(d, kind.template)
        d.mark(f"family: {kind.family}", range(2, len(d.columns)))
        return d

    @cached_property
    def prompts(self) -> WorldPrompts:
        """Prompts with their answers and their twins, by kind: `world.prompts.ioi(n=100)`."""
        return WorldPrompts(self)

    def twins(
        self, family: str, template: int, flip: Flip, n: int, seed=0, held_out: bool = False
    ) -> tuple[Draw, Draw]:
        """n sentences, and the same with one fact changed: `flip` takes what was drawn, gives what the twin draws.

        >>> world = World()
        >>> one, other = world.twins("agreement", 0, lambda drawn: {"plural": ~drawn["plural"]}, n=1)
        >>> [world.decode(d.tokens()[0]) for d in (one, other)]
        ['The whistle near the yards is poor.', 'The whistles near the yards are poor.']
        """
        return twins(self, family, template, flip, n, seed, held_out)

    def elicit(self, factor: str, n: int = 32, length: int = 32, seed: int = 0) -> tuple[Array, Array]:
        """Text in which a factor is true somewhere, and text in which it never is: two arrays [n, length] of tokens.

        Raises ValueError for an unknown factor, or one too rare to be met n times.
        """
        found: tuple[list[Array], list[Array]] = ([], [])
        for i in range(100):
            text = self.sample(20 * n, length, seed=1000 * seed + i)
            has = text.labels([factor]).any(axis=(1, 2))
            for side, rows in zip(found, (text.tokens[has], text.tokens[~has])):
                side.extend(rows[: n - len(side)])
            if len(found[0]) == len(found[1]) == n:
                return np.stack(found[0]), np.stack(found[1])
        raise ValueError(
            f"{factor!r} was met {len(found[0])} times in {2000 * n:,} texts; ask for fewer or longer ones."
        )

    @cached_property
    def _cdf(self) -> Array:
        return np.cumsum([kind.share for kind in self.kinds])

    @cached_property
    def _evidence(self) -> Array:
        """log P(token | topic) of the words that topics draw, [V, topics]; 0 for other tokens."""
        table = np.zeros((len(self.vocabulary), len(TOPICS)))
        for part, bag in CLASSES.items():
            table[self._words.of(bag.spelled)] = LOG_P[part].T
        return table

    def sample(self, n: int, length: int = 128, seed: int = 0) -> Text:
        """n sequences of `length` tokens, <bos> included. The same arguments always give the same text."""
        if n < 1 or length < 2:
            raise ValueError(f"Ask for at least 1 sequence of at least 2 tokens, not {n} of {length}.")
        rng = np.random.default_rng([seed, n, length])
        topic = np.minimum(np.searchsorted(PRIOR.cdf, rng.random(n), side="right"), len(TOPICS) - 1)
        many = -(-length // int(self.lengths.min()))
        kind = np.minimum(np.searchsorted(self._cdf, rng.random((n, many)), side="right"), len(self.kinds) - 1)
        start = np.cumsum(self.lengths[kind], axis=1) - self.lengths[kind] + 1
        text = Text(
            self,
            tokens=np.full((n, length), BOS, dtype=np.int64),
            kind=np.full((n, length), -1, dtype=np.int16),
            sentence=np.full((n, length), -1, dtype=np.int16),
            context=np.full((n, length, _SLOTS), -1, dtype=np.int16),
            counted=np.zeros((n, length), dtype=bool),
            log_p=np.zeros(n),
        )
        filled = np.zeros(n * length, dtype=np.int8)  # context factors so far, by token
        drawn = np.zeros((n, length), dtype=bool)  # is the word drawn from the topic?
        for k, one in enumerate(self.kinds):
            row, which = np.nonzero((kind == k) & (start < length))
            if len(row):
                d = self.write(one, rng, topic[row])
                self._place(text, k, d, row, which, start[row, which], filled, drawn)
        self._add_topics(text, filled, drawn)
        return text

    def _place(self, text: Text, k: int, d: Draw, row, which, start, filled, drawn) -> None:
        """Put the sentences of one kind where they belong, with the factors that their kind marked."""
        length = text.tokens.shape[1]
        whole = start + self.lengths.max() <= length  # complete, whatever kind it had been
        text.log_p += np.bincount(row, np.where(whole, d.log_p + np.log(self.kinds[k].share), 0), len(text.log_p))
        for position, tokens in enumerate(d.columns):
            inside = start + position < length
            at = (row[inside], start[inside] + position)
            text.tokens[at] = np.broadcast_to(tokens, d.n)[inside]
            text.kind[at], text.sentence[at], text.counted[at] = k, which[inside], whole[inside]
            drawn[at] = position in d.settled.get("topic", ())
        flat = row * length + start
        for position, factor in d.marks:
            on = (factor >= 0) & (start + position < length)
            _put(text.context, filled, flat[on] + position, np.broadcast_to(factor, d.n)[on])

    def _add_topics(self, text: Text, filled: Array, drawn: Array) -> None:
        """Mark tokens with a topic where the text so far makes it more likely than not, and with its theme likewise.

        The reader does not know the document's topic z: the chance of the topics' words is Σ_z P(z) Π P(word | z).
        """
        evidence = np.where(drawn[..., None], self._evidence[text.tokens], 0).astype(np.float32)  # [n, T, topics]
        log_joint = np.log(PRIOR.p) + np.cumsum(evidence, axis=1, dtype=np.float32)
        posterior = np.exp(log_joint - log_joint.max(-1, keepdims=True))
        posterior /= posterior.sum(-1, keepdims=True)
        for z, name in enumerate(TOPICS):
            if TOPICS[name].parent != name:
                at = np.flatnonzero(posterior[..., z] > 0.5)
                _put(text.context, filled, at, self._factors[f"topic: {name}"])
        for theme in dict.fromkeys(topic.parent for topic in TOPICS.values()):
            those = [z for z, topic in enumerate(TOPICS.values()) if topic.parent == theme]
            at = np.flatnonzero(posterior[..., those].sum(-1) > 0.5)
            _put(text.context, filled, at, self._factors[f"theme: {theme}"])
        whole = np.where((drawn & text.counted)[..., None], self._evidence[text.tokens], 0).sum(1) + np.log(PRIOR.p)
        text.log_p += np.logaddexp.reduce(whole, axis=1)


def _put(context: Array, filled: Array, at: Array, factor: Array | int) -> None:
    """Write a factor into the next free slot of the tokens at flat positions `at`."""
    context.reshape(-1, context.shape[-1])[at, filled[at]] = factor
    filled[at] += 1
