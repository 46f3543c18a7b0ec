"""Does grading need more memory, the more submissions it has graded? `python build/bench/grade_memory.py`

One Grader with its warm process grades submissions to a small course: right, wrong, slow and crashing ones. Resident
memory of both is printed after every tenth, and at the end how fast a line through all but the first rises. Ends with 1
if that is more than `--allowed` MB per 100 submissions.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from small_course import CHAPTER, TENSORS, write, write_class


def main() -> int:
    """Grade, print the table, judge it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("?")[0])
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--allowed", type=float, default=0.5, help="MB that may be added per 100 submissions")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="saelab-memory-") as folder:
        os.environ["SAELAB_COURSE"] = str(Path(folder, "course"))
        write(Path(folder, "course"), TENSORS)
        write_class(Path(folder, "class"), arguments.submissions, TENSORS, slow=(0.0, 0.01))
        after = measure(Path(folder, "class"), max(1, arguments.submissions // 10))
    growth = {name: 100 * slope(after, place) for place, name in ((1, "grader"), (2, "warm process"))}
    print("growth per 100 submissions, the first tenth left out: ", end="")
    print(", ".join(f"{name} {mb:+.3f} MB" for name, mb in growth.items()))
    return int(max(growth.values()) > arguments.allowed)


def measure(submissions: Path, every: int) -> list[tuple[int, float, float]]:
    """(submissions graded, MB of the grader, MB of the warm process) now and then."""
    from saelab import content
    from saelab.grade.grader import Grader
    from saelab.grade.intake import handed_in
    from saelab.grade.settings import Settings

    exercises = tuple(e.id for e in content.exercises(CHAPTER))
    entries, _ = handed_in.find([submissions])
    found: list[tuple[int, float, float]] = []
    earned, started = 0.0, time.perf_counter()
    print(f"{'graded':>7} {'grader':>10} {'warm process':>13}   seconds")
    with Grader(Settings("memory", exercises), []) as grader:
        for number, entry in enumerate(entries, 1):
            earned += grader.grade(entry).earned
            if number % every == 0:
                found.append((number, resident(os.getpid()), resident(inner(grader.warm.pid))))
                passed = time.perf_counter() - started
                print(f"{number:>7} {found[-1][1]:>7.1f} MB {found[-1][2]:>10.1f} MB {passed:>9.0f}", flush=True)
    print(f"{earned:g} points of {len(entries) * len(exercises)}")
    return found


def inner(launcher: int) -> int:
    """The warm process behind the one that waits for it."""
    return psutil.Process(launcher).children()[0].pid


def resident(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 2**20


def slope(rows: list[tuple[int, float, float]], place: int) -> float:
    """MB per submission of a line through the measurements, without the first."""
    return statistics.linear_regression([row[0] for row in rows[1:]], [row[place] for row in rows[1:]]).slope


if __name__ == "__main__":
    sys.exit(main())
