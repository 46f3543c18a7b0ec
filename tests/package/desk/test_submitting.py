"""Does `saelab submit` say what it packs and what is amiss, and does the grader take it as it is?"""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from saelab import content
from saelab.answers import progress
from saelab.desk import contents
from saelab.grade.intake import handed_in, owners, reading

RIGHT = "def double(x):\n    return x + x"
WRONG = "def quadruple(x):\n    return 3 * x"
NOTEBOOK = "small/01_small.ipynb"


def cells(folder, change) -> None:
    path = folder / NOTEBOOK
    notebook = json.loads(path.read_text())
    notebook["cells"] = [change(cell) for cell in notebook["cells"]]
    path.write_text(json.dumps({**notebook, "cells": [cell for cell in notebook["cells"] if cell]}))


def test_the_grader_takes_the_zip_as_it_is_and_gives_the_same_verdicts(folder, answer, told, small_course, tmp_path):
    (folder / "helpers.py").write_text("def twice(x):\n    return 2 * x\n")
    answer("double", "from helpers import twice\n\n\ndef double(x):\n    return twice(x)")
    answer("quadruple", WRONG)
    before = {r["exercise"]: r["status"] for r in json.loads(told("check", "--json")[1])}
    status, text = told("submit", "small", "--out", str(tmp_path / "ada.zip"))
    assert status == 0 and "✓ 1.1   double                   passed" in text
    assert "… 1.2   quadruple                not passed" in text and "Scale                    not begun" in text
    command = [sys.executable, "-m", "saelab.cli", "grade", "ada.zip", "--out", "results"]
    environment = {**os.environ, "SAELAB_COURSE": str(small_course)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    record = json.loads((tmp_path / "results/records/ada.json").read_text())
    after = {e["exercise"]: e["status"] for e in record["grades"]}
    assert done.returncode == 0 and before == {
        "small/double": "passed", "small/quadruple": "failed", "small/Scale": "not-started",
    }  # fmt: skip
    assert after == {"small/double": "passed", "small/quadruple": "failed", "small/Scale": "missing"}


def test_a_zip_is_one_students_alone_in_a_class_and_from_a_platform(folder, answer, told, tmp_path):
    answer("double", RIGHT)
    for name in ("ada", "bob", "lovelaceada_123_4567_work"):
        told("submit", "--out", str(tmp_path / f"{name}.zip"))
    (tmp_path / "class").mkdir()
    for name in ("ada", "bob"):
        shutil.move(tmp_path / f"{name}.zip", tmp_path / "class")
    (tmp_path / "class/eve.zip").write_bytes((tmp_path / "class/ada.zip").read_bytes())
    entries, notes = handed_in.find([tmp_path / "class"])
    assert [e.student for e in entries] == ["ada", "bob", "eve"] and not notes
    for entry in [*entries, *handed_in.find([tmp_path / "lovelaceada_123_4567_work.zip"])[0]]:
        work = reading.load(entry)
        assert not work.problems and [f.name for f in entry.files] == [NOTEBOOK]


def test_a_folder_with_its_contents_page_is_graded_as_one_without(folder, small_course):
    shutil.copy(folder / contents.FILE, small_course / "chapters")
    owners._course.cache_clear()
    (folder / progress.FILE).unlink()
    (folder / "scratch.ipynb").write_text((folder / NOTEBOOK).read_text())
    for page in ((folder / contents.FILE).read_text(), "{"):
        (folder / contents.FILE).write_text(page)
        (entry,) = handed_in.find([folder])[0]
        work = reading.load(entry)
        assert entry.student == "mine" and not work.may_be_unread(content.find("double"))
    owners._course.cache_clear()


AMISS = {
    "renamed": "Cell 1 (double) defines no `double`: keep the name that the exercise gives it.",
    "gone": "No cell for `double`: the grader would call it missing.",
    "markdown": "Cell 1 (double) is a Markdown cell, so Python never runs it.",
    "unsaved": "double passed, but in the file nothing is written: save the notebook, and submit again.",
    "older": "small/01_small.ipynb last saved on 2001-09-09: is it saved?",
    "unchecked": "Never checked: double.",
    "damaged": "Until then the grader lists it as damaged, without points for its exercises.",
}


@pytest.mark.parametrize("what", AMISS)
def test_what_the_grader_would_refuse_or_list_is_told_first(what, folder, answer, told):
    changes = {
        "gone": lambda c: c if c["metadata"].get("exercise") != "double" else None,
        "markdown": lambda c: {**c, "cell_type": "markdown"} if c["metadata"].get("exercise") == "double" else c,
    }
    if what in ("renamed", "older", "unchecked", "markdown"):
        answer("double", RIGHT.replace("double", "doubel") if what == "renamed" else RIGHT)
    if what in ("unsaved", "older"):
        progress.record("small/double", "passed", folder)
    if what in changes:
        cells(folder, changes[what])
    if what == "older":
        os.utime(folder / NOTEBOOK, (10**9, 10**9 - 3600 * 10))
        os.utime(folder / NOTEBOOK, (10**9, 10**9))
    if what == "damaged":
        (folder / NOTEBOOK).write_text('{"cells": [')
    status, text = told("submit")
    assert status == 0 and "Look at this before you hand it in:" in text and AMISS[what] in text
    assert text.index(AMISS[what]) < text.index("Wrote ")
    assert "No cell for" not in text or what == "gone"


def test_nothing_is_amiss_with_what_is_checked_and_saved(folder, answer, told):
    answer("double", RIGHT)
    told("check")
    assert "Look at this" not in told("submit")[1]


def test_an_older_zip_is_kept_and_said_and_the_same_one_is_left(folder, answer, told, tmp_path):
    path = tmp_path / "mine-all.zip"
    assert "Wrote ../mine-all.zip" in told("submit")[1]
    old = path.read_bytes()
    assert "There was one already" not in told("submit")[1] and path.read_bytes() == old
    answer("double", RIGHT)
    text = told("submit")[1]
    assert "There was one already, of " in text and "kept as saelab-backups/mine-all.1.zip" in text
    assert (folder / "saelab-backups/mine-all.1.zip").read_bytes() == old != path.read_bytes()


def test_only_notebooks_and_own_modules_are_packed(folder, told, tmp_path):
    (folder / "small/.hidden.ipynb").write_text("{}")
    (folder / "helpers.py").write_text("x = 1\n")
    (folder / "thesis.txt").write_text("x")
    told("submit")
    assert zipfile.ZipFile(tmp_path / "mine-all.zip").namelist() == [NOTEBOOK, "helpers.py"]


def test_a_notebook_whose_outputs_repeat_themselves_is_no_bomb_to_the_grader(folder, answer, told, tmp_path):
    answer("double", RIGHT)
    output = {"output_type": "stream", "name": "stdout", "text": "0" * 21_000_000}
    cells(folder, lambda c: {**c, "outputs": [output]} if c["metadata"].get("exercise") == "double" else c)
    text = told("submit")[1]
    assert "clear the outputs" in text
    (entry,) = handed_in.find([tmp_path / "mine-all.zip"])[0]
    assert not reading.load(entry).problems


MISTAKES = {
    ("submit", "smal"): "There is no chapter 'smal'. Did you mean small? Or hand in everything: saelab submit.",
    ("submit", "--out", "ada"): "The name of a zip ends in .zip: --out ada.zip.",
    ("submit", "--out", "nowhere/ada.zip"): "There is no nowhere/ada.zip.",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_sentence(command, folder, told):
    status, text = told(*command)
    assert status == 2 and MISTAKES[command] in text and "Traceback" not in text


def test_without_a_notebook_there_is_nothing_to_hand_in(folder, told):
    (folder / NOTEBOOK).unlink()
    status, text = told("submit")
    assert status == 2 and "There is no notebook of small in this folder. `saelab start .` brings them back." in text
