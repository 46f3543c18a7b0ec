"""Does every notebook end with the way on and the way back, at home and in Colab?"""

import json
import re
import runpy
from pathlib import Path

import pytest

from saelab import content
from saelab.desk import contents

ROOT = Path(__file__).resolve().parents[3]
CLOSING = runpy.run_path(str(ROOT / "build/closing.py"))
SOURCES = [source for chapter in content.chapters() for source in content.sources(chapter)]
COLAB = "https://colab.research.google.com/github/OWNER/NAME/blob/v1/chapters"


def ending(path: Path) -> str:
    return "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][-1]["source"])


@pytest.mark.parametrize("kind", ["chapters", "solutions"])
def test_all_links_from_file_to_file_lead_somewhere(kind):
    for source, after in zip(SOURCES, [*SOURCES[1:], None]):
        path = ROOT / kind / source.chapter / f"{source.stem}.ipynb"
        links = re.findall(r"\]\((?!https)(.+?)\)", ending(path))
        places = [(path.parent / link).resolve() for link in links]
        assert places[-1] == ROOT / "chapters" / contents.FILE and all(place.is_file() for place in places)
        assert places[:-1] == ([ROOT / kind / after.chapter / f"{after.stem}.ipynb"] if after else [])


def test_in_colab_notebooks_are_opened_by_their_addresses():
    first = SOURCES[0]
    text = CLOSING["last_cell"](first, "solutions", COLAB)
    assert f"({COLAB.replace('chapters', 'solutions')}/{first.chapter}/{SOURCES[1].stem}.ipynb)" in text
    assert f"({COLAB}/{contents.FILE})" in text and "File › Upload" not in text
    assert "File › Upload notebook" in CLOSING["last_cell"](first, "chapters", "")


def test_the_contents_page_has_every_section_and_exercise_once():
    page = "".join(json.loads((ROOT / "chapters" / contents.FILE).read_text(encoding="utf-8"))["cells"][0]["source"])
    for source in SOURCES:
        assert page.count(f"]({source.chapter}/{source.stem}.ipynb)** |") == 1
    for exercise in content.exercises():
        assert page.count(f" `{exercise.name}` |") == 1
