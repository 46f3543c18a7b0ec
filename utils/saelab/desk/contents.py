"""The contents page: chapters, sections and exercises, what is passed, and where to go on.

`saelab build` writes it beside the chapters, without progress: there it has an address in Colab, once the course has
one. `saelab start` writes it into a student's folder, and `refresh` keeps it true there. It is a notebook, since that
opens as a page wherever the others open; cells that a student adds to it stay.
"""

import contextlib
import json
import os
from pathlib import Path

from saelab import content
from saelab.answers import progress
from saelab.answers.progress import Entry
from saelab.content import Exercise, Source
from saelab.files import write_atomically

FILE = "contents.ipynb"
CELL = "saelab-contents"  # the id and the mark of the cell that is ours
MARKS = {"passed": "✓", "started": "…"}
NEXT = "→"
ALL_PASSED = "You have passed every exercise there is. Congratulations!"


def page(entries: dict[str, Entry], colab: str = "", home: Path | None = None) -> str:
    """The map as Markdown. `colab` is the address behind which a notebook's `chapter/name.ipynb` opens in Colab.

    In a student's folder `home`, sections without a notebook in the course don't appear, and one that is missing there
    has no link. Without a folder all appear, since `saelab build` makes the notebooks of all.
    """
    go_on = progress.first_open(entries)
    lines = ["# Contents", "", *_continue(go_on, home, bool(entries)), ""]
    if home:
        lines += [
            "✓ passed · … tried, not passed yet · → continue here. Checks and `saelab status` keep this up to date; "
        ]
        lines += ["where you have the page open, *File › Reload Notebook from Disk* shows it.", ""]
    if colab:
        lines += ["In Colab, use the links called *Colab*: the others lead from file to file at home.", ""]
    for chapter in content.chapters():
        sources = [s for s in content.sources(chapter) if home is None or s.path.with_suffix(".ipynb").is_file()]
        if sources:
            lines += _chapter(chapter, sources, entries, go_on, colab, home)
    return "\n".join(lines).rstrip()


def _continue(exercise: Exercise | None, home: Path | None, begun: bool) -> list[str]:
    if exercise is None:
        return [ALL_PASSED]
    begin = "Continue here" if begun else "Begin here"
    where = f"exercise {content.number(exercise)}, *{exercise.title}*"
    return [f"**{begin}:** {_link(content.read(exercise.path), home)} ({where})"]


def _chapter(
    chapter: str,
    sources: list[Source],
    entries: dict[str, Entry],
    go_on: Exercise | None,
    colab: str,
    home: Path | None,
) -> list[str]:
    number, title = content.chapter_heading(chapter)
    exercises = [e for source in sources for e in source.exercises]
    done = progress.passed(entries, exercises)
    points = f"{sum(e.points for e in done)} of {sum(e.points for e in exercises)} points"
    lines = [
        f"## {number} · {title}",
        "",
        f"{len(done)} of {len(exercises)} exercises passed, {points}.",
        "",
        "| | section and exercises | minutes | difficulty | points |",
        "|:-:|:--|--:|:--|--:|",
    ]
    for place, source in enumerate(sources, 1):
        lines.append(_section_row(f"{place}", source, entries, colab, home))
        lines += [_exercise_row(e, entries, e == go_on) for e in source.exercises]
    return [*lines, ""]


def _section_row(place: str, source: Source, entries: dict[str, Entry], colab: str, home: Path | None) -> str:
    minutes, points = (sum(getattr(e, what) for e in source.exercises) for what in ("minutes", "points"))
    passed = source.exercises and progress.passed(entries, source.exercises) == source.exercises
    there = f" · [Colab]({colab}/{source.chapter}/{source.stem}.ipynb)" if colab else ""
    numbers = f"**{minutes}** | | **{points}**" if source.exercises else "to read | | "
    return f"| {'✓' if passed else ''} | **Section {place}: {_link(source, home)}**{there} | {numbers} |"


def _exercise_row(exercise: Exercise, entries: dict[str, Entry], is_next: bool) -> str:
    mark = NEXT if is_next else MARKS.get(progress.status(entries, exercise), "")
    title = f"{content.number(exercise)} {_cell(exercise.title)} `{exercise.name}`"
    return f"| {mark} | {title} | {exercise.minutes} | {dots(exercise, 'difficulty')} | {exercise.points} |"


def dots(exercise: Exercise, what: str) -> str:
    """Its difficulty or importance, out of five; nothing where its author gave none."""
    number = exercise.meta.get(what, 0)
    return "●" * number + "○" * (5 - number) if number else ""


def _link(source: Source, home: Path | None) -> str:
    place = f"{source.chapter}/{source.stem}.ipynb"
    if home and not (home / place).is_file():
        return f"{_cell(source.title)} (`{place}` is not here: `saelab start .` brings it back)"
    return f"[{_cell(source.title)}]({place})"


def _cell(text: str) -> str:
    """Text that ends no cell of a table."""
    return text.replace("|", "\\|")


def notebook(text: str, published: dict[str, str]) -> dict:
    """The page as a notebook; `published` is what later readers of it need to know: `repository` and `colab`."""
    cell = {"cell_type": "markdown", "id": CELL, "metadata": {"saelab": CELL}, "source": text.splitlines(True)}
    meta = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "saelab": {"kind": "contents", **published},
    }
    return {"cells": [cell], "metadata": meta, "nbformat": 4, "nbformat_minor": 5}


def dump(made: dict) -> str:
    """A notebook as the text that Jupyter would write."""
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def published() -> dict[str, str]:
    """`repository` and `colab`, as the course's own contents page has them; both empty while it has no address."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        meta = json.loads((content.root() / "chapters" / FILE).read_bytes())["metadata"]["saelab"]
        return {what: str(meta[what]) for what in ("repository", "colab")}
    return {"repository": "", "colab": ""}


def write(home: Path) -> str:
    """Make the page of a student's folder, or bring it up to date; returns a sentence about it."""
    path = home / FILE
    if not os.path.lexists(path):
        where = published()
        text = page(progress.load(home)[0], where["colab"], home)
        write_atomically(path, dump(notebook(text, where)))
    elif not refresh(home):
        return f"{FILE} in it is not the course's, so it stays. To get the contents page, rename it and start again."
    return f"{FILE} in it is the page of all sections."


def refresh(home: Path) -> bool:
    """Bring the page up to date where there is one; is there? Trouble with it costs nothing."""
    path = home / FILE
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(path.read_bytes())
        if kept["metadata"]["saelab"]["kind"] != "contents":
            return False
        text = page(progress.load(home)[0], published()["colab"], home)
        ours = next((c for c in kept["cells"] if c["metadata"].get("saelab") == CELL), None)
        if ours is None:
            kept["cells"].insert(0, notebook(text, {})["cells"][0])
        elif "".join(ours["source"]) == text:
            return True
        else:
            ours["source"] = text.splitlines(True)
        write_atomically(path, dump(kept))
        return True
    return False
