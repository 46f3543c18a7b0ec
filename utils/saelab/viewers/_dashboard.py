"""`dashboard(lab, latent)`: everything about one latent on one page."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from . import _sections as sections
from ._describing import Matches, matches
from ._lens import heads_and_sources, logit_lens, vocabulary
from ._page import Page, escape
from ._statistics import LatentStatistics, latent_statistics

SEQUENCES, LENGTH = 256, 64  # of text that statistics are made on, unless you give tokens
READ = 3  # top contexts whose heads and source tokens are shown


@dataclass
class Dictionary:
    """A dictionary of a lab with the text it is looked at on; what all its pages need is made once."""

    lab: Any
    site: str
    architecture: str | None = None
    seed: int = 0
    given: Tensor | None = None

    def __post_init__(self) -> None:
        self.tokens: Tensor = self._text() if self.given is None else self.given
        self.sae = self.lab.dictionary(self.site, self.architecture, self.seed)

    def _text(self) -> Tensor:
        return self.lab.tokens(SEQUENCES, min(LENGTH, self.lab.context), seed=1)

    @property
    def name(self) -> str:
        kind = self.architecture or type(self.sae).__name__
        control = f", control {self.lab.control_kind}" if self.lab.control_kind else ""
        return f"{self.lab.name}{control} · {self.site} · {kind}" + (f" · seed {self.seed}" if self.seed else "")

    @cached_property
    def words(self) -> list[str]:
        return vocabulary(self.lab)

    def page(
        self, latent: int, statistics: LatentStatistics, found: Matches | None, link: str = "", back: str = ""
    ) -> Page:
        """The page of a latent; `link`: where those of others are, with {} for the number."""
        logits = logit_lens(self.lab, self.site, self.sae.W_dec[[latent]])[0]
        row = statistics.row(latent)
        parts = [
            back,
            f"<h1>Latent {latent}</h1>",
            f'<p class="soft">{escape(self.name)}</p>',
            sections.facts(statistics, latent),
            sections.histogram(statistics.histogram[row], float(statistics.maximum[row])),
            sections.promoted(logits, self.words),
        ]
        if found is not None:
            parts.append(sections.factors(found.best.get(latent), found.factors.get(latent, []), found.tokens))
        parts.append(sections.contexts(statistics, latent, self.words))
        if self.site.endswith("hook_z"):
            parts.append(self._reading(latent, statistics))
        parts.append(sections.co_firing(statistics, latent, link))
        return Page(f"Latent {latent} of {self.name}", "".join(parts))

    def _reading(self, latent: int, statistics: LatentStatistics) -> str:
        top, row = statistics.top, statistics.row(latent)
        found = top.found[row, :READ]
        if not found.any():
            return ""
        texts, at = self.tokens[top.sequence[row, :READ][found]], top.position[row, :READ][found]
        heads, sources = heads_and_sources(self.lab, self.site, texts, at, self.sae, latent)
        words = [[self.words[t] for t in text[: p + 1].tolist()] for text, p in zip(texts, at.tolist())]
        return sections.reading(words, heads, [s[: p + 1].tolist() for s, p in zip(sources, at.tolist())])


def dashboard(
    lab,
    latent: int,
    site: str | None = None,
    architecture: str | None = None,
    seed: int = 0,
    tokens: Tensor | None = None,
) -> Page:
    """One latent on one page: shown by itself in a notebook, `.save("latent.html")` for a browser; no network needed.

    Its histogram; the tokens it promotes and suppresses; in the pocket lab the factors it matches, with precision and
    recall; its strongest contexts, some from each interval of its activations, and random text; for a latent at
    attn.hook_z the heads and source tokens that it reads; the latents that fire with it, beside a null.

    `site`: a hook point of lab.sites, the middle of the residual stream by default; `architecture` and `seed` as in
    `lab.dictionary`. tokens [n, length], BOS first: the text to look at, 256 sequences of 64 by default.
    Raises ValueError for a latent or site that isn't there.
    """
    one = Dictionary(lab, middle(lab) if site is None else site, architecture, seed, tokens)
    if not isinstance(latent, int) or not 0 <= latent < one.sae.d_sae:
        raise ValueError(f"{one.name} has latents 0 to {one.sae.d_sae - 1}, not {latent!r}: choose one of those.")
    statistics = latent_statistics(lab, one.site, one.tokens, one.sae, [latent])
    return one.page(latent, statistics, matches(lab, one.site, one.sae, [latent], factors=5))


def middle(lab) -> str:
    """The hook point with a dictionary in the middle of the residual stream."""
    streams = [site for site in lab.sites if site.endswith(("resid_pre", "resid_post"))] or list(lab.sites)
    return streams[len(streams) // 2]
