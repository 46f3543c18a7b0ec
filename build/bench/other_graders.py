"""The assignment of grade_speed.py for otter-grader and nbgrader, made and graded as their documentation says.

Each lives in a virtual environment of its own, so what runs there is text here: a program that grades one submission
after the other in one process, which is the fastest that each offers.
"""

import json
import os
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

OTTER_SERVER = """
import os, sys, time
from importlib.metadata import version
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from otter.api import grade_submission
print(version("otter-grader"), file=answers, flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    results = grade_submission(line.strip(), sys.argv[1], quiet=True)
    print(time.perf_counter() - started, results.total / results.possible, file=answers, flush=True)
"""
NBGRADER_SERVER = """
import logging, os, sys, time
from importlib.metadata import version
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
config = Config()
config.CourseDirectory.course_id = "bench"
config.NbGraderAPI.log_level = logging.ERROR
api = NbGraderAPI(config=config)
print(version("nbgrader"), file=answers, flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    result = api.autograde("questions", line.strip())
    seconds = time.perf_counter() - started
    assert result["success"], result
    with api.gradebook as gradebook:
        found = gradebook.find_submission("questions", line.strip())
        print(seconds, found.score / found.max_score, file=answers, flush=True)
"""


@dataclass(frozen=True)
class Plain:
    """A question on plain numbers and lists, so that nobody has anything large to import."""

    name: str
    right: str
    wrong: str
    facts: tuple[str, str]

    def code(self, expression: str, before: str = "", behind: str = "") -> str:
        return f"def {self.name}(a: list, b: list) -> list:\n{before}    return {expression}\n{behind}".rstrip("\n")


PLAIN = (
    Plain(
        "add",
        "[x + y for x, y in zip(a, b)]",
        "a + b",
        ("add([1, 2], [3, 4]) == [4, 6]", "add([5], [-5]) == [0]"),
    ),
    Plain(
        "times",
        "[x * y for x, y in zip(a, b)]",
        "[x + y for x, y in zip(a, b)]",
        ("times([2, 2], [2, 3]) == [4, 6]", "times([5], [-5]) == [-25]"),
    ),
    Plain(
        "larger",
        "[max(x, y) for x, y in zip(a, b)]",
        "max(a, b)",
        ("larger([1, 9], [3, 4]) == [3, 9]", "larger([5], [-5]) == [5]"),
    ),
)


def fill_in(template: str, answers: dict[str, str]) -> str:
    """The notebook that students got, with an answer in each cell that is to define one of these names."""
    notebook = json.loads(template)
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        for name, answer in answers.items():
            if cell["cell_type"] == "code" and f"def {name}(" in text:
                cell["source"] = answer
    return json.dumps(notebook)


def _cell(kind: str, text: str, **metadata) -> dict:
    rest = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": metadata, "source": text, **rest}


def _write(path: Path, cells: list[dict]) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    numbered = [cell | {"id": f"cell{i}"} for i, cell in enumerate(cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


class Other(ABC):
    """A grader in a virtual environment; `folder` is for its files."""

    server_text: str

    def __init__(self, venv: Path, folder: Path, students: dict[str, dict[str, str]]):
        self.bin, self.folder, self.students = venv.resolve() / "bin", folder, students
        folder.mkdir()
        self.prepare()
        command = [str(self.bin / "python"), "-c", self.server_text, *self.server_arguments()]
        pipe = subprocess.PIPE
        errors = open(folder / "errors", "w")  # noqa: SIM115 – for as long as the process lives
        self.server = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=errors, text=True)
        self.version = self._line()

    @abstractmethod
    def prepare(self) -> None:
        """Make the assignment and the students' submissions."""

    @abstractmethod
    def server_arguments(self) -> list[str]: ...

    @abstractmethod
    def handle(self, student: str) -> str:
        """What the server is told to grade."""

    @abstractmethod
    def cohort(self) -> None:
        """Grade everybody by the commands that an instructor gives."""

    def grade(self, student: str) -> tuple[float, float]:
        """(seconds, share of the points) of one submission, graded by the process that already runs."""
        assert self.server.stdin
        self.server.stdin.write(self.handle(student) + "\n")
        self.server.stdin.flush()
        seconds, share = map(float, self._line().split())
        return seconds, share

    def close(self) -> None:
        self.server.communicate()

    def command(self, *words: str) -> None:
        environment = os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        done = subprocess.run([str(self.bin / words[0]), *words[1:]], cwd=self.folder, capture_output=True, text=True,
                              env=environment)  # fmt: skip
        if done.returncode:
            raise SystemExit(
                f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )

    def _line(self) -> str:
        assert self.server.stdout
        line = self.server.stdout.readline()
        if not line:
            raise SystemExit(f"{type(self).__name__} ended: {(self.folder / 'errors').read_text()[-2000:]}")
        return line.strip()


class Otter(Other):
    """`otter assign`, then `otter run` for each submission."""

    server_text = OTTER_SERVER

    def prepare(self) -> None:
        cells = [_cell("raw", "# ASSIGNMENT CONFIG\nsolutions_pdf: false\nexport_cell: false")]
        for q in PLAIN:
            cells += [
                _cell("raw", f"# BEGIN QUESTION\nname: {q.name}\npoints: 1"),
                _cell("markdown", f"Write `{q.name}`."),
                _cell("raw", "# BEGIN SOLUTION"),
                _cell("code", q.code(q.right, "    # BEGIN SOLUTION\n", "    # END SOLUTION")),
                _cell("raw", "# END SOLUTION"),
                _cell("raw", "# BEGIN TESTS"),
                *(_cell("code", f"# HIDDEN\nassert {fact}") for fact in q.facts),
                _cell("raw", "# END TESTS"),
                _cell("raw", "# END QUESTION"),
            ]
        _write(self.folder / "questions.ipynb", cells)
        self.command("otter", "assign", "questions.ipynb", "dist")
        self.zip = next((self.folder / "dist/autograder").glob("*.zip"))
        template = (self.folder / "dist/student/questions.ipynb").read_text()
        for student, answers in self.students.items():
            (self.folder / f"{student}.ipynb").write_text(fill_in(template, answers))

    def server_arguments(self) -> list[str]:
        return [str(self.zip)]

    def handle(self, student: str) -> str:
        return str(self.folder / f"{student}.ipynb")

    def cohort(self) -> None:
        for student in self.students:
            self.command("otter", "run", f"{student}.ipynb", "-a", str(self.zip), "-o", f"results-{student}")


class Nbgrader(Other):
    """`nbgrader generate_assignment`, submissions copied into submitted/, `nbgrader autograde`."""

    server_text = NBGRADER_SERVER

    def prepare(self) -> None:
        cells = []
        for q in PLAIN:
            solution = {"grade": False, "solution": True, "locked": False, "grade_id": q.name, "task": False}
            right = q.code(q.right, "    ### BEGIN SOLUTION\n", "    ### END SOLUTION")
            cells.append(_cell("code", right, nbgrader=solution | {"schema_version": 3}))
            test = {"grade": True, "solution": False, "locked": True, "grade_id": f"test_{q.name}", "task": False}
            facts = "".join(f"assert {fact}\n" for fact in q.facts)
            hidden = f"### BEGIN HIDDEN TESTS\n{facts}### END HIDDEN TESTS"
            cells.append(_cell("code", hidden, nbgrader=test | {"schema_version": 3, "points": 1}))
        _write(self.folder / "source/questions/questions.ipynb", cells)
        (self.folder / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.course_id = "bench"\n')
        self.command("nbgrader", "generate_assignment", "questions")
        template = (self.folder / "release/questions/questions.ipynb").read_text()
        for student, answers in self.students.items():
            place = self.folder / f"submitted/{student}/questions/questions.ipynb"
            place.parent.mkdir(parents=True)
            place.write_text(fill_in(template, answers))

    def server_arguments(self) -> list[str]:
        return []

    def handle(self, student: str) -> str:
        return student

    def cohort(self) -> None:
        self.command("nbgrader", "autograde", "questions", "--create", "--force")
