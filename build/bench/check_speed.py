"""How long does `check(fn)` take? `python build/bench/check_speed.py`: per exercise, and the median.

Each reference is checked `REPEATS` times in one process after a first time that doesn't count (it imports
torch and reads the sources); the fastest is shown, since a busy machine only adds.
"""

import os
import statistics
import time

import torch

from saelab import content
from saelab.checking import check_with_dependencies

REPEATS = 5


def main() -> None:
    """Print the table."""
    os.environ["SAELAB_PLAIN"] = "1"
    torch.set_num_threads(1)
    fastest = {}
    for exercise in content.exercises():
        parts, seconds = content.reference_parts(exercise), []
        for _ in range(REPEATS + 1):
            started = time.perf_counter()
            report = check_with_dependencies(exercise, parts)
            seconds.append(time.perf_counter() - started)
        assert report.passed, report
        fastest[exercise.id] = min(seconds[1:])
        print(f"{exercise.id:<42} {1000 * fastest[exercise.id]:7.1f} ms   {len(report.tests)} checks")
    print(f"{'median':<42} {1000 * statistics.median(fastest.values()):7.1f} ms")


if __name__ == "__main__":
    main()
