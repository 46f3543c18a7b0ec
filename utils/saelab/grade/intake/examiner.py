"""Reads the text of cells in a process of its own: a few hundred kilobytes of the right text hang Python's parser.

`with Examiner() as examine: load(entry, examine)`. Nothing of a student's is run, here or there; the process is
ended when a cell takes too long, that cell gets a sentence, and a new process goes on with the next one.
"""

import contextlib
import dataclasses
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time

from saelab.answers import Digest, Statement, StudentCell, examine, names_of

CPU_SECONDS = 5  # for one cell; the processor's own, so that a busy machine costs no honest work
ALL_CPU_SECONDS = 10  # for all cells of a submission; an ordinary one takes 0.2
WALL_SECONDS = 120.0  # for one cell, should the process hang without computing
STATEMENTS = 60_000  # of a submission; one with all of the course's solutions has some thousand
KILLED = 8  # times that something outside may kill the process
LOST = 3  # cells of one submission that may take too long before the rest is left
MEMORY = 2 << 30  # bytes of address space
REPLY = 50_000_000  # bytes for one cell
TOO_LONG = "it takes Python too long to read it"
TOO_MANY = f"with it there are more than {STATEMENTS:,} statements in all cells"
NOT_REACHED = "the cells before it took Python too long"


class Examiner:
    """Fills in the digests of cells. Starts its process when first called."""

    def __init__(self, cpu_seconds: int = CPU_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._read = bytearray()

    def __call__(self, cells: list[StudentCell]) -> None:
        left = [cell for cell in cells if not cell.problem]
        lost = killed = 0
        while left and lost < LOST and killed < KILLED:
            done, how = self._examine(left)
            left = left[done:]
            lost, killed = lost + (how == "late"), killed + (how == "killed")
        for cell in left:
            cell.digest = Digest(problem=NOT_REACHED)

    def _examine(self, cells: list[StudentCell]) -> tuple[int, str]:
        """Ask for all cells; how many are done with (the one that took too long included), and how it ended.

        That is `done`, `late`, or `killed`, by something outside: then it was nobody's fault.
        """
        texts = json.dumps([cell.text for cell in cells]).encode() + b"\n"
        try:
            self._send(texts)
        except OSError:  # it has ended since the last submission
            self.close()
            self._send(texts)
        for number, cell in enumerate(cells, 1):
            line = self._line(time.monotonic() + WALL_SECONDS)
            if line is None:
                killed = self._was_killed()
                self.close()
                if killed:
                    return number - 1, "killed"
                cell.digest = Digest(problem=TOO_LONG)
                return number, "late"
            cell.digest = from_plain(json.loads(line))
        return len(cells), "done"

    def _was_killed(self) -> bool:
        """Did it end by SIGKILL? What is too much for its limits ends it otherwise."""
        assert self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=1) == -signal.SIGKILL
        return False

    def _send(self, line: bytes) -> None:
        if self._process is None:
            command = [sys.executable, "-P", "-m", "saelab.grade.intake.examiner", str(self._cpu_seconds)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._read.clear()
        assert self._process.stdin
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _line(self, end: float) -> bytes | None:
        """The next line of the process; None when it is late, too long, or the process is gone."""
        assert self._process and self._process.stdout
        output = self._process.stdout.fileno()
        while (place := self._read.find(b"\n")) < 0:
            ready, _, _ = select.select([output], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(output, 1 << 20) if ready else b""
            self._read += chunk
            if not chunk or len(self._read) > REPLY:
                return None
        line = bytes(self._read[:place])
        del self._read[: place + 1]
        return line

    def close(self) -> None:
        """End the process; another call starts a new one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close() if pipe else None
            self._process = None

    def __enter__(self) -> "Examiner":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def to_plain(digest: Digest) -> list:
    """A digest as lists and strings."""
    sets = [field.name for field in dataclasses.fields(Statement)][3:]
    rows = [[s.line, s.text, s.kind, *(sorted(getattr(s, name)) for name in sets)] for s in digest.statements]
    return [digest.problem, rows]


def from_plain(plain: list) -> Digest:
    """The digest that `to_plain` was given."""
    problem, rows = plain
    return Digest([Statement(row[0], row[1], row[2], *map(names_of, row[3:])) for row in rows], problem)


def main() -> None:
    """The process: a line with a list of texts in, a line with a digest out for each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        begun, statements = time.process_time(), 0
        for text in json.loads(line):
            end = int(time.process_time()) + int(sys.argv[1]) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (end, resource.getrlimit(resource.RLIMIT_CPU)[1]))
            in_time = time.process_time() - begun < ALL_CPU_SECONDS
            digest = examine(text) if in_time else Digest(problem=NOT_REACHED)
            statements += len(digest.statements)
            if statements > STATEMENTS:
                digest = Digest(problem=TOO_MANY)
            sys.stdout.write(json.dumps(to_plain(digest)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
