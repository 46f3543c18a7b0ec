"""Do the notebook, `saelab check` and `saelab grade` give honest work the same verdict, however it is packed?"""

import json
import os
import subprocess
import sys

import pytest

from saelab import answers, content
from saelab.desk import commands

from . import course as packing
from .kernel import Kernel
from .packagings import CHAPTER, PACKAGINGS

STUDENTS = {name: f"s{number:03}" for number, name in enumerate(PACKAGINGS)}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course, which is *the* course for this module."""
    root = packing.write(tmp_path_factory.mktemp("packing") / "course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAELAB_COURSE", str(root))
        yield root


@pytest.fixture(scope="module")
def group(course):
    """Everybody's folder in one."""
    folder = course.parent / "class"
    for name, files in PACKAGINGS.items():
        for path, text in files.items():
            target = folder / STUDENTS[name] / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
    return folder


@pytest.fixture(scope="module")
def in_a_kernel(course, group):
    """Student → what passes in a real kernel, from top to bottom; what the notebook writes is taken away again."""
    kernel = Kernel(course)
    try:
        found = {student: kernel.passed(group / student) for student in STUDENTS.values()}
    finally:
        kernel.close()
    for name, student in STUDENTS.items():
        for path in (group / student).rglob("*"):
            if path.is_file() and str(path.relative_to(group / student)) not in PACKAGINGS[name]:
                path.unlink()
    return found


@pytest.fixture(scope="module")
def graded(course, group, in_a_kernel):
    """Student → exercise → grade, of one run over all of them."""
    out = course.parent / "out"
    command = [sys.executable, "-m", "saelab.cli", "grade", group, "--out", out, "--seed", "s", "--trials", "1"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(path.read_text()) for path in (out / "records").glob("*.json")]
    return {r["student"]: {g["exercise"].partition("/")[2]: g for g in r["grades"]} for r in records}


@pytest.mark.parametrize("name", PACKAGINGS)
def test_honest_work_passes_in_a_kernel_in_check_and_in_grading(name, group, in_a_kernel, graded):
    student = STUDENTS[name]
    passed = in_a_kernel[student]
    assert passed, "this packaging passes nowhere, so it tells nothing"
    grades = {exercise: graded[student][exercise] for exercise in passed}
    assert {e: g["status"] for e, g in grades.items()} == dict.fromkeys(passed, "passed"), grades
    assert all(grade["points"] == grade["out_of"] for grade in grades.values())
    reports = [checked(group / student, exercise) for exercise in passed]
    assert all(report.passed for report in reports), "\n".join(map(str, reports))


def checked(folder, exercise: str):
    """What `saelab check` says, in the folder or, of a script, with `--submission`."""
    found = content.find(exercise)
    scripts = sorted((folder / CHAPTER).glob("01_packing.py"))
    work = answers.read(scripts[0]) if scripts else commands.work_in(folder, [found])[0][CHAPTER]
    return commands.check(found, work)
