"""Are grades the same when processes are killed all the time? `python build/bench/grade_faults.py --kills 200`

A class of 60 (right, wrong, slow and crashing submissions to a small course) is graded once undisturbed. Then it is
graded again, while at random moments a random process of the command gets `kill -9`: the command itself, a grader
process, the process that reads cells for it, a warm process (the one inside the jail or the one outside that waits for
it), or the child with a student's code. When the command dies it is started again, until it ends by itself; then
everything it wrote must be what the undisturbed run wrote, byte by byte, and no process may be left. With fewer kills
than asked for by then, another round begins in an empty folder.
"""

import argparse
import collections
import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from small_course import CHAPTER, TENSORS, write, write_class

BECOME_REAPER = 36  # prctl: orphans of our children become our children, so that none is overlooked
KINDS = ("command", "grader", "reader", "launcher", "warm", "child")
STAY = 10.0  # seconds that processes may take to end after the command


def main() -> int:
    """Grade undisturbed, then disturbed until there were enough kills; 0 if nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("?")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--mean", type=float, default=1.5, help="seconds between kills, on average")
    parser.add_argument("--random", type=int, default=0, help="seed of the moments and victims")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(BECOME_REAPER, 1, 0, 0, 0)
    chance = random.Random(arguments.random)
    with tempfile.TemporaryDirectory(prefix="saelab-faults-") as name:
        folder = Path(name)
        write(folder / "course", TENSORS)
        write_class(folder / "class", arguments.students, TENSORS, slow=(0.05, 0.3))
        started = time.monotonic()
        undisturbed = Run(folder, "undisturbed", chance, mean=0, kills=0)
        undisturbed.finish()
        records = len(list((undisturbed.out / "records").glob("*.json")))
        print(f"undisturbed: {records} records, {time.monotonic() - started:.0f} s", flush=True)
        killed: collections.Counter = collections.Counter()
        faults: list[str] = []
        while killed.total() < arguments.kills and not faults:
            run = Run(folder, f"disturbed{killed.total()}", chance, arguments.mean, arguments.kills - killed.total())
            run.finish()
            killed += run.killed
            faults = differences(undisturbed, run) + [f"left over: {what}" for what in left_over()]
            print(f"{run.starts} starts, {dict(run.killed)}; {len(faults)} differences", flush=True)
            print("".join(f"  said: {line}\n" for line in run.said), end="")
    print(f"{killed.total()} kills: {dict(killed)}; {(time.monotonic() - started) / 60:.1f} minutes")
    print("\n".join(faults) or "All records and all other files are the same, byte by byte; no process is left.")
    return int(bool(faults))


@dataclass
class Run:
    """The command over the class into one folder, started again and again while somebody kills its processes."""

    folder: Path
    name: str
    chance: random.Random
    mean: float
    kills: int
    killed: collections.Counter = field(default_factory=collections.Counter)
    starts: int = 0
    said: list[str] = field(default_factory=list)  # last lines of runs that ended with another code than 0, unkilled

    @property
    def out(self) -> Path:
        return self.folder / self.name

    def finish(self) -> None:
        """Start the command until it ends with 0."""
        while True:
            self.starts += 1
            command = self.start()
            code = self.disturb(command)
            if code == 0:
                return
            if code != -signal.SIGKILL:
                self.said.append((self.folder / "errors").read_text().strip().splitlines()[-1][-300:])

    def start(self) -> subprocess.Popen:
        arguments = ["grade", str(self.folder / "class"), "--out", str(self.out), "--chapter", CHAPTER]
        environment = os.environ | {"SAELAB_COURSE": str(self.folder / "course"), "OMP_NUM_THREADS": "1"}
        with open(self.folder / "errors", "w") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "saelab.cli", *arguments, "--seed", "faults", "--jobs", "2"],
                env=environment, stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip

    def disturb(self, command: subprocess.Popen) -> int:
        """Kill this and that until the command has ended; its exit code."""
        while self.killed.total() < self.kills:
            kind = self.chance.choice(KINDS)
            try:
                return command.wait(self.chance.expovariate(1 / self.mean))
            except subprocess.TimeoutExpired:
                self.kill_one(command, kind)
        return command.wait()

    def kill_one(self, command: subprocess.Popen, kind: str) -> None:
        """SIGKILL for a process of this kind, as soon as there is one."""
        while command.poll() is None:
            if found := victims(command.pid).get(kind):
                victim = self.chance.choice(found)
                time.sleep(self.chance.choice((0.0, self.chance.uniform(0, 0.2))))
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.send_signal(signal.SIGKILL)
                    self.killed[kind] += 1
                return
            time.sleep(0.02)

    def files(self) -> dict[str, bytes]:
        """Everything that was written, without what a killed process left half written under a hidden name."""
        paths = (p for p in self.out.rglob("*") if p.is_file() and not p.name.startswith("."))
        return {str(p.relative_to(self.out)): p.read_bytes() for p in paths}


def victims(pid: int) -> dict[str, list[psutil.Process]]:
    """Kind → living processes of the command with this pid."""
    found = {"command": [psutil.Process(pid)]}
    found["grader"] = children(found["command"])
    found["reader"] = children(found["grader"], "saelab.grade.intake.examiner")
    found["launcher"] = children(found["grader"], "saelab.grade.jail.warm")
    found["warm"] = children(found["launcher"])
    found["child"] = children(found["warm"])
    return {kind: living for kind, processes in found.items() if (living := [p for p in processes if is_alive(p)])}


def children(parents: list[psutil.Process], module: str = "") -> list[psutil.Process]:
    """Children of these that run this module, which says that they have begun."""
    found = []
    for parent in parents:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += parent.children()
    return [p for p in found if not module or runs(p, module)]


def runs(process: psutil.Process, module: str) -> bool:
    try:
        return module in process.cmdline()
    except psutil.Error:
        return False


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def left_over() -> list[str]:
    """Processes under this one that still live some seconds after the command's end."""
    until = time.monotonic() + STAY
    while living := [p for p in psutil.Process().children(recursive=True) if is_alive(p)]:
        if time.monotonic() > until:
            return [f"{p.pid} {' '.join(p.cmdline())[:200]}" for p in living]
        time.sleep(0.1)
    return []


def differences(a: Run, b: Run) -> list[str]:
    """Sentences about files that are not the same in both."""
    mine, theirs = a.files(), b.files()
    found = [f"only {(a if name in mine else b).name} has {name}" for name in mine.keys() ^ theirs.keys()]
    for name in mine.keys() & theirs.keys():
        if mine[name] != theirs[name]:
            pairs = zip(mine[name].decode().splitlines(), theirs[name].decode().splitlines())
            line = next((f"{x.strip()!r} became {y.strip()!r}" for x, y in pairs if x != y), "one is longer")
            found.append(f"{name}: {line[:400]}")
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())
