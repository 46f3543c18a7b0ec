"""The exercise notebooks as an nbgrader course, so that its formgrader can be used for comments in free text.

Each exercise is a manually graded answer (`grade` and `solution`), worth what it is worth here. nbgrader runs nothing:
its configuration turns off running cells and rewriting them. `nbgrader generate_assignment CHAPTER` in the folder
makes the notebooks to hand out, `nbgrader autograde CHAPTER` files what was collected, `nbgrader formgrader` shows it.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from saelab import content
from saelab.files import write_atomically

FOLDER = "nbgrader"
SCHEMA = 3  # of nbgrader's cell metadata; nbgrader 0.6 and later
CONFIG = """\
# Written by `saelab grade --nbgrader`. saelab gives the points for code, in a jail; nbgrader runs nothing.
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "saelab"
c.Execute.enabled = False
c.ClearSolutions.enabled = False  # the cells are as students get them; nbgrader would empty them
"""


def write(chapters: Iterable[str], out: Path) -> None:
    """Write out/nbgrader: the configuration, and source/CHAPTER/SECTION.ipynb for every section of the chapters."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "nbgrader_config.py", CONFIG)
    for chapter in chapters:
        place = folder / "source" / chapter
        place.mkdir(parents=True, exist_ok=True)
        for source in content.sources(chapter):
            notebook = json.loads(source.path.with_suffix(".ipynb").read_text(encoding="utf-8"))
            text = json.dumps(marked(notebook), indent=1, ensure_ascii=False, sort_keys=True)
            write_atomically(place / f"{source.stem}.ipynb", text + "\n")


def marked(notebook: dict) -> dict:
    """A course notebook with nbgrader's metadata on its exercise cells; the one given is left as it is."""
    cells = []
    for cell in notebook["cells"]:
        meta = cell["metadata"]
        if "exercise" in meta:
            meta = meta | {"nbgrader": _answer(meta["chapter"], meta["exercise"], meta["points"])}
        cells.append(cell | {"metadata": meta})
    return notebook | {"cells": cells}


def _answer(chapter: str, exercise: str, points: int) -> dict:
    """The metadata of a code cell that a person grades."""
    return {
        "schema_version": SCHEMA,
        "grade": True,
        "solution": True,
        "locked": False,
        "task": False,
        "grade_id": f"{chapter}-{exercise}",
        "points": points,
        "cell_type": "code",
    }
