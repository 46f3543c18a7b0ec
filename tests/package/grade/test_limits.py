"""Does what the grader's own processes overlook end one submission, with a reason, and never the class?"""

import os
import signal
import subprocess
import sys

import pytest

from saelab import content
from saelab.grade import cohort, limits
from saelab.grade.grader import Grader
from saelab.grade.intake import handed_in
from saelab.grade.record import Grade, Record, load
from saelab.grade.settings import Settings

SLEEPER = """
import time, torch
def double(x):
    time.sleep(10_000)
def quadruple(x):
    time.sleep(10_000)
class Scale(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight, self.calls = torch.nn.Parameter(weight.clone()), 0
    def forward(self, x):
        self.calls += 1
        return x * self.weight
    def noise(self, size):
        return torch.rand(size)
"""


def test_memory_beyond_the_limit_is_refused_and_only_as_long_as_it_holds():
    with pytest.raises(MemoryError), limits.memory(100 << 20):
        bytearray(400 << 20)
    assert len(bytearray(400 << 20)) == 400 << 20


def test_a_process_that_goes_on_computing_is_ended_by_the_signal_that_the_office_knows():
    code = "from saelab.grade import limits\nlimits.limit_cpu(0)\nwhile True: pass"
    assert subprocess.run([sys.executable, "-c", code], timeout=100).returncode == -signal.SIGXCPU


def test_what_a_parent_has_set_is_lifted():
    code = "import resource\nfrom saelab.grade import limits\nlimits.lift()\n"
    code += "print(resource.getrlimit(resource.RLIMIT_AS)[0] == resource.getrlimit(resource.RLIMIT_AS)[1])"
    with limits.memory(2 << 30):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


def test_a_submission_that_costs_its_grader_too_much_is_put_aside_and_the_others_are_graded(
    small_course, tmp_path, monkeypatch
):
    exercises = tuple(e.id for e in content.exercises())

    def grade(_, entry):
        if entry.student == "eve":
            os.kill(os.getpid(), signal.SIGXCPU)
        if entry.student == "max":
            raise MemoryError
        return Record(entry.student, entry.name, [Grade(name, "passed", 1, 1) for name in exercises])

    monkeypatch.setattr(Grader, "grade", grade)
    monkeypatch.setattr(Grader, "probe", lambda *_: {})
    room = tmp_path / "class"
    room.mkdir()
    for name in ("ada", "eve", "max", "zoe"):
        (room / f"{name}.py").write_text("x = 1\n")
    cohort.grade(handed_in.find([room])[0], tmp_path / "out", Settings("s", exercises), 1, [room])
    told = {name: load(cohort.record_path(tmp_path / "out", name)).grades[0] for name in ("ada", "eve", "max", "zoe")}
    assert [grade.status for grade in told.values()] == ["passed", "not-run", "not-run", "passed"]
    assert "more than 300 s of the grader's own time" in told["eve"].message
    assert "more than 4 GB of the grader's own memory" in told["max"].message


def test_thirty_sleepers_take_less_than_an_hour_at_default_limits_and_the_command_says_so():
    chapter, course = (Settings("s", tuple(f"a/e{n}" for n in range(count))) for count in (16, 45))
    assert chapter.longest * 15 < 3600 and course.longest <= 300
    said = cohort.estimate(30, 2, chapter)
    assert "30 submissions to grade, 2 at a time. Each may take 3 min" in said and "after 44 min at the latest" in said
    assert [chapter.patience(late) for late in range(6)] == [60, 30, 15, 7.5, 5, 5]


def test_an_answer_behind_endless_ones_still_has_its_time(small_course, tmp_path):
    (tmp_path / "eve.py").write_text(SLEEPER)
    exercises = tuple(e.id for e in content.exercises())
    (entry,) = handed_in.find([tmp_path / "eve.py"])[0]
    with Grader(Settings("s", exercises, seconds=8.0), []) as grader:
        double, quadruple, scale = grader.grade(entry).grades
    assert [double.status, quadruple.status, scale.status] == ["timeout", "timeout", "passed"]
    assert "longer than 8 s" in double.message and "longer than 5 s" in quadruple.message
    assert quadruple.notes == ["It had less time than usual after 1 other that took too long."]
