"""Does the installed wheel work in an empty folder, without the checkout?"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from saelab import content

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the wheel's content, as site-packages has it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    wheel = next(folder.glob("*.whl"))
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    code = "import sys; from saelab import cli; sys.exit(cli.main())"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    environment.pop("SAELAB_COURSE", None)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_wheel_has_the_course_and_not_the_workshop(installed):
    names = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    assert "saelab/_course/tests/superposition/test_dimensionality.py" in names
    assert "saelab/_course/solutions/superposition/01_toy_model.ipynb" in names
    stray = [n for n in names if "tests/package" in n or "tests/course" in n or "__pycache__" in n or "/build/" in n]
    assert not stray, stray
    assert {n.split("/")[0] for n in names if "dist-info" not in n} == {"saelab"}


def test_a_student_can_start_check_and_take_hints(installed, tmp_path):
    started = run(installed, tmp_path, "start", "mine")
    assert started.returncode == 0, started.stderr
    mine = tmp_path / "mine"
    count = sum(len(content.sources(chapter)) for chapter in content.chapters())
    assert len(list(mine.glob("*/*.ipynb"))) == count and [p.name for p in mine.glob("*.ipynb")] == ["contents.ipynb"]
    told = run(installed, mine).stdout
    for chapter in content.chapters():
        assert f"0/{len(content.exercises(chapter))} exercises" in told, told
    checked = run(installed, mine, "check", "dimensionality")
    assert checked.returncode == 1 and "not written yet" in checked.stdout
    assert "Hint 1 of 3" in run(installed, mine, "hint", "dimensionality").stdout
    notebook = mine / "superposition/02_geometry.ipynb"
    solved = installed / "saelab/_course/solutions/superposition/02_geometry.ipynb"
    notebook.write_text(solved.read_text(encoding="utf-8"), encoding="utf-8")
    passed = run(installed, mine, "check", "superposition/dimensionality")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "needs a checkout" in run(installed, mine, "build").stderr


def test_the_pocket_lab_opens_from_the_wheel(installed, tmp_path):
    code = (
        "import saelab; here = saelab.lab('pocket'); p = here.prompts('ioi', 4);"
        "logits = here.model(p.tokens)[range(4), p.last];"
        "print(saelab.__file__, (logits.argmax(-1) == p.answers).all())"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    where, right = said.stdout.split()[-2:]
    assert where.startswith(str(installed)) and right == "tensor(True)"


def test_an_instructor_can_grade_and_the_solutions_beside_the_package_stay_out_of_sight(installed, tmp_path):
    "The course lies inside the installed package there, so the jail has to cover it."
    solved = installed / "saelab/_course/solutions/superposition/02_geometry.py"
    (tmp_path / "right.py").write_text(solved.read_text())
    (tmp_path / "eve.py").write_text(f"text = open({str(solved)!r}).read()\ndef gram(W):\n    return text and W\n")
    call = ["grade", "right.py", "eve.py", "--out", "out", "--exercise", "gram", "--jobs", "1"]
    graded = run(installed, tmp_path, *call)
    assert graded.returncode == 0, graded.stderr
    found = {n: json.loads((tmp_path / f"out/records/{n}.json").read_text())["grades"][0] for n in ("right", "eve")}
    assert (found["right"]["status"], found["right"]["points"]) == ("passed", 2.0), found
    assert found["eve"]["points"] == 0 and "text" in found["eve"]["message"], found
