"""`dashboards(lab, folder)`: a page for every latent of a dictionary, and an index with search and sort."""

import hashlib
import json
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from saelab import files

from ._dashboard import Dictionary, middle
from ._describing import Matches, matches
from ._lens import logit_lens
from ._page import Page, Raw, escape, number
from ._statistics import LatentStatistics, latent_statistics

_SCRIPT = """<script>
addEventListener("DOMContentLoaded", () => {
  const body = document.querySelector("tbody"), rows = [...body.rows], find = document.querySelector("input");
  const told = document.querySelector("#told");
  document.querySelector("#tools").hidden = false;
  const show = () => {
    const words = find.value.toLowerCase().split(/\\s+/);
    let n = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      n += !row.hidden;
    }
    told.textContent = n + " of " + rows.length + " latents";
  };
  find.addEventListener("input", show); show();
  document.querySelectorAll("th").forEach((th, i) => {
    const button = document.createElement("button");
    button.textContent = th.textContent; th.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = th.getAttribute("aria-sort") === "descending";
      document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = row => row.cells[i].dataset.v ?? row.cells[i].textContent;
      const by = (a, b) => { const x = key(a), y = key(b), d = x - y;
        return isNaN(d) ? (isNaN(x) - isNaN(y) || String(x).localeCompare(y)) : d; };
      rows.sort((a, b) => up ? by(a, b) : by(b, a));
      body.append(...rows);
    });
  });
});
</script>"""


_NUMBERS, _RIGHT = ("latent", "density", "maximum", "F1"), ' class="r"'


def dashboards(
    lab,
    folder: str | Path,
    site: str | None = None,
    architecture: str | None = None,
    seed: int = 0,
    tokens: Tensor | None = None,
    latents: list[int] | None = None,
) -> Path:
    """Write a page for every latent (or those of `latents`) and `index.html` over them; returns the index's path.

    The index can be searched and sorted in the browser, and reads as a plain table where scripts are off. Options are
    those of `dashboard`. Stopped and called again, it goes on where it was; pages made from another model, dictionary,
    text or version of this code are made anew.
    """
    one = Dictionary(lab, middle(lab) if site is None else site, architecture, seed, tokens)
    chosen = list(range(one.sae.d_sae)) if latents is None else sorted(set(latents))
    folder, mark = Path(folder), f"<!-- {_key(one)} -->\n"
    missing = [i for i in chosen if not _is_there(_place(folder, i), mark)]
    if not missing and _is_there(folder / "index.html", mark + _listed(chosen)):
        return folder / "index.html"
    statistics = latent_statistics(lab, one.site, one.tokens, one.sae, chosen, progress=True)
    found = matches(lab, one.site, one.sae, chosen)
    try:
        (folder / "latents").mkdir(parents=True, exist_ok=True)
        for latent in tqdm(missing, desc="pages", unit=" latents", leave=False):
            page = one.page(latent, statistics, found, "{}.html", '<p><a href="../index.html">All latents</a></p>')
            files.write_atomically(_place(folder, latent), mark + page.html)
        index = index_page(one, statistics, found, chosen)
        files.write_atomically(folder / "index.html", mark + _listed(chosen) + index.html)
    except OSError as error:
        raise OSError(files.trouble(error)) from None
    return folder / "index.html"


def index_page(one: Dictionary, statistics: LatentStatistics, found: Matches | None, latents: list[int]) -> Page:
    """The table over latents whose pages lie in latents/."""
    head = ["latent", "density", "maximum", *(["matches", "F1"] if found else []), "fires on", "promotes"]
    ups = logit_lens(one.lab, one.site, one.sae.W_dec[latents]).topk(3).indices.tolist()
    rows = []
    for latent, up in zip(latents, ups):
        row = statistics.row(latent)
        cells: list[tuple[object, float | None]] = [
            (Raw(f'<a href="latents/{latent}.html">{latent}</a>'), float(latent))
        ]
        density, maximum = float(statistics.density[row]), float(statistics.maximum[row])
        cells += [(f"{density:.3%}", density), (number(maximum), maximum)]
        if found:
            said, *_, f1 = found.best.get(latent, ("", 0.0, 0.0, -1.0))
            cells += [(said, None), (number(f1) if f1 >= 0 else "", f1)]
        cells += [(_peaks(statistics, row, one.words), None), (" ".join(one.words[i] for i in up), None)]
        rows.append(f"<tr>{''.join(_cell(text, value) for text, value in cells)}</tr>\n")
    top = "".join(f'<th scope="col"{_RIGHT if name in _NUMBERS else ""}>{name}</th>' for name in head)
    dead = int((statistics.density == 0).sum())
    body = (
        f"<h1>{len(latents):,} latents</h1>"
        f'<p class="soft">{escape(one.name)}; read on {statistics.tokens:,} tokens, where {dead:,} never fire.</p>'
        '<p id="tools" hidden><label>Search <input type="search" size="24"></label> <span id="told" class="soft" '
        f'role="status"></span></p><div class="wide"><table class="one"><thead><tr>{top}</tr></thead><tbody>\n'
        f"{''.join(rows)}</tbody></table></div>"
    )
    return Page(f"Latents of {one.name}", body, _SCRIPT)


def _peaks(statistics: LatentStatistics, row: int, words: list[str]) -> str:
    """The tokens on which it is strongest, each once."""
    middle = statistics.top.tokens.shape[-1] // 2
    peaks = statistics.top.tokens[row, :, middle][statistics.top.found[row]]
    return ", ".join(list(dict.fromkeys(words[t].strip() for t in peaks.tolist()))[:5])


def _cell(text: object, value: float | None) -> str:
    shown = text if isinstance(text, Raw) else escape(text)
    return f"<td>{shown}</td>" if value is None else f'<td class="r" data-v="{value:.6g}">{shown}</td>'


def _key(one: Dictionary) -> str:
    """Everything that determines the pages: the model, the dictionary's weights, the text, this code."""
    told = hashlib.sha256()
    told.update(json.dumps([one.name, one.lab.origin, one.lab.control_kind, list(one.tokens.shape)]).encode())
    told.update(one.tokens.cpu().numpy().tobytes())
    for name, value in sorted(one.sae.state_dict().items()):
        told.update(name.encode() + value.detach().float().cpu().contiguous().numpy().tobytes())
    for wing in ("viewers", "scores", "sae", "labs", "world"):
        for module in sorted((Path(__file__).parents[1] / wing).rglob("*.py")):
            told.update(module.read_bytes())
    return told.hexdigest()[:32]


def _listed(latents: list[int]) -> str:
    return f"<!-- {hashlib.sha256(str(latents).encode()).hexdigest()[:16]} -->\n"


def _place(folder: Path, latent: int) -> Path:
    return folder / "latents" / f"{latent}.html"


def _is_there(page: Path, start: str) -> bool:
    try:
        with page.open(encoding="utf-8") as file:
            return file.read(len(start)) == start
    except (OSError, UnicodeDecodeError):
        return False
