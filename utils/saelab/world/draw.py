"""How sentences are written: many of one kind at once, each choice with its name, its chance and its labels.

A kind of sentence is a function of a `Draw`. It picks words (`pick`, `flip`), says them (`say`) and marks what is true
of them (`mark`). All n sentences of a call have the same length, so everything is one array operation for all of them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

Array = np.ndarray


class Bag:
    """Words (or entities) with their chances: p(i) ∝ (i + 1)^-exponent in the order given, or ∝ `weights`."""

    def __init__(
        self, words: str | Iterable[str], exponent: float = 0.7, weights: Sequence[float] | Array | None = None
    ):
        self.words = tuple(words.split()) if isinstance(words, str) else tuple(words)
        self.spelled = tuple(map(spelled, self.words))
        w = np.arange(1, len(self.words) + 1) ** -exponent if weights is None else np.asarray(weights, float)
        self.p = w / w.sum()
        self.cdf = np.cumsum(self.p)
        with np.errstate(divide="ignore"):
            self.log_p = np.log(self.p)

    def __len__(self) -> int:
        return len(self.words)

    def __add__(self, other: "Bag") -> "Bag":
        """Both bags in one: this one's words with chance n/(n+m) together, then the other's."""
        n, m = len(self), len(other)
        return Bag(self.words + other.words, weights=np.concatenate([self.p * n, other.p * m]))


class Lexicon:
    """Names to numbers, in the order of their first use: the words of the vocabulary, or the factors."""

    def __init__(self, names: Iterable[str] = ()):
        self.names: list[str] = []
        self.number: dict[str, int] = {}
        self.closed = False
        self._bags: dict[tuple[str, ...], Array] = {}
        for name in names:
            self[name]

    def __getitem__(self, name: str) -> int:
        if name not in self.number:
            if self.closed:
                raise KeyError(f"{name!r} is not a name of the pocket world")
            self.number[name] = len(self.names)
            self.names.append(name)
        return self.number[name]

    def __len__(self) -> int:
        return len(self.names)

    def of(self, names: tuple[str, ...]) -> Array:
        """The numbers of several names, [len(names)]."""
        if names not in self._bags:
            self._bags[names] = np.array([self[name] for name in names], dtype=np.int32)
        return self._bags[names]


@dataclass
class Said:
    """Where a phrase stands: tokens start … stop − 1, and the position of every slot."""

    start: int
    stop: int
    at: dict[str, int]

    def __getitem__(self, slot: str) -> int:
        return self.at[slot]


@dataclass
class Draw:
    """n sentences of one kind while they are being written.

    `topic` [n] is the topic of each sentence's document; `force` fixes draws by name (a twin differs in one forced
    draw, and in nothing else: forced draws use up their random numbers too); `held_out` asks for what training never
    shows.
    """

    n: int
    rng: np.random.Generator
    words: Lexicon
    factors: Lexicon
    topic: Array
    force: dict[str, int | bool | Array] = field(default_factory=dict)
    held_out: bool = False

    def __post_init__(self) -> None:
        self.columns: list[int | Array] = []
        self.marks: list[tuple[int, Array | int]] = []  # position, factor of each sentence (−1: none)
        self.settled: dict[str, set[int]] = {}  # group of factors: the positions of the words that they settle
        self.log_p = np.zeros(self.n)
        self.drawn: dict[str, Array] = {}
        self.answer = 0  # position of the word that the rest of the sentence settles; 0: there is none

    def uniform(self) -> Array:
        return self.rng.random(self.n)

    def pick(self, bag: Bag, name: str) -> Array:
        """An index into the bag for every sentence, [n]."""
        i = np.minimum(np.searchsorted(bag.cdf, self.uniform(), side="right"), len(bag) - 1)
        i = self._forced(name, i)
        self.log_p += bag.log_p[i]
        return i

    def pick_given(self, log_p: Array, name: str, row: Array) -> Array:
        """An index from row `row[i]` of a table of log chances [rows, k], for every sentence i: [n].

        Its chance is not added to `log_p`: the reader of the text does not know the row (see `World._add_topics`).
        """
        cdf = np.cumsum(np.exp(log_p), axis=1)
        cdf /= cdf[:, -1:]
        i = np.minimum((cdf[row] <= self.uniform()[:, None]).sum(1), log_p.shape[1] - 1)
        return self._forced(name, i)

    def pick_distinct(self, bag: Bag, k: int, name: str) -> Array:
        """k different indices into the bag, one after another, each by the chances of what is left: [n, k]."""
        clocks = -np.log1p(-self.rng.random((self.n, len(bag)))) / bag.p  # the first k of racing exponential clocks
        first = np.argpartition(clocks, k, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(clocks, first, axis=1), axis=1)
        i = self._forced(name, np.take_along_axis(first, order, axis=1))
        gone = np.cumsum(bag.p[i], axis=1) - bag.p[i]
        self.log_p += (bag.log_p[i] - np.log1p(-gone)).sum(1)
        return i

    def flip(self, p: float | Array, name: str) -> Array:
        """True with chance p (one for all, or [n]), [n]."""
        yes = self._forced(name, self.uniform() < p).astype(bool)
        self.log_p += np.log(np.where(yes, p, 1 - p))
        return yes

    def word(self, bag: Bag, name: str) -> Array:
        """The token of a word picked from the bag, [n]."""
        return self.ids(bag)[self.pick(bag, name)]

    def ids(self, bag: Bag | Sequence[str]) -> Array:
        """The tokens of a bag's words, [len(bag)]."""
        return self.words.of(bag.spelled if isinstance(bag, Bag) else tuple(map(spelled, bag)))

    def say(self, text: str, **slots: Array | int) -> Said:
        """Add words to all sentences. `{slot}` stands for a column of tokens; `word>class` says that the class of the
        next token is settled here, which the predictive factor "next: class" then marks."""
        start, at = len(self.columns), {}
        for word, slot, upcoming in _pieces(text):
            if upcoming:
                self.mark(f"next: {upcoming}", len(self.columns))
            if slot:
                at[slot] = len(self.columns)
            else:
                self.settle("family", len(self.columns))
            self.columns.append(slots[slot] if slot else self.words[word])
        return Said(start, len(self.columns), at)

    def mark(self, name: str | Sequence[str], where: "int | range | Said", which: Array | None = None) -> None:
        """Label a token, several, or a phrase with a factor. With `which` [n]: with factor name[which] of a list of
        names, or, for a single name, where `which` is true; −1 (or false) marks nothing."""
        if isinstance(name, str):
            number: Array | int = self.factors[name]
            if which is not None:
                number = np.where(which, number, -1)
        else:
            assert which is not None, "a list of names needs an index"
            number = np.where(which < 0, -1, self.factors.of(tuple(name))[which])
        span = range(where, where + 1) if isinstance(where, int) else range(where.start, where.stop)
        self.marks += [(position, number) for position in span]

    def settle(self, group: str, *where: "int | range") -> None:
        """Say which words factors settle, those whose name starts with `group`: one token earlier they are at work."""
        for place in where:
            self.settled.setdefault(group, set()).update(range(place, place + 1) if isinstance(place, int) else place)

    def tokens(self) -> Array:
        """What was said, [n, length]."""
        return np.stack([np.broadcast_to(column, self.n) for column in self.columns], axis=1).astype(np.int32)

    def _forced(self, name: str, drawn: Array) -> Array:
        assert name not in self.drawn, f"two draws are called {name!r}"
        if name in self.force:
            drawn = np.broadcast_to(np.asarray(self.force[name], drawn.dtype), drawn.shape)
        self.drawn[name] = drawn
        return drawn


@cache
def _pieces(text: str) -> list[tuple[str, str, str]]:
    """A phrase as (word, slot, class of the next token); punctuation is written without a space before it."""
    pieces = []
    for piece in text.split():
        match = re.fullmatch(r"(?:\{(\w+)\}|(.+?))(?:>(\w+))?", piece)
        assert match, f"cannot read {piece!r} in {text!r}"
        slot, word, upcoming = match.groups()
        pieces.append(("" if slot else spelled(word), slot or "", upcoming or ""))
    return pieces


def spelled(word: str) -> str:
    """A word as the tokenizer has it: " word" with its leading space, but "," and a closing quotation mark without."""
    return word if word in {",", ".", "?", ";", ":", '"'} else ' "' if word == "“" else " " + word
