"""A notebook opened alone, in an empty folder, with what Colab has: does it run to its end, and leave Colab as it was?

`make colab` tries the first notebook with the light install; `make colab-whole` the first of each chapter and the first
that opens a model. SAELAB_COLAB_PYTHON names the Python of an environment that is there already (it gets the course).
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from emulation import Colab

from saelab import content

ROOT = Path(__file__).resolve().parents[3]
WHOLE = os.environ.get("SAELAB_COLAB") == "whole"
needs_models = runpy.run_path(str(ROOT / "build/opening.py"))["needs_models"]


def chosen() -> list:
    """The sections that are tried, those with the light install first."""
    firsts = [content.sources(chapter)[0] for chapter in content.chapters()]
    if not WHOLE:
        return firsts[:1]
    models = next(s for c in content.chapters() for s in content.sources(c) if needs_models(s))
    return sorted({s.path: s for s in [*firsts, models]}.values(), key=needs_models)


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    wheel = next(folder.glob("*.whl"))
    print(f"\nThe wheel has {wheel.stat().st_size / 1e6:.1f} MB.")
    return Colab(folder, wheel, WHOLE, os.environ.get("SAELAB_COLAB_PYTHON", ""))


def lesson(source) -> tuple[list, dict[str, int]]:
    """A notebook as a student works through it, and where: a wrong answer and a hint, then every answer right.

    All its cells stay as they are; the starters are what a student overwrites.
    """
    cells, marks = [], {}
    for cell in nbformat.read(source.path.with_suffix(".ipynb"), as_version=4).cells:
        exercise = next((e for e in source.exercises if e.name == cell.metadata.get("exercise")), None)
        if exercise and "wrong" not in marks:
            mistake = next(m for m in exercise.misconceptions if m.part == exercise.name)
            cells.append(
                nbformat.v4.new_code_cell(f"{exercise.code}\n\n{mistake.code}\n\n{exercise.name} = {mistake.name}")
            )
            marks["wrong"] = len(cells)
            cells.append(nbformat.v4.new_code_cell(f"check({exercise.name})"))
            cells.append(nbformat.v4.new_code_cell(f'hint("{exercise.name}")'))
        if exercise:
            cell.source = exercise.code
        if cell.cell_type == "code" and cell.source.startswith("check(") and "right" not in marks:
            marks["right"] = len(cells)
        cells.append(cell)
    marks["end"] = len(cells)
    cells.append(nbformat.v4.new_code_cell("from saelab import download_progress\ndownload_progress()"))
    return cells, marks


@pytest.fixture
def runtime(colab):
    yield colab
    colab.forget()


@pytest.mark.parametrize("source", chosen(), ids=lambda s: f"{s.chapter}/{s.stem}")
def test_a_notebook_opened_alone_runs_to_its_end_and_leaves_colab_as_it_was(source, runtime, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    cells, marks = lesson(source)
    ran = runtime.run(source.stem, cells, alone)
    print(
        f"{source.chapter}/{source.stem}: set up after {ran.done(1):.1f} s, first green check after "
        f"{ran.done(marks['right']):.1f} s, all of it after {ran.done(marks['end']):.1f} s, {ran.pictures} pictures."
    )
    assert "could not be installed" not in ran.text(1)
    assert "checks pass" in ran.text(marks["wrong"]) and "✗" in ran.text(marks["wrong"])
    assert "Hint 1 of" in ran.text(marks["wrong"] + 1)
    checks = [i for i, cell in enumerate(ran.cells) if cell.source.startswith("check(") and i > marks["wrong"]]
    assert len(checks) == len(source.exercises) and all(ran.text(i).startswith("✓") for i in checks)
    assert ran.pictures > 0
    done = f"{len(source.exercises)} exercise{'s' * (len(source.exercises) != 1)} passed"
    assert done in ran.text(marks["end"])

    new = tmp_path / "new"  # the runtime was lost: another kernel, another folder
    new.mkdir()
    saved = alone / "saelab-progress.txt"
    restore = f"from saelab import restore_progress\nrestore_progress({str(saved)!r})"
    again = runtime.run(source.stem, [*cells[:3], nbformat.v4.new_code_cell(restore)], new)
    assert f"Your progress is back: {done}." in again.text(3)
    assert (new / saved.name).read_text() == saved.read_text()

    after = runtime.frozen()
    print("Added: " + ", ".join(sorted(after - runtime.before)))
    assert runtime.before <= after, sorted(runtime.before - after)  # nothing has another version
    checked = runtime.pip("check")
    assert checked.returncode == 0, checked.stdout
