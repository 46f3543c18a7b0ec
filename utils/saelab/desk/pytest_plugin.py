"""The second door: `pytest tests/superposition`, plain or with `--submission FILE`.

Adds the fixtures that check files use, and turns their failures into a student's words. It does
nothing unless the run is about this course's checks.
"""

from pathlib import Path

import pytest

from saelab import content


def pytest_addoption(parser) -> None:
    group = parser.getgroup("saelab")
    group.addoption("--submission", action="append", metavar="FILE", help="check this notebook or script")
    group.addoption("--check-seed", default="0", metavar="N", help="seed of the checks' random numbers (default 0)")


def pytest_configure(config) -> None:
    try:
        tests = content.root() / "tests"
    except content.NoCourse:
        return
    places = [Path(str(arg).split("::")[0]).resolve() for arg in config.args]
    if any(place == tests.parent or place == tests or tests in place.parents for place in places):
        names = content.part_names()
        fixtures = {f"fixture_{name}": _part_fixture(name) for name in names}
        config.pluginmanager.register(type("Fixtures", (_Fixtures,), fixtures)(config, tests), "saelab-fixtures")


def _part_fixture(name: str):
    def part(self, request):
        return self.watch(request).parts[name]

    return pytest.fixture(name=name)(part)


def _exercise_of(path: Path, tests: Path):
    """The exercise that a check file belongs to, or None for other test files."""
    if path.parent.parent != tests or path.parent.name not in content.chapters():
        return None
    return content.find(f"{path.parent.name}/{path.stem.removeprefix('test_')}")


class _Fixtures:
    """What check files ask for; a subclass adds one fixture for each part of each exercise."""

    def __init__(self, config, tests: Path):
        self.config, self.tests = config, tests
        self.watches: dict = {}  # test id → the watched implementation

    @pytest.fixture
    def reference(self, request):
        """The reference of the exercise that the check file is about."""
        from saelab.checking import Reference

        return Reference(_exercise_of(request.path, self.tests))

    @pytest.fixture
    def rng(self, request):
        """The only source of randomness in a check."""
        from saelab.checking import Rng

        return Rng(f"{self.config.getoption('--check-seed')}/{request.node.name}")

    def watch(self, request):
        """The implementation under test, watched; one for each test."""
        import torch

        from saelab.checking import give_ours, seed_of_student, settle, watch

        give_ours(request.module)
        if request.node.nodeid not in self.watches:
            torch.set_num_threads(1)
            exercise = _exercise_of(request.path, self.tests)
            parts = content.reference_parts(exercise)
            self.watches[request.node.nodeid] = watch(self._submitted(exercise) or parts, parts)
            self.watches[request.node.nodeid].begin_test()
            settle()
            torch.manual_seed(seed_of_student(f"{self.config.getoption('--check-seed')}/{request.node.name}"))
        return self.watches[request.node.nodeid]

    def _submitted(self, exercise):
        """The parts in the files given with --submission; fails the test in one sentence if there are none."""
        from saelab.answers import AnswerError, SubmissionError, define, merge, read

        files = self.config.getoption("--submission")
        if not files:
            return None
        try:
            answer = merge([read(Path(file)) for file in files]).answer(exercise)
            if answer.problem:
                pytest.fail(answer.problem, pytrace=False)
            return define(answer.pieces, exercise.parts)
        except (AnswerError, SubmissionError) as error:
            pytest.fail(str(error), pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        """Say what was expected and what came, instead of a traceback through the course's own code."""
        report = yield
        watch = self.watches.pop(item.nodeid, None) if call.when == "call" else None
        if watch and call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
            from saelab.checking import in_words

            _, message = in_words(call.excinfo.value, item.function, watch.log.of_this_test)
            report.longrepr = message
        return report
