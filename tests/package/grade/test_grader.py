"""Does `saelab grade` give every submission its due, once, whatever happens on the way?"""

import csv
import html
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from saelab import content
from saelab.grade import needs
from saelab.grade.grader import seed_of

LIMIT = 15  # seconds for one exercise; one that never ends takes them all

SCALE = """
import torch
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
QUADRUPLE = "def quadruple(x):\n    return double(double(x))\n"
RIGHT = "def double(x):\n    return x + x\n" + QUADRUPLE + SCALE
CLASS = {
    "right": RIGHT,
    "prints": "print('x' * 10**6)\nimport warnings\nwarnings.warn('w')\n"
    + RIGHT.replace("return x + x", "print(x); return x + x"),
    "helper": "def twice(x):\n    return 2 * x\ndef double(x):\n    return twice(x)\n" + QUADRUPLE + SCALE,
    "slow": "import time\n" + RIGHT.replace("    return x + x", "    time.sleep(0.2)\n    return x + x"),
    "library": "import numpy\nimport scipy.special\n"
    + RIGHT.replace("return x + x", "return x * numpy.prod([1, 2]).item()"),
    "colab": "# Commented out IPython magic to ensure Python compatibility.\n# %%time\n"
    + "".join(f"# {line}\n" for line in RIGHT.split("\n")),
    "awaits": "# %%\nfrom __future__ import annotations\n# %%\nimport asyncio\ndef double(x: NotThere):\n"
    + f"    return 2 * x\nawait asyncio.sleep(0.01)\n# %%\n{QUADRUPLE}\nawait asyncio.sleep(0)\n# %%\n{SCALE}",
    "squares": "def double(x):\n    return x * x\n" + QUADRUPLE + SCALE,
    "half": SCALE.replace("torch.rand(", "torch.randn("),
    "leans": "def double(x):\n    return quadruple(x) / 2\n" + QUADRUPLE + SCALE,
    "skips": QUADRUPLE,
    "huge": "def double(x):\n    return 10**400\ndef quadruple(x):\n    return 4 * x\n" + SCALE,
    "detached": "def double(x):\n    return (x + x).detach()\n",
    "loops": "def double(x):\n    while True: pass\n" + SCALE,
    "exits": "import os\ndef double(x):\n    os._exit(0)\n" + SCALE,
    "raises": "def double(x):\n    return x.nonsense\n",
    "unreadable": "def double(x:\n",
    "starter": 'def double(x):\n    raise NotImplementedError("double")\n',
    "bound": 'def double(x):\n    raise NotImplementedError("double")\ndouble, two = (lambda x: 2 * x), 2\n',
    "prose": f"# %% [markdown]\n{RIGHT}\n",
    "empty": "",
}


def saelab(*arguments, course, **more) -> subprocess.CompletedProcess:
    """The command in a process of its own, on the small course."""
    environment = {**os.environ, "SAELAB_COURSE": str(course)}
    command = [sys.executable, "-m", "saelab.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **more)


def write_class(folder, texts):
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def records(out) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((out / "records").glob("*.json"))}


def grades(out, student) -> dict[str, dict]:
    return {g["exercise"].partition("/")[2]: g for g in json.loads(records(out)[student])["grades"]}


@pytest.fixture(scope="module")
def graded(course_folder, tmp_path_factory):
    """The class, graded once by two grader processes."""
    home = tmp_path_factory.mktemp("class")
    submissions, out = write_class(home / "submissions", CLASS), home / "out"
    done = saelab(
        "grade", submissions, "--out", out, "--seconds", LIMIT, "--jobs", 2, "--seed", "s", course=course_folder
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    start = lines.index("A person has to look at 1:")
    assert lines[start + 1 : start + 3] == [
        "  empty: There is no code in it (empty.py). Is it the right file?",
        "Stopped at a time limit: loops.",
    ]
    return submissions, out, done


@pytest.mark.parametrize("student", ["right", "prints", "helper", "slow", "library", "colab", "awaits"])
def test_honest_work_gets_full_marks(graded, student):
    assert [(g["status"], g["points"]) for g in grades(graded[1], student).values()] == [
        ("passed", 2.0), ("passed", 1.0), ("passed", 3.0)
    ], records(graded[1])[student]  # fmt: skip


@pytest.mark.parametrize(
    ("student", "status", "said"),
    [
        ("squares", "failed", "Expected  tensor([[6.]])"),
        ("loops", "timeout", "It took longer than 15 s and was stopped."),
        ("exits", "error", "ended in the middle of a call"),
        ("raises", "failed", "It raised AttributeError: 'Tensor' object has no attribute 'nonsense'"),
        ("unreadable", "error", "can't be read by Python"),
        ("starter", "missing", "Not written yet."),
        ("bound", "missing", "Not written yet."),
        ("prose", "error", "Cell 1 (double) is a Markdown cell, so Python never runs it."),
        ("empty", "missing", "has no cell for `double`"),
    ],
)
def test_what_went_wrong_is_said(graded, student, status, said):
    grade = grades(graded[1], student)["double"]
    assert grade["status"] == status and said in grade["message"], grade
    assert grade["points"] == 0  # that the gradient is 2 can be known without computing


def test_a_mistake_is_named_and_costs_one_exercise(graded):
    wrong = grades(graded[1], "squares")
    assert wrong["double"]["misconception"] == "squares"
    assert wrong["quadruple"]["status"] == "passed"
    assert "Checked with the course's `double`" in wrong["quadruple"]["notes"][-1]


def test_what_is_half_right_gets_part_of_the_points(graded):
    assert 0 < grades(graded[1], "half")["Scale"]["points"] < 3
    assert grades(graded[1], "detached")["double"]["points"] == 0, "its only named fact that holds can be guessed"


def test_a_later_or_missing_exercise_is_not_solved_for_anybody(graded):
    assert grades(graded[1], "leans")["double"]["status"] == "failed", "quadruple stands later"
    assert grades(graded[1], "skips")["quadruple"]["status"] == "failed", "double was not tried"


def test_a_value_too_large_for_a_float_stays_in_its_exercise(graded):
    told = grades(graded[1], "huge")
    assert told["double"]["status"] == "failed" and "64 bits" in told["double"]["message"]
    assert told["quadruple"]["status"] == told["Scale"]["status"] == "passed"


def test_a_file_handed_in_again_meets_other_numbers():
    first, again = seed_of("secret", "hash of the file"), seed_of("secret", "hash of the mended file")
    assert first != again and first == seed_of("secret", "hash of the file") != seed_of("other", "hash of the file")


def test_what_breaks_in_one_exercise_breaks_no_other(graded):
    for student in ("loops", "exits"):
        assert grades(graded[1], student)["Scale"]["status"] == "passed"


def test_every_layer_of_the_jail_is_on_record(graded):
    layers = json.loads(records(graded[1])["right"])["jail"]
    assert layers and all(layers.values()), layers


def test_the_gradebook_has_a_row_for_each_student(graded):
    rows = list(csv.DictReader((graded[1] / "grades.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert {row["student"]: float(row["total"]) for row in rows}["right"] == 6
    assert len(rows) == len(CLASS) == len(list((graded[1] / "feedback").glob("*.html")))


def test_again_only_what_changed_is_graded(graded, course_folder):
    submissions, out, _ = graded
    before = {path: path.stat().st_mtime_ns for path in (out / "records").iterdir()}
    texts = records(out)
    (submissions / "squares.py").write_text(RIGHT)
    done = saelab("grade", submissions, "--out", out, "--seconds", LIMIT, course=course_folder)
    assert done.returncode == 1 and "A person has to look at 1:\n  empty:" in done.stdout, done.stderr
    changed = {path.stem for path in (out / "records").iterdir() if path.stat().st_mtime_ns != before[path]}
    assert changed == {"squares"}
    assert grades(out, "squares")["double"]["status"] == "passed"
    (submissions / "squares.py").write_text(CLASS["squares"])
    done = saelab("grade", submissions, "--out", out, "--seconds", LIMIT, "--only", "squares", course=course_folder)
    assert done.returncode == 1 and not done.stderr.count("Traceback") and records(out) == texts, (
        "the same submission and seed give the same record"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--out", "out"], "nowhere"),
        ([".", "--out", "out"], "no submission to grade"),
        (["me.py", "--out", "me.py"], "is a file"),
        (["me.py", "--out", "out", "--only", "Me"], "Did you mean me?"),
        (["me.py", "--out", "out", "--exercise", "dubble"], "Did you mean small/double"),
        (["me.py", "--out", "out", "--policy", "late.toml"], "late.toml"),
    ],
)
def test_a_wrong_call_is_one_sentence(course_folder, tmp_path, arguments, said):
    folder = tmp_path / "empty"
    folder.mkdir()
    if "." not in arguments:
        (folder / "me.py").write_text(RIGHT)
    done = saelab("grade", *arguments, course=course_folder, cwd=folder)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.fixture(scope="module")
def broken_class(course_folder, tmp_path_factory):
    """Honest students beside some whose files can't be graded, with the results inside their folder; graded twice."""
    home = write_class(tmp_path_factory.mktemp("broken") / "class", {"ada": RIGHT, "bob": RIGHT, "other": "x = 1"})
    for name in ("doc.docx", "packed.tar.gz", "half/01_small.ipynb", "mixed/lab.py", "mixed/old.ipynb"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(RIGHT.partition(SCALE)[0] if name.endswith(".py") else "{")
    (home / "nothing").mkdir()
    runs = [saelab("grade", ".", "--out", "results", course=course_folder, cwd=home) for _ in range(2)]
    return home / "results", runs


LOOKED_AT = {
    "doc": "doc.docx is a Word document, which can't be run. Hand in the notebook itself (.ipynb).",
    "half": "half/01_small.ipynb is not a notebook: it is no JSON",
    "mixed": "mixed/old.ipynb is not a notebook: it is no JSON",
    "nothing": "nothing is an empty folder. Hand in the notebook itself (.ipynb).",
    "other": "None of the exercises is in it (other.py). Is it the right file?",
    "packed": "packed.tar.gz is a tar archive, which is not opened here. Hand in a zip, or the notebooks themselves.",
}


@pytest.mark.parametrize("run", [0, 1], ids=["first", "again"])
def test_what_can_t_be_graded_is_told_at_the_end_with_what_to_do(broken_class, run):
    done = broken_class[1][run]
    assert done.returncode == 1 and "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert "4 of 8 submissions graded." in lines
    start = lines.index("A person has to look at 6:") + 1
    for line, (student, why) in zip(lines[start : start + 6], LOOKED_AT.items(), strict=True):
        assert line.startswith(f"  {student}: {why}")


def test_what_can_t_be_graded_is_on_the_page_and_in_the_gradebooks_without_points(broken_class):
    out, _ = broken_class
    page = (out / "cohort.html").read_text()
    rows = {r["student"]: r for r in csv.DictReader((out / "grades.csv").read_text(encoding="utf-8-sig").splitlines())}
    assert list(rows) == ["ada", "bob", *LOOKED_AT]
    for student, why in LOOKED_AT.items():
        assert rows[student]["look_at"].startswith(why) and html.escape(why) in page
    assert {s: row["total"] for s, row in rows.items()} == {
        **{"ada": "6", "bob": "6", "mixed": "3", "other": "0"},
        **dict.fromkeys(("doc", "half", "nothing", "packed"), ""),
    }
    assert rows["ada"]["look_at"] == "" and rows["doc"]["not-run"] == "3" and rows["other"]["missing"] == "3"


def test_what_may_be_in_a_file_that_can_t_be_read_is_not_called_missing(broken_class):
    told = grades(broken_class[0], "mixed")
    assert [told[name]["status"] for name in ("double", "quadruple", "Scale")] == ["passed", "passed", "not-run"]
    assert told["Scale"]["message"] == (
        "`Scale` is not in what could be read; it may be in mixed/old.ipynb. A person has to look."
    )


COMMAND, GRADER, WARM, CHILD = 0, 1, 3, 4  # their places in the line of processes, each the parent of the next


@pytest.mark.parametrize("place", [COMMAND, GRADER, WARM, CHILD])
def test_killed_at_any_moment_it_goes_on_where_it_was(course_folder, graded, tmp_path, place):
    "The same command again, and the records are those of a run that nobody disturbed; nothing is left running."
    submissions = write_class(tmp_path / "submissions", {name: CLASS[name] for name in ("slow", "exits", "right")})
    out = tmp_path / "out"
    arguments = ["grade", submissions, "--out", out, "--seconds", LIMIT, "--jobs", 1, "--seed", "s"]
    environment = {**os.environ, "SAELAB_COURSE": str(course_folder)}
    command = [sys.executable, "-m", "saelab.cli", *map(str, arguments)]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process, until, line = psutil.Process(running.pid), time.monotonic() + 100, []
    while len(line) <= CHILD and running.poll() is None and time.monotonic() < until:
        line = [process, *process.children(recursive=True)]
    assert len(line) > CHILD, "no child of the warm process was seen"
    line[place].send_signal(signal.SIGKILL)
    assert (running.wait(timeout=100) == 0) == (place != COMMAND)
    done = saelab(*arguments, course=course_folder)
    assert done.returncode == 0, done.stderr
    undisturbed = records(graded[1])
    assert records(out) == {name: undisturbed[name] for name in ("slow", "exits", "right")}
    psutil.wait_procs(line, timeout=20)
    assert not [p for p in line if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("missing", "asked", "said"),
    [
        (("torch",), "double", "Grading needs torch, which is not installed here. Install it: pip install torch"),
        (
            ("transformers",),
            "harvest",
            "Exercises of training open a language model, and the libraries for that are in",
        ),
        (("transformer-lens",), "harvest", "Or grade what needs none: --chapter superposition."),
    ],
)
def test_in_an_install_without_the_libraries_one_sentence_says_which_to_install(
    missing, asked, said, small_course, monkeypatch
):
    if asked != "double":
        monkeypatch.delenv("SAELAB_COURSE")
    monkeypatch.setattr(needs.extras, "installed", lambda library: library not in missing)
    with pytest.raises(needs.NotInstalled) as told:
        needs.demand([content.find(asked)])
    assert said in str(told.value) and "pip install" in str(told.value) and "jail" not in str(told.value)


def test_what_needs_no_model_is_graded_in_the_light_install(small_course, monkeypatch):
    monkeypatch.setattr(needs.extras, "installed", lambda library: library == "torch")
    needs.demand([content.find("double")])
    monkeypatch.delenv("SAELAB_COURSE")
    needs.demand(content.exercises("superposition"))
