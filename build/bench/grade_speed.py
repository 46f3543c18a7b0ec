"""How long does grading take, beside otter-grader and nbgrader, and for whole chapters?

    python build/bench/grade_speed.py --otter VENV --nbgrader VENV

VENV is a virtual environment that holds otter-grader, or nbgrader, and ipykernel; without it that one is left out.
1. The same three questions with the same six checks for each, the same notebooks. Warm: one process that already runs
   grades one submission after the other, each submission by all graders in turn. Cohort: the commands that an
   instructor gives, from start to end.
2. Three questions on tensors (a gradient and a module among them), saelab only.
3. The references of each chapter as one student's folder of scripts, saelab only, on one core, with and without the
   exercises that train something (those whose check alone takes longer than 0.25 s of processor time).
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from grade_memory import inner
from other_graders import PLAIN, Nbgrader, Other, Otter, Plain, fill_in
from small_course import CHAPTER, TENSORS, Question, write, write_class

from saelab import __version__, content
from saelab.checking import check_with_dependencies
from saelab.content import Exercise
from saelab.grade import cohort
from saelab.grade.grader import Grader
from saelab.grade.intake import handed_in
from saelab.grade.intake.reading import Entry
from saelab.grade.settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[1]))
from notebooks import dump, exercise_notebook  # noqa: E402

TRAINING = 0.25  # seconds of processor time


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--otter", type=Path, metavar="VENV", help="where otter-grader is installed")
    parser.add_argument("--nbgrader", type=Path, metavar="VENV", help="where nbgrader is installed")
    parser.add_argument("--submissions", type=int, default=20, help="notebooks of the assignment (default 20)")
    parser.add_argument("--chapter", action="append", help="measure this chapter's references (default: all)")
    arguments = parser.parse_args()
    os.environ["SAELAB_PLAIN"] = "1"
    torch.set_num_threads(1)
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, load {load}")
    with tempfile.TemporaryDirectory(prefix="saelab-speed-") as name:
        compare(Path(name), arguments)
        tensors(Path(name))
        os.environ.pop("SAELAB_COURSE")
        for chapter in arguments.chapter or content.chapters():
            references(chapter, Path(name))
    print(f"load at the end {os.getloadavg()[0]:.1f}")


# --- beside others -------------------------------------------------------------------------------------------------


def as_question(plain: Plain) -> Question:
    """The question as an exercise of a course, with its facts as tests."""
    right = plain.code(plain.right, f'    """{plain.name}"""\n    # BEGIN SOLUTION\n', "    # END SOLUTION")
    tests = (f"def test_fact_{i}({plain.name}):\n    assert {f}, 'look again'\n" for i, f in enumerate(plain.facts))
    return Question(plain.name, right, plain.code(plain.wrong), "\n\n".join(tests))


def made_up_class(count: int) -> dict[str, dict[str, str]]:
    """Student → answers; every third has one wrong."""
    students = {f"student{i:03}": {q.name: f"{q.code(q.right)}  # {i}" for q in PLAIN} for i in range(count)}
    for number, answers in enumerate(students.values()):
        if number % 3 == 2:
            answers[PLAIN[1].name] = PLAIN[1].code(PLAIN[1].wrong)
    return students


class Saelab:
    """This grader, with the methods of `Other`."""

    def __init__(self, folder: Path, students: dict[str, dict[str, str]]):
        self.folder, self.version = folder, __version__
        write(folder / "course", tuple(map(as_question, PLAIN)))
        os.environ["SAELAB_COURSE"] = str(folder / "course")
        template = dump(exercise_notebook(content.sources(CHAPTER)[0]))
        (folder / "class").mkdir()
        for student, answers in students.items():
            (folder / "class" / f"{student}.ipynb").write_text(fill_in(template, answers))
        self.grader = Grader(Settings("speed", tuple(e.id for e in content.exercises(CHAPTER))), [])
        (folder / "warm" / cohort.RECORDS).mkdir(parents=True)

    def grade(self, student: str) -> tuple[float, float]:
        """(seconds, share of the points), from the file to the record's file."""
        started = time.perf_counter()
        (entry,), _ = handed_in.find([self.folder / "class" / f"{student}.ipynb"])
        record = self.grader.grade(entry)
        record.save(cohort.record_path(self.folder / "warm", record.student))
        return time.perf_counter() - started, record.earned / record.out_of

    def cohort(self, *more: str) -> None:
        out = self.folder / f"out{len(more)}"
        command = [sys.executable, "-m", "saelab.cli", "grade", str(self.folder / "class"), "--out", str(out), *more]
        subprocess.run(command, check=True, capture_output=True)

    def close(self) -> None:
        self.grader.end_warm()


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    """The table of all graders that are there."""
    students = made_up_class(arguments.submissions)
    (folder / "saelab").mkdir()
    graders: dict[str, Saelab | Other] = {"saelab": Saelab(folder / "saelab", students)}
    for name, kind, venv in (("otter-grader", Otter, arguments.otter), ("nbgrader", Nbgrader, arguments.nbgrader)):
        if venv:
            graders[name] = kind(venv, folder / name, students)
        else:
            print(f"{name} is not measured: give --{name.partition('-')[0]} VENV.")
    warm: dict[str, list[float]] = {name: [] for name in graders}
    for grader in graders.values():
        grader.grade(next(iter(students)))  # the first does not count
    for number, student in enumerate(students):
        for name, grader in graders.items():
            seconds, share = grader.grade(student)
            warm[name].append(seconds)
            right = share == 1 if number % 3 != 2 else share < 1
            assert right, f"{name} gives {student} {share:.2f} of the points"
    whole = {name: timed(grader.cohort) for name, grader in graders.items()}
    print(f"\nThree questions, {len(students)} submissions; points agree. Seconds a submission:")
    print(f"{'':<22}{'warm, median':>13}{'fastest':>9}{'× saelab':>9}{f'cohort of {len(students)}':>14}{'× saelab':>9}")
    for name, grader in graders.items():
        median, all_of_it = statistics.median(warm[name]), whole[name] / len(students)
        times = [median / statistics.median(warm["saelab"]), whole[name] / whole["saelab"]]
        print(f"{f'{name} {grader.version}':<22}{median:>13.3f}{min(warm[name]):>9.3f}{times[0]:>8.0f}×", end="")
        print(f"{all_of_it:>14.3f}{times[1]:>8.1f}×")
        grader.close()
    one_job = timed(lambda: graders["saelab"].cohort("--jobs", "1"))
    print(f"saelab uses all {os.cpu_count()} cores for the cohort; with --jobs 1: {one_job / len(students):.3f}")


def timed(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


# --- saelab alone ----------------------------------------------------------------------------------------------------


def tensors(folder: Path) -> None:
    """Three questions on tensors, warm."""
    write(folder / "tensors", TENSORS)
    os.environ["SAELAB_COURSE"] = str(folder / "tensors")
    write_class(folder / "one", 1, TENSORS, kinds=(("right",),))
    (entry,), _ = handed_in.find([folder / "one"])
    for trials in (1, 2):
        with Grader(Settings("speed", tuple(e.id for e in content.exercises(CHAPTER)), trials), []) as grader:
            assert grader.grade(entry).earned == len(TENSORS)
            seconds = [timed(lambda grader=grader: grader.grade(entry)) for _ in range(40)]
        median, fastest = 1000 * statistics.median(seconds), 1000 * min(seconds)
        print(f"Three questions on tensors, trials {trials}: median {median:.1f} ms, fastest {fastest:.1f} ms")


def references(chapter: str, folder: Path) -> None:
    """The solved chapter graded, with and without what trains."""
    exercises = content.exercises(chapter)
    checks = {e.id: check_seconds(e) for e in exercises}
    training = [name for name, seconds in checks.items() if seconds > TRAINING]
    scripts = folder / chapter
    scripts.mkdir()
    for source in content.sources(chapter):
        if source.exercises:
            (scripts / f"{source.stem}.py").write_text("\n\n\n".join(f"# %%\n{e.code}" for e in source.exercises))
    (entry,), _ = handed_in.find([scripts])
    slowest = sorted(checks, key=checks.__getitem__)[-3:]
    alone = sum(checks.values())
    print(f"\n{chapter}: {len(exercises)} exercises, whose checks alone take {alone:.2f} s of processor time here;")
    print(f"  slowest: {', '.join(f'{n} {checks[n]:.2f} s' for n in reversed(slowest))}")
    print(f"  training (over {TRAINING} s): {', '.join(training) or 'none'}")
    sets = {"all": list(checks)}
    if training:
        sets["without training"] = [name for name in checks if name not in training]
    for trials in (1, 2):
        for label, names in sets.items():
            with Grader(Settings("speed", tuple(names), trials), []) as grader:
                print(f"  trials {trials}, {label:<17}{len(names):>3} exercises: {twice(grader, entry)}", flush=True)


def check_seconds(exercise: Exercise) -> float:
    """Processor time of the check in this process: the faster of two, after one that doesn't count."""
    found = []
    for _ in range(3):
        started = time.process_time()
        check_with_dependencies(exercise, content.reference_parts(exercise))
        found.append(time.process_time() - started)
    return min(found[1:])


def twice(grader: Grader, entry: Entry) -> str:
    """Seconds and processor time of one submission: the fastest of two, after one that doesn't count."""
    found = []
    for _ in range(3):
        before, started = processor_time(grader), time.perf_counter()
        record = grader.grade(entry)
        seconds, after = time.perf_counter() - started, processor_time(grader)
        found.append((seconds, after[0] - before[0], after[1] - before[1]))
        bad = [grade.exercise for grade in record.grades if grade.status != "passed"]
        assert not bad, f"not passed: {bad}"
    seconds, own, jailed = min(found[1:])
    return f"{seconds:6.2f} s; processor time {own:.2f} s of the grader + {jailed:.2f} s in the jail"


def processor_time(grader: Grader) -> tuple[float, float]:
    """Of this process; of the warm one with its children so far."""
    return time.process_time(), sum(psutil.Process(inner(grader.warm.pid)).cpu_times()[:4])


if __name__ == "__main__":
    main()
