"""Looking at latents: coloured tokens, a page per latent, an index over a dictionary, two dictionaries side by side.

    from saelab import dashboard, lab
    dashboard(lab("pocket"), 12)                       # in a notebook; .save("latent.html") for a browser
    viewers.dashboards(lab("pocket"), "latents")       # all latents, with latents/index.html over them
    viewers.neuroscope(lab("pocket"), "a text of yours")

Every page is one file without network, readable without scripts, in light and dark, on a phone; text is never executed.
`latent_statistics` is what they stand on: one pass over text of any length, in memory that doesn't grow with it.
"""

from ._compare import compare, matched_latents
from ._dashboard import dashboard
from ._index import dashboards
from ._lens import heads_and_sources, logit_lens
from ._neuronpedia import export_neuronpedia, neuronpedia_link, neuronpedia_page
from ._neuroscope import neuroscope, neuroscope_app, neuroscope_box
from ._page import Page
from ._statistics import Contexts, LatentStatistics, latent_activations, latent_statistics
from ._tokens import highlight

__all__ = [
    "Contexts",
    "LatentStatistics",
    "Page",
    "compare",
    "dashboard",
    "dashboards",
    "export_neuronpedia",
    "heads_and_sources",
    "highlight",
    "latent_activations",
    "latent_statistics",
    "logit_lens",
    "matched_latents",
    "neuronpedia_link",
    "neuronpedia_page",
    "neuroscope",
    "neuroscope_app",
    "neuroscope_box",
]
