"""An interactive neuroscope: type a text, choose latents, see where they fire. Offline, in a notebook."""

import importlib.util
from typing import Any

import torch

from ._dashboard import middle
from ._page import Page, escape, table
from ._statistics import latent_activations
from ._tokens import context_html, legend, scale_of

STRONGEST = 5
EXAMPLE = "When Mary and John went to the church, John gave a bottle to"


def neuroscope(lab, text: str, latents: list[int] | None = None, site: str | None = None, dictionary=None) -> Page:
    """Where latents fire in a text of yours: the text once for each latent, coloured, all on one scale.

    `latents`: their numbers, the five strongest on this text by default. `site` as in `dashboard`. BOS is put before
    the text. Raises ValueError for a text that is empty or longer than the model's context, and
    for latents that the dictionary doesn't have. Words that the tokenizer doesn't know are named on the page.
    """
    site = middle(lab) if site is None else site
    dictionary = lab.dictionary(site) if dictionary is None else dictionary
    ids = _ids(lab, text)
    f = latent_activations(lab, site, torch.tensor([ids]), dictionary)[0]
    strongest = f.max(0).values.topk(min(STRONGEST, f.shape[1]))
    if latents is None:
        latents = [i for i, v in zip(strongest.indices.tolist(), strongest.values.tolist()) if v > 0]
    if bad := [i for i in latents if not isinstance(i, int) or not 0 <= i < f.shape[1]]:
        raise ValueError(f"This dictionary has latents 0 to {f.shape[1] - 1}, not {bad[0]!r}: choose one of those.")
    words = [lab.tokenizer.decode([i]) for i in ids]
    rows = [f[:, i].tolist() for i in latents]
    scale = scale_of(rows)
    shown = "".join(f"<h2>Latent {i}</h2>{context_html(words, row, scale)}" for i, row in zip(latents, rows))
    top = [
        [str(i), float(v), words[int(f[:, i].argmax())]]
        for i, v in zip(strongest.indices.tolist(), strongest.values)
        if v > 0
    ]
    body = (
        f'<p class="soft">{escape(lab.name)} · {escape(site)}</p>{_unknown(lab, ids)}{legend(scale)}{shown}'
        f"<h2>Strongest on this text</h2>{table(['latent', 'maximum', 'on'], top, '', (0, 1))}"
    )
    return Page("Neuroscope", body)


def neuroscope_box(lab, text: str = EXAMPLE, site: str | None = None) -> Any:
    """Boxes to type into and the neuroscope below, in a notebook with ipywidgets; without it the page of `text`."""
    site = middle(lab) if site is None else site
    dictionary = lab.dictionary(site)
    if importlib.util.find_spec("ipywidgets") is None:
        page = neuroscope(lab, text, None, site, dictionary)
        told = (
            'No ipywidgets here, so there is nothing to type into: call neuroscope(lab, "your text", latents=[1, 2]).'
        )
        return Page(page.title, f'<p class="soft">{escape(told)}</p>{page.body}')
    import ipywidgets as widgets

    wide = widgets.Layout(width="95%")
    typed = widgets.Textarea(value=text, description="Text", layout=wide)
    chosen = widgets.Text(description="Latents", placeholder="the strongest; or numbers, as 3, 14", layout=wide)
    shown = widgets.HTML()

    def show(_=None) -> None:
        shown.value = answer(lab, typed.value, chosen.value, site, dictionary)._repr_html_()

    for box in (typed, chosen):
        box.continuous_update = False
        box.observe(show, "value")
    show()
    return widgets.VBox([typed, chosen, shown])


def neuroscope_app(lab, site: str | None = None) -> Any:
    """The neuroscope as a small web application, a gradio.Blocks: `.launch()` opens it on this machine.

    Needs the extra `gradio`: pip install "saelab[gradio]". Raises ImportError in one sentence without it.
    """
    try:
        import gradio
    except ImportError:
        raise ImportError(
            'The neuroscope in a browser needs gradio: pip install "gradio>=5", then run this again.'
        ) from None
    site = middle(lab) if site is None else site
    dictionary = lab.dictionary(site)

    def show(typed: str, chosen: str) -> str:
        return answer(lab, typed, chosen, site, dictionary)._repr_html_()

    with gradio.Blocks(title="Neuroscope", analytics_enabled=False) as app:
        typed = gradio.Textbox(EXAMPLE, label="Text", lines=3)
        chosen = gradio.Textbox("", label="Latents (empty: the strongest)", placeholder="3, 14")
        shown = gradio.HTML(show(EXAMPLE, ""))
        for box in (typed, chosen):
            box.change(show, [typed, chosen], shown, api_name=False)
    return app


def answer(lab, typed: str, chosen: str, site: str, dictionary) -> Page:
    """The page for what was typed, or one sentence on what is wrong with it."""
    try:
        numbers = [int(part) for part in chosen.replace(",", " ").split()]
    except ValueError:
        return _told("Latents are numbers with commas between them, as 3, 14.")
    try:
        return neuroscope(lab, typed, numbers or None, site, dictionary)
    except ValueError as error:
        return _told(str(error))


def _told(sentence: str) -> Page:
    return Page("Neuroscope", f"<p>{escape(sentence)}</p>")


def _ids(lab, text: str) -> list[int]:
    ids = lab.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    if not ids:
        raise ValueError("There is no text to read: type a few words.")
    if len(ids) >= lab.context:
        raise ValueError(
            f"{lab.name} reads up to {lab.context - 1} tokens behind BOS, and this text has {len(ids)}: shorten it."
        )
    return [lab.tokenizer.bos_token_id, *ids]


def _unknown(lab, ids: list[int]) -> str:
    unknown = getattr(lab.tokenizer, "unk_token_id", None)
    n = ids.count(unknown) if unknown is not None else 0
    told = f"{n} of {len(ids) - 1} tokens are words that this model doesn't know (<unk>)."
    return f"<p>{escape(told)}</p>" if n else ""
