"""What a notebook opens with, and does its set-up cell install the course where it is missing, and nowhere else?"""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from saelab import __version__, content

ROOT = Path(__file__).resolve().parents[3]
OPENING = runpy.run_path(str(ROOT / "build/opening.py"))
SOURCES = [source for chapter in content.chapters() for source in content.sources(chapter)]
NOTEBOOKS = [p for s in SOURCES for p in (s.path.with_suffix(".ipynb"), ROOT / f"solutions/{s.chapter}/{s.stem}.ipynb")]
Published = OPENING["Published"]
EXAMPLE = Published("https://github.com/OWNER/NAME")


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_the_set_up_cells_of_all_notebooks_are_the_same_but_for_the_extra():
    texts = {"".join(cells(path)[1]["source"]) for path in NOTEBOOKS}
    assert len(texts) == 2 and len({text.replace("saelab[models]", "saelab") for text in texts}) == 1
    assert all(text.count("\n") == 1 for text in texts), "two lines"


def test_a_notebook_begins_with_its_title_and_what_it_takes_and_one_code_cell_sets_it_up():
    for source in SOURCES:
        first, second = cells(source.path.with_suffix(".ipynb"))[:2]
        text = "".join(first["source"])
        minutes = sum(e.minutes for e in source.exercises)
        assert first["cell_type"] == "markdown" and text.startswith(f"# {source.title}\n")
        assert (f"About {minutes} minutes" if minutes else "To read and run") in text and "no GPU" in text
        assert second["cell_type"] == "code"


def test_a_badge_opens_this_very_notebook_in_the_version_that_it_installs():
    [source] = [s for s in SOURCES if s.stem == "02_geometry"]
    for kind in ("chapters", "solutions"):
        place = f"github/OWNER/NAME/blob/v{__version__}/{kind}/superposition/02_geometry.ipynb"
        assert f"]({OPENING['COLAB']}/{place})" in OPENING["head"](source, EXAMPLE, kind)
        assert (ROOT / kind / "superposition/02_geometry.ipynb").is_file()


def test_no_notebook_names_a_place_that_does_not_exist_before_the_course_is_published():
    if any(OPENING["published"](ROOT / "pyproject.toml")):
        pytest.skip("the course is published")
    for path in NOTEBOOKS:
        text = "".join(line for cell in cells(path)[:2] for line in cell["source"])
        assert "colab.research" not in text and "git+" not in text and "SAELAB_INSTALL:?" in text


def test_a_section_that_opens_a_model_asks_for_the_extra_and_the_others_do_not():
    asking = {f"{s.chapter}/{s.stem}" for s in SOURCES if OPENING["needs_models"](s)}
    assert {"superposition/09_memorisation", "training/02_data", "training/16_at_work"} <= asking
    assert not {name for name in asking if name.startswith("superposition/0") and not name.endswith("memorisation")}


RUN = """
import importlib.util, json, sys
from IPython.core.interactiveshell import InteractiveShell

real = importlib.util.find_spec
if sys.argv[1] == "missing":
    importlib.util.find_spec = lambda name, *more: None if name == "saelab" else real(name, *more)
print(InteractiveShell.instance().run_cell(sys.argv[2]).success)
"""
PIP = """
import pathlib, sys
pathlib.Path("asked.txt").write_text("\\n".join(sys.argv[1:]))
sys.exit("offline" in sys.argv[-1])
"""


@pytest.fixture
def set_up(tmp_path):
    """Run a set-up cell in IPython with a pip that only writes down what it is asked for: (shown, asked for)."""
    (tmp_path / "fake/pip").mkdir(parents=True)
    (tmp_path / "fake/pip/__init__.py").touch()
    (tmp_path / "fake/pip/__main__.py").write_text(PIP)

    def run(where, address: str | None = None, there: str = "missing") -> tuple[str, list[str]]:
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "fake"), "IPYTHONDIR": str(tmp_path)}
        environment.pop("SAELAB_INSTALL", None)
        environment |= {"SAELAB_INSTALL": address} if address else {}
        command = [sys.executable, "-c", RUN, there, OPENING["setup_cell"](SOURCES[0], where)]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ran.stdout.rstrip().endswith("True"), ran.stdout + ran.stderr
        asked = tmp_path / "asked.txt"
        return ran.stdout + ran.stderr, asked.read_text().splitlines() if asked.exists() else []

    return run


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (EXAMPLE, f"saelab @ git+https://github.com/OWNER/NAME@v{__version__}"),
        (Published("https://github.com/OWNER/NAME", "NAME"), f"NAME=={__version__}"),
    ],
)
def test_the_set_up_cell_installs_from_where_the_settings_say(set_up, where, wanted):
    assert set_up(where)[1] == ["install", "-q", wanted]


@pytest.mark.parametrize("where", [Published(), EXAMPLE, Published("", "saelab")])
def test_one_environment_variable_puts_a_wheel_in_its_place(set_up, where):
    assert set_up(where, "file:///some/where.whl")[1] == ["install", "-q", "saelab @ file:///some/where.whl"]


def test_where_the_course_is_installed_the_set_up_cell_does_nothing(set_up):
    assert set_up(EXAMPLE, there="there") == ("True\n", [])


def test_before_it_is_published_nothing_is_installed_and_the_next_step_is_told(set_up):
    told, asked = set_up(Published())
    assert asked == [] and "the course is not published yet. Upload the wheel" in told


def test_an_install_that_fails_ends_in_a_sentence_with_what_to_do(set_up):
    told, asked = set_up(EXAMPLE, "file:///offline.whl")
    assert asked and "could not be installed: make sure that you are online, then run this cell again." in told
