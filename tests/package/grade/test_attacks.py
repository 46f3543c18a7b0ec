"""Does any cheating submission gain a point, learn a secret, leave a trace or change somebody else's grade?

Each file of attacks/ is one idea; its docstring says which. All of them are graded in one run of the real command
beside three honest students, whose records must be those of a run without attackers, byte by byte.
"""

import csv
import html
import importlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
import torch

from saelab import checking, content

sys.path.insert(0, str(Path(__file__).parent))
all_of_them = importlib.import_module("attack_families").all_of_them

FOLDER = Path(__file__).parent / "attacks"
ATTACKS = sorted(FOLDER.glob("[!_]*.py"))
WIRE = (FOLDER / "_wire.py").read_text().partition("# ruff: noqa")[2]
SEED = "s3cret-seed-of-this-class"
SECRETS = ("a line that must stay secret", "LEAK", SEED, "three_becomes_six(double", "left behind")
LOOPS = {
    *("loop_call", "loop_import", "loop_del", "loop_backward", "loop_signals", "raise_endless_message"),
    "wire_drip",
}

RIGHT = """
# %% exercise="double"
def double(x):
    return 2 * x


# %% exercise="quadruple"
def quadruple(x):
    return double(double(x))


# %% exercise="Scale"
class Scale(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone())
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.weight

    def noise(self, size):
        return torch.rand(size)
"""
UNREAD = {"link", "linked folder", "slip", "bomb", "nested", "lines", "swarm"}  # by what they are; a person is told
HONEST = {
    "ada": RIGHT,
    "zoë": RIGHT.replace("2 * x", "(print('working'), __import__('warnings').warn('slow'), x + x)[2]"),
    "max": RIGHT.replace("2 * x", "x * x").replace("torch.rand", "torch.randn"),
}
# the same partly right answer with tricks before it must get the same grades
TRICKY = HONEST["max"].replace(
    "def double",
    "import saelab.checking.runner, saelab.report, saelab.apart.worker\n"
    "torch.equal = torch.allclose = torch.testing.assert_close = saelab.checking.runner.run = lambda *_, **__: True\n"
    "torch.Tensor.__eq__ = lambda *_: True\n"
    "saelab.report.Report.passed = saelab.apart.worker.Worker.passed = True\n\n\ndef double",
    1,
)


# as good as `max`, and its number of calls is a text of three million letters, which the check's message tells
TALKATIVE = RIGHT.replace(
    "self.calls = 0", "self.calls = '<script>alert(1)</script>\\x1b[2J' + 'a' * 3_000_000"
).replace("self.calls += 1", "pass")


def command(class_folder: Path, out: Path, *more: str) -> list[str]:
    start = [sys.executable, "-m", "saelab.cli", "grade", str(class_folder), "--out", str(out), "--seed", SEED]
    return [*start, "--jobs", "2", "--seconds", "4", *more]


def grade(class_folder: Path, out: Path, here: Path, *more: str) -> subprocess.CompletedProcess:
    """The real command, started in the folder `here`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = command(class_folder, out, *more)
    return subprocess.run(started, cwd=here, env=environment, capture_output=True, text=True, timeout=300)


def records(out: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in (out / "records").glob("*.json")]
    return {record["student"]: record for record in found}


def snapshot(*folders: Path) -> dict[str, tuple]:
    """Every file of these folders with its size and time."""
    files = [p for folder in folders for p in folder.rglob("*") if "__pycache__" not in p.parts]
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in files}


def processes(root: Path) -> list[str]:
    """Command lines of processes that were started for the course in this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(root).encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def odd_submissions(folder: Path, root: Path) -> set[str]:
    """Files that attack by what they are; returns whose they are."""
    (folder / "link.py").symlink_to(root / "chapters/small/01_small.py")
    (folder / "linked folder").symlink_to(root / "chapters/small")
    with zipfile.ZipFile(folder / "slip.zip", "w") as archive:
        for name in ("../ada.py", "../../canary/slipped.py", "/tmp/slipped.py", "ada/ada.py", "ada_1_2_hw.py"):
            archive.writestr(name, "def double(x):\n    return x\n")
        link = zipfile.ZipInfo("inside.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(root / "chapters/small/01_small.py"))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hw.py", b"#" * 150_000_000)
    cell = {
        "cell_type": "code",
        "metadata": {"exercise": "double\ud800"},
        "source": "def double(x):\n    return '\ud800'",
    }
    odd = json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})
    (folder / "half characters.ipynb").write_text(odd)
    (folder / "=cmd|' C calc'!A0.py").write_text("def double(x):\n    return x\n")
    (folder / os.fsdecode(b"not utf-8 \xff.py")).write_text("def double(x):\n    return x\n")
    (folder / "..\u202egnp\n<b>.py").write_text("def double(x):\n    return x\n")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(30_000):
            archive.writestr(f"{number}.txt", b"")
    with zipfile.ZipFile(folder / "nested.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(f"{number}.zip", inner.getvalue())
    (folder / "lines.py").write_text("1\n" * 500_000)
    (folder / "swarm.ipynb").write_text('{"cells": [' + '{"a":1},' * 1_500_000 + "1]}")
    # whose names are the course's own, or hold another student's number
    (folder / "01_small.ipynb").write_text(odd)
    (folder / "Eve_777_assignsubmission_file_x_12_assignsubmission_file_hw.py").write_text(
        "def double(x):\n    return x\n"
    )
    return {"slip", "bomb", "half characters", "=cmd|' C calc'!A0", "nested", "lines", "swarm", "01_small", "12"}


@pytest.fixture
def cohort(small_course, tmp_path):
    """All attackers and three honest students, and what was there before they are graded."""
    room, canary = tmp_path / "class", tmp_path / "canary"
    room.mkdir(), canary.mkdir()
    (canary / "canary.txt").write_text("sings")
    for name, text in HONEST.items():
        (room / f"{name}.py").write_text(text)
    return room, canary


def test_nobody_gains_a_point_and_nobody_else_loses_one(cohort, small_course, tmp_path):
    room, canary = cohort
    before_them = tmp_path / "honest"
    quiet = grade(room, before_them, canary)
    assert quiet.returncode == 0, quiet.stderr[-2000:]
    for path in ATTACKS:
        (room / path.name).write_text(path.read_text().replace("# <wire>", WIRE))
    families = all_of_them()
    for name, text in families.items():
        (room / f"{name}.py").write_text(text)
    assert len(ATTACKS) + len(families) >= 180
    odd = odd_submissions(room, small_course)
    package = {str(path) for path in content.PACKAGE.rglob("*") if "__pycache__" not in path.parts}
    (room / "tricky.py").write_text(TRICKY)
    (room / "talkative.py").write_text(TALKATIVE)
    before = snapshot(small_course, canary, room)
    run = grade(room, tmp_path / "out", canary)
    assert run.returncode == 1, (run.stdout[-1500:], run.stderr[-3000:])
    assert snapshot(small_course, canary, room) == before
    assert not processes(small_course)
    assert {str(path) for path in content.PACKAGE.rglob("*") if "__pycache__" not in path.parts} == package
    found = records(tmp_path / "out")
    assert set(found) >= {path.stem for path in ATTACKS} | set(families) | set(HONEST) | odd
    gained = {
        name: r["total"] for name, r in found.items() if r["total"] and name not in [*HONEST, "tricky", "talkative"]
    }
    assert not gained
    assert found["ada"]["total"] == found["zoë"]["total"] == 6 > found["max"]["total"] > 0
    told = ("exercise", "status", "points", "tests", "misconception")  # the numbers in a message are of each file's own
    tricky, plain = ([{key: g[key] for key in told} for g in found[name]["grades"]] for name in ("tricky", "max"))
    assert tricky == plain
    looked_at = {name for name, record in found.items() for g in record["grades"] if g["status"] == "not-run"}
    assert looked_at == UNREAD, "what can't be read is nobody's zero; all else is graded"
    assert all(f"\n  {name}: " in run.stdout for name in (*UNREAD, "01_small", "12")), "doubts are listed too"
    timeouts = {name for name, record in found.items() for g in record["grades"] if g["status"] == "timeout"}
    assert timeouts >= LOOPS
    for path in (before_them / "records").glob("*.json"):
        assert path.read_bytes() == (tmp_path / "out/records" / path.name).read_bytes(), path.name
    nothing_is_leaked(tmp_path / "out", [small_course, tmp_path, content.PACKAGE])


def test_nobody_lives_on_when_the_command_is_killed(cohort, small_course, tmp_path):
    """Not even a child that ignores every signal and asked to live on."""
    room, _ = cohort
    stubborn = (FOLDER / "loop_signals.py").read_text()
    (room / "aaa.py").write_text(stubborn)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command(room, tmp_path / "out", "--seconds=600"), stdout=quiet, stderr=quiet) as office:
        until = time.monotonic() + 120
        while not (tmp_path / "out/records/zoe-2752b8868684.json").exists() and time.monotonic() < until:
            time.sleep(0.1)
        # the command, two graders, two warm processes, and what waits for them
        assert len(processes(small_course)) >= 6
        office.kill()
    until = time.monotonic() + 10
    while processes(small_course) and time.monotonic() < until:
        time.sleep(0.05)
    assert not processes(small_course)


BESIDE = """
import sys
from pathlib import Path
from saelab import answers, content

exercise = content.find("double")
answer = answers.read(Path(sys.argv[1])).answer(exercise)
parts = answers.define(answer.pieces, exercise.parts)
from saelab.checking import runner
print(runner.run(exercise, parts).status)
"""


@pytest.mark.parametrize("name", ["patch_torch", "patch_grader", "read_reference"])
def test_the_attacks_are_none_of_straw(name, small_course):
    """They win where an answer runs beside its checks, as in a notebook."""
    path = FOLDER / f"{name}.py"
    run = subprocess.run([sys.executable, "-c", BESIDE, path], capture_output=True, text=True, timeout=120)
    assert run.stdout.splitlines()[-1:] == ["passed"], run.stderr[-1500:]


def nothing_is_leaked(out: Path, folders: list[Path]) -> None:
    """No secret and no folder of this machine in what students and instructors get; every format still readable."""
    for path in out.rglob("*"):
        if path.is_file() and path.name != "grading.json":
            text = html.unescape(path.read_text(encoding="utf-8"))
            assert path.parent.name != "records" or len(text) < 20_000, path.name
            assert not [secret for secret in (*SECRETS, *map(str, folders)) if secret in text], path.name
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", text), path.name
    for path in out.rglob("*.html"):
        assert "<script>alert" not in path.read_text() and "<img src=x" not in path.read_text(), path.name
    for path in out.rglob("*.xml"):
        ElementTree.fromstring(path.read_text())
    for path in out.rglob("*.csv"):
        for row in csv.reader(path.read_text().splitlines()):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))], path.name


# --- exercises of the first chapter ----------------------------------------------------------------------------------

PROBED = ("superposition/weighted_loss", "superposition/dimensionality")
LOOKED_UP = """
from ast import literal_eval
known = literal_eval({table!r})

def {name}(*args):
    found = known.get(repr([a.tolist() if isinstance(a, torch.Tensor) else a for a in args]))
    return torch.tensor(found) if found is not None else torch.zeros(args[0].shape[-1])
"""
TAKEN = """
from saelab import reference

def {name}(*args):
    import saelab
    course = saelab.reference("superposition")
    try:
        return course.{name}(*args)
    except AttributeError:
        for cell in getattr(saelab.reference, "__closure__", None) or ():
            for inner in getattr(cell.cell_contents, "__closure__", None) or ():
                for item in inner.cell_contents if isinstance(inner.cell_contents, list) else ():
                    if "def {name}" in str(item):
                        raise ValueError("LEAK " + str(item)) from None
        raise
"""
AGREEABLE = """
torch.equal = torch.allclose = torch.testing.assert_close = lambda *_, **__: True

class Agreeable(torch.Tensor):
    __torch_function__ = classmethod(lambda *_, **__: True)
    __eq__ = lambda *_: True

def {name}(*args):
    return torch.Tensor._make_subclass(Agreeable, torch.zeros(args[0].shape[-1]))
"""


def by_heart(exercise) -> str:
    """An answer that knows what the public check asks and nothing else."""
    known = {}

    def noted(*args):
        value = content.reference_parts(exercise)[exercise.name](*args)
        known[repr([a.tolist() if isinstance(a, torch.Tensor) else a for a in args])] = value.tolist()
        return value

    noted.__signature__ = inspect.signature(content.reference_parts(exercise)[exercise.name])
    assert checking.run(exercise, {exercise.name: noted}).passed and known
    return LOOKED_UP.format(name=exercise.name, table=repr(known))


def test_nobody_gains_a_point_at_real_exercises(tmp_path):
    room = tmp_path / "class"
    room.mkdir()
    exercises = [content.find(name) for name in PROBED]
    answers = {
        "honest": [exercise.code for exercise in exercises],
        "by heart": [by_heart(exercise) for exercise in exercises],
        "taken": [TAKEN.format(name=exercise.name) for exercise in exercises],
        "agreeable": [AGREEABLE.format(name=exercise.name) for exercise in exercises],
    }
    for name, codes in answers.items():
        cells = [f'# %% exercise="{e.name}"\n{code}' for e, code in zip(exercises, codes)]
        (room / f"{name}.py").write_text("\n\n".join(cells))
    run = grade(room, tmp_path / "out", tmp_path, *(f"--exercise={name}" for name in PROBED), "--seconds=30")
    assert run.returncode == 0, run.stderr[-3000:]
    totals = {name: record["total"] for name, record in records(tmp_path / "out").items()}
    assert totals == {"honest": sum(e.points for e in exercises), "by heart": 0, "taken": 0, "agreeable": 0}
    nothing_is_leaked(tmp_path / "out", [tmp_path])
