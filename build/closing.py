"""How a notebook ends: the next section, in Colab too, and the way back to the contents page."""

import os
from pathlib import Path

from saelab import content
from saelab.content import Source
from saelab.desk.contents import FILE


def last_cell(source: Source, kind: str, colab: str) -> str:
    """The links at the end of a notebook; `kind` is the folder it lies in, `colab` the address of `chapters/` there.

    From file to file at home and on GitHub; Colab opens notebooks by their addresses, so there are links for it, too.
    """
    after = following(source)
    here = Path(kind, source.chapter)
    place = Path("chapters", FILE)
    links = [f"[Contents]({_from(here, place)})"]
    there = [f"[Contents]({colab}/{FILE})"]
    lead = "This was the last section that there is."
    if after:
        next_one = Path(kind, after.chapter, f"{after.stem}.ipynb")
        links.insert(0, f"[{after.title}]({_from(here, next_one)})")
        folder = colab.removesuffix("chapters") + kind
        there.insert(0, f"[{after.title}]({folder}/{after.chapter}/{after.stem}.ipynb)")
        lead = "**Next:**" if after.chapter == source.chapter else f"**Next,** in chapter {_chapter(after)}:"
    in_colab = (
        f"In Colab: {' · '.join(there)}"
        if colab
        else "In Colab these links lead nowhere yet, as the course is not published: *File › Upload notebook*."
    )
    return f"---\n\n{lead} {' · '.join(links)}\n\n{in_colab}"


def following(source: Source) -> Source | None:
    """The section behind this one, in the order of the course."""
    every = [each for chapter in content.chapters() for each in content.sources(chapter)]
    place = [each.path for each in every].index(source.path) + 1
    return every[place] if place < len(every) else None


def _chapter(source: Source) -> str:
    return " · ".join(map(str, content.chapter_heading(source.chapter)))


def _from(here: Path, place: Path) -> str:
    return Path(os.path.relpath(place, here)).as_posix()
