"""Statistics of latents over a stream of text of any length: memory doesn't grow with the number of tokens."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

EDGES = torch.logspace(-3, 3, 61)  # of the histogram's bins, ten per decade; the outer bins take what lies beyond
TOKENS_AT_ONCE = 2048
NONE = -1  # stands in a window beyond the text's start and end


@dataclass(frozen=True)
class Contexts:
    """Windows of 2 · radius + 1 tokens around a token, for each of m latents k of them.

    tokens [m, k, width] (−1 beyond the text), values [m, k, width] the latent's activations, found [m, k]: is there
    one? sequence, position [m, k]: where the token in the middle stands in the stream. No two windows of a latent come
    from the same sequence, so none overlap.
    """

    tokens: Tensor
    values: Tensor
    found: Tensor
    sequence: Tensor
    position: Tensor

    def of(self, row: int) -> list[tuple[list[int], list[float]]]:
        """The windows of a latent as lists of tokens and values, equal ones once."""
        windows: dict[tuple[int, ...], list[float]] = {}
        for tokens, values, found in zip(self.tokens[row], self.values[row], self.found[row]):
            if found:
                inside = tokens != NONE
                windows.setdefault(tuple(tokens[inside].tolist()), values[inside].tolist())
        return [(list(tokens), values) for tokens, values in windows.items()]


@dataclass(frozen=True)
class LatentStatistics:
    """What m latents of a dictionary did on N tokens (first tokens, BOS, are not counted and never fire here).

    - latents [m]: their numbers.   - tokens: N.
    - density [m]: fraction of tokens where each is > 0.   - maximum [m].   - mean [m], where it is > 0; nan if nowhere.
    - histogram [m, 60]: how often it lay between EDGES.
    - top: the strongest contexts, strongest first.   - sample: contexts drawn at random where it fires.
    - random: contexts drawn at random from all text, the same for all latents: tokens [r, width], values [r, width, m].
    - cofiring [m, d_sae]: tokens where both fire; cofiring_null: the same with the other latent read at the same
      position of another sequence, so both densities and their course along the sequence stay as they are.
    - density_all [d_sae].
    """

    latents: Tensor
    tokens: int
    density: Tensor
    maximum: Tensor
    mean: Tensor
    histogram: Tensor
    top: Contexts
    sample: Contexts
    random_tokens: Tensor
    random_values: Tensor
    cofiring: Tensor
    cofiring_null: Tensor
    density_all: Tensor

    def row(self, latent: int) -> int:
        """Where a latent stands in here. Raises ValueError for one that was left out."""
        found = (self.latents == latent).nonzero()
        if not len(found):
            raise ValueError(f"These statistics have no latent {latent}: ask for it in `latents`.")
        return int(found[0, 0])

    def intervals(self, latent: int, n: int = 4) -> list[tuple[float, float, list[tuple[list[int], list[float]]]]]:
        """The random sample of firing contexts in n groups of equal size by activation, strongest group first.

        For each group its lowest and highest activation and its contexts, in random order. So these are quantile
        intervals of the activations > 0, as far as the sample shows them.
        """
        row = self.row(latent)
        middle = self.sample.tokens.shape[-1] // 2
        found = self.sample.found[row]
        peaks = self.sample.values[row, :, middle][found]
        groups = []
        for group in peaks.argsort(descending=True).tensor_split(n):
            if len(group):
                those = found.nonzero()[:, 0][group.sort().values]
                part = Contexts(**{name: value[row, those][None] for name, value in vars(self.sample).items()})
                groups.append((float(peaks[group].min()), float(peaks[group].max()), part.of(0)))
        return groups


def latent_activations(lab, site: str, tokens: Tensor, dictionary=None, latents=None) -> Tensor:
    """Activations of latents on tokens [n, length] (BOS first): [n, length, d_sae], or of those in `latents` only.

    The first position, BOS, is set to 0: what latents do there is about the position alone. Everything is in memory at
    once; for more than a few thousand tokens take `latent_statistics`.
    """
    dictionary = lab.dictionary(site) if dictionary is None else dictionary
    with torch.no_grad():
        f = dictionary.encode(lab.activations(site, tokens)).float()
    f = f if latents is None else f[..., torch.as_tensor(latents, device=f.device)]
    f[:, 0] = 0
    return f.cpu()


@torch.no_grad()
def latent_statistics(
    lab,
    site: str,
    tokens: Tensor | Iterable[Tensor],
    dictionary=None,
    latents: Iterable[int] | None = None,
    top: int = 20,
    sample: int = 40,
    random: int = 8,
    radius: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> LatentStatistics:
    """One pass over tokens [n, length], or over an iterable of such batches, that are never all in memory.

    Peak memory is that of 2,048 tokens (or of one sequence, if that is longer) and of what is kept. From each sequence
    a latent gets at most one window per list. Raises ValueError for an empty stream, for latents
    that the dictionary doesn't have, and for activations that are NaN or infinite.
    """
    dictionary = lab.dictionary(site) if dictionary is None else dictionary
    chosen = torch.arange(dictionary.d_sae) if latents is None else torch.as_tensor(list(latents), dtype=torch.long)
    if len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= dictionary.d_sae:
        raise ValueError(f"This dictionary has latents 0 to {dictionary.d_sae - 1}; ask for some of those.")
    stream = _Stream(chosen, dictionary.d_sae, top, sample, random, radius, seed)
    for chunk in tqdm(_chunks(tokens), desc="reading", disable=not progress, leave=False, unit=" batches"):
        stream.read(chunk.cpu(), latent_activations(lab, site, chunk, dictionary))
    return stream.result()


def _chunks(tokens: Tensor | Iterable[Tensor]) -> Iterator[Tensor]:
    for batch in [tokens] if isinstance(tokens, Tensor) else tokens:
        yield from batch.split(max(1, TOKENS_AT_ONCE // max(1, batch.shape[1])))


class _Stream:
    """The running sums, and the windows kept so far."""

    def __init__(self, latents: Tensor, d_sae: int, top: int, sample: int, random: int, radius: int, seed: int):
        m = len(latents)
        self.latents, self.n, self.sequences = latents, 0, 0
        self.generator = torch.Generator().manual_seed(seed)
        self.total, self.maximum = torch.zeros(m, dtype=torch.double), torch.zeros(m)
        self.histogram = torch.zeros(m, len(EDGES) - 1, dtype=torch.long)
        self.fired = torch.zeros(d_sae, dtype=torch.long)
        self.both, self.null = torch.zeros(m, d_sae), torch.zeros(m, d_sae)
        self.top, self.sample = (_Kept(m, k, radius) for k in (top, sample))
        self.random = _Kept(1, random, radius)
        self.random_values = torch.zeros(random, 2 * radius + 1, m)

    def read(self, tokens: Tensor, f: Tensor) -> None:
        """tokens [b, length], f [b, length, d_sae]."""
        if not f.isfinite().all():
            raise ValueError("The latents hold nan or infinity; look at the dictionary's weights and its input.")
        on = (f > 0).float()
        self._co_firing(on)
        f = f[..., self.latents]
        self.n += f[:, 1:, 0].numel()
        self.total += f.double().sum((0, 1))
        row, position, latent = (f > 0).nonzero(as_tuple=True)
        values = f[row, position, latent]
        bins = torch.bucketize(values, EDGES[1:-1], right=True)
        n_bins = self.histogram.shape[1]
        self.histogram += torch.bincount(latent * n_bins + bins, minlength=self.histogram.numel()).view(-1, n_bins)
        if tokens.shape[1] < 2:
            return
        first, self.sequences = self.sequences, self.sequences + len(tokens)
        peak, at = f.max(1)
        self.maximum = torch.maximum(self.maximum, peak.max(0).values)
        self.top.offer(peak.where(peak > 0, -torch.inf), at, tokens, f, first)
        # the k largest of random keys are a random sample; a sequence counts once, by its luckiest token
        keys = torch.full(f.shape, -torch.inf)
        keys[row, position, latent] = torch.rand(len(row), generator=self.generator)
        self.sample.offer(*keys.max(1), tokens, f, first)
        self._random(tokens, f, first)

    def _co_firing(self, on: Tensor) -> None:
        other = on.roll(1, 0) if len(on) > 1 else on.roll(on.shape[1] // 2, 1)
        mine, on, other = (x.flatten(0, 1) for x in (on[..., self.latents], on, other))
        self.fired += on.sum(0).long()
        self.both += mine.T @ on
        self.null += mine.T @ other

    def _random(self, tokens: Tensor, f: Tensor, first: int) -> None:
        b, length = tokens.shape
        keys = torch.rand(b, 1, generator=self.generator)
        at = torch.randint(1, length, (b, 1), generator=self.generator)
        which, slot, rows, window, inside = self.random.offer(keys, at, tokens, f[..., :1], first)
        self.random_values = self.random_values[which[:, 0].clamp(max=len(self.random_values) - 1)]
        self.random_values[slot] = f[rows[:, None], window] * inside[..., None]

    def result(self) -> LatentStatistics:
        if self.n == 0:
            raise ValueError("There is no text to read: give at least one sequence of at least two tokens.")
        density_all = self.fired / self.n
        count = self.fired[self.latents]
        return LatentStatistics(
            self.latents, self.n, density_all[self.latents], self.maximum, (self.total / count).float(), self.histogram,
            self.top.contexts(), self.sample.contexts(), self.random.tokens[:, 0][self.random.score[:, 0] > -torch.inf],
            self.random_values[self.random.score[:, 0] > -torch.inf], self.both, self.null, density_all,
        )  # fmt: skip


class _Kept:
    """For each latent the k windows with the largest scores so far."""

    def __init__(self, m: int, k: int, radius: int):
        self.k, self.around = k, torch.arange(-radius, radius + 1)
        self.score = torch.full((k, m), -torch.inf)
        self.tokens = torch.full((k, m, len(self.around)), NONE, dtype=torch.int32)
        self.values = torch.zeros(k, m, len(self.around))
        self.sequence, self.position = (torch.full((k, m), NONE) for _ in range(2))

    def offer(self, score: Tensor, at: Tensor, tokens: Tensor, f: Tensor, first: int):
        """score, at [b, m]: each sequence's best token for each latent; tokens [b, length], f [b, length, m]."""
        self.score, which = torch.cat([self.score, score]).topk(self.k, dim=0)
        kept = which.clamp(max=self.k - 1)[..., None].expand_as(self.tokens)
        self.tokens, self.values = self.tokens.gather(0, kept), self.values.gather(0, kept)
        kept = kept[..., 0]
        self.sequence, self.position = self.sequence.gather(0, kept), self.position.gather(0, kept)
        slot, latent = ((which >= self.k) & (self.score > -torch.inf)).nonzero(as_tuple=True)
        row = which[slot, latent] - self.k
        self.sequence[slot, latent], self.position[slot, latent] = first + row, at[row, latent]
        window = at[row, latent][:, None] + self.around
        inside = (window >= 0) & (window < tokens.shape[1])
        window = window.clamp(0, tokens.shape[1] - 1)
        self.tokens[slot, latent] = tokens[row[:, None], window].int().where(inside, NONE)
        self.values[slot, latent] = f[row[:, None], window, latent[:, None]] * inside
        return which, slot, row, window, inside

    def contexts(self) -> Contexts:
        found = self.score > -torch.inf
        kept = (self.tokens, self.values, found, self.sequence, self.position)
        return Contexts(*(x.transpose(0, 1).contiguous() for x in kept))
