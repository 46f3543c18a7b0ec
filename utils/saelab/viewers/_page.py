"""One self-contained page: no network, no script needed, light and dark, a phone's width and a desk's."""

import html
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from saelab import files

_LIGHT = "color-scheme:light;--ink:#1a1a1a;--soft:#595959;--paper:#fff;--line:#c9c9c9;--pos:230 159 0;--neg:86 180 233"
_DARK = "color-scheme:dark;--ink:#f2f2f2;--soft:#b4b4b4;--paper:#151515;--line:#4a4a4a;--pos:154 91 0;--neg:31 111 181"
# Orange and blue of Okabe and Ito, darker on dark paper: the ink keeps 4.5:1 on the deepest of each (tests look).
STYLE = f"""<style>
.saelab-view{{{_LIGHT}}}
@media(prefers-color-scheme:dark){{.saelab-view{{{_DARK}}}}}
[data-jp-theme-light=true] .saelab-view,html[theme=light] .saelab-view,.vscode-light .saelab-view{{{_LIGHT}}}
[data-jp-theme-light=false] .saelab-view,html[theme=dark] .saelab-view,.vscode-dark .saelab-view{{{_DARK}}}
.saelab-view{{background:var(--paper);color:var(--ink);font:15px/1.5 Helvetica,Arial,sans-serif;padding:.6em 1em}}
.saelab-view *{{box-sizing:border-box}}
.saelab-view h1{{font-size:1.35em;margin:.3em 0}}.saelab-view h2{{font-size:1.1em;margin:1.2em 0 .3em}}
.saelab-view h1,.saelab-view h2,.saelab-view a,.saelab-view p{{color:inherit;background:none}}
.saelab-view .soft{{color:var(--soft);font-size:.9em;margin:.2em 0}}
.saelab-view .ctx{{white-space:pre-wrap;overflow-wrap:anywhere;margin:.15em 0;padding:.15em 0;text-align:left;
border-bottom:1px solid var(--line)}}
.saelab-view .lab{{color:var(--soft);font-size:.85em;margin-right:.7em}}
.saelab-view mark{{color:inherit;border-radius:3px;border-bottom:2px solid}}
.saelab-view .p{{background:rgb(var(--pos)/var(--a));border-color:rgb(var(--pos))}}
.saelab-view .n{{background:rgb(var(--neg)/var(--a));border-color:rgb(var(--neg));border-bottom-style:dashed}}
.saelab-view .x{{background:none;border-bottom:2px dotted}}
.saelab-view mark{{position:relative}}
.saelab-view mark i{{font:.75em/1.2 Helvetica,Arial,sans-serif;white-space:nowrap}}
.saelab-view mark:not(.t) i{{position:absolute;left:0;bottom:100%;clip-path:inset(50%)}}
.saelab-view mark:hover i{{clip-path:none;background:var(--paper);border:1px solid;padding:.1em .3em;z-index:1}}
.saelab-view .nums mark:not(.t) i{{position:static;clip-path:none;border:0;background:none}}
.saelab-view .wide{{overflow-x:auto}}
.saelab-view .side{{display:flex;flex-wrap:wrap;gap:0 2.5em}}.saelab-view .side>div{{min-width:0;max-width:100%}}
.saelab-view table{{border-collapse:collapse;font-size:.93em;margin:.3em 0;color:inherit;background:none}}
.saelab-view th,.saelab-view td{{text-align:left;vertical-align:top;padding:.15em .7em .15em 0;
border-bottom:1px solid var(--line);background:none;color:inherit}}
.saelab-view td.r,.saelab-view th.r{{text-align:right;font-variant-numeric:tabular-nums}}
.saelab-view .one td,.saelab-view .one th{{white-space:nowrap}}
.saelab-view caption{{text-align:left;color:var(--soft);font-size:.95em}}
.saelab-view svg{{max-width:100%;height:auto;display:block}}.saelab-view rect{{fill:rgb(var(--neg))}}
.saelab-view text{{fill:var(--ink);font-size:11px}}
.saelab-view input,.saelab-view button{{font:inherit;color:inherit;background:var(--paper);
border:1px solid var(--line);border-radius:4px;padding:.2em .5em;max-width:100%}}
.saelab-view button{{border:0;padding:0;font-weight:bold;cursor:pointer}}
</style>"""


@dataclass(frozen=True)
class Page:
    """Something to look at: shown by itself at the end of a notebook's cell, or saved with `.save("file.html")`.

    `body` is HTML in which all text is escaped already; `head` goes into the saved page only.
    """

    title: str
    body: str
    head: str = ""

    def _repr_html_(self) -> str:
        return f'{STYLE}<div class="saelab-view">{self.body}</div>'

    @property
    def html(self) -> str:
        """The whole page, as `save` writes it."""
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"{self.head}{STYLE}<style>body{{margin:0}}body>.saelab-view{{min-height:100vh}}</style></head>"
            f'<body><main class="saelab-view">{self.body}</main></body></html>\n'
        )

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page to a file, never half; folders on the way are made. Raises OSError in one sentence."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomically(path, self.html)
        except OSError as error:
            raise OSError(files.trouble(error)) from None
        return path

    def __repr__(self) -> str:
        return f"Page({self.title!r}, {len(self.html):,} characters; show it in a notebook or .save('page.html') it)"


def escape(text: object) -> str:
    """Any text as HTML: never a tag; what can't be seen, or would turn the line round, by its number (⟨U+202E⟩)."""
    told = "".join(char if _is_plain(char) else f"⟨U+{ord(char):04X}⟩" for char in str(text))
    return html.escape(told)


def _is_plain(char: str) -> bool:
    if char < "\x7f":
        return char >= " " or char in "\n\t"
    return unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Co", "Cf", "Zl", "Zp") or char == "\u200d"


def table(head: list[str], rows: list[list[object]], caption: str = "", numbers: tuple[int, ...] = ()) -> str:
    """A table; columns whose numbers are in `numbers` are set to the right. Cells are escaped unless they are `Raw`."""
    if not rows:
        return f'<p class="soft">{escape(caption)}: none.</p>' if caption else ""
    kind = [' class="r"' if i in numbers else "" for i in range(len(head))]
    top = "".join(f'<th scope="col"{k}>{escape(name)}</th>' for k, name in zip(kind, head))
    body = "".join(f"<tr>{''.join(f'<td{k}>{cell(c)}</td>' for k, c in zip(kind, row))}</tr>\n" for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{told}<thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table></div>'


class Raw(str):
    """HTML that is escaped already."""


def cell(value: object) -> str:
    return value if isinstance(value, Raw) else escape(number(value))


def number(value: object) -> str:
    """A number with three figures; anything else as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
