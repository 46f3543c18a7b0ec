"""Run an exercise's check file against an implementation and report in a student's words.

The check files are ordinary pytest. This runner exists beside pytest because a check in a notebook
must answer in milliseconds; it knows the three fixtures (the exercise's parts, `reference`, `rng`)
and `pytest.mark.parametrize`, and nothing more.
"""

import importlib.util
import inspect
import re
import sys
import time
import types
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

from saelab import content
from saelab.content import Exercise
from saelab.extras import MissingExtra
from saelab.report import Report, TestResult

from . import ambient
from .blame import Ran, is_unwritten, results
from .compare import give_ours
from .contract import WrongSignature
from .diagnose import name_misconception
from .randomness import Rng, seed_everything, seed_of_student
from .watched import Call, Gone, Watch, watch


class CheckError(Exception):
    """A check file that can't be used; for authors."""


class Reference:
    """The fixture `reference`: call it for the exercise itself, or use its parts by name."""

    def __init__(self, exercise: Exercise):
        self._parts, self._name = content.reference_parts(exercise), exercise.name

    def __call__(self, *args, **kwargs):
        return self._parts[self._name](*args, **kwargs)

    def __getattr__(self, name: str):
        try:
            return self._parts[name]
        except KeyError:
            raise AttributeError(name) from None


def run(
    exercise: Exercise,
    parts: dict[str, Callable],
    seed: int | str = 0,
    named_only: bool = False,
    secret_order: bool = False,
) -> Report:
    """Run all tests of an exercise against `parts` (name → function or class) and explain the result.

    With `named_only`, tests that only compare with the reference are left out and the first
    failure ends the run: what the audit asks of a misconception. With `secret_order` the tests run in an order that the
    seed decides, so that no counter of calls knows where it is; the report has the file's all the same. Raises Gone
    when the process behind `parts` is, and MissingExtra where a test needs a model and the light install has none.
    """
    started = time.perf_counter()
    with ambient.settled():
        watched = watch(parts, content.reference_parts(exercise))
        report = Report(exercise.id, "passed", exercise.points)
        ran: list[Ran] = []
        for name, test, error in _one_by_one(exercise, parts, watched, seed, named_only, secret_order):
            ran.append(Ran(name, test, error, watched.log.of_this_test))
            if error is not None and (named_only or isinstance(error, WrongSignature)):
                break
        place = {name: number for number, (name, _, _) in enumerate(tests_of(exercise))}
        ran.sort(key=lambda one: place[one.name])
        wrong = [(one, one.error) for one in ran if one.error is not None]
        if wrong and len(wrong) == len(ran) and all(is_unwritten(exercise, error) for _, error in wrong):
            report.status = "not-started"
        else:
            report.tests = results(exercise, parts, ran)
        if wrong and report.tests:
            report.status = "failed"
            report.failing = _call_of(report, ran)
        if wrong and report.tests and not named_only:
            failed = {one.name: _how(error) for one, error in wrong}
            again = partial(failures, seed=seed)
            found, report.certain = name_misconception(exercise, parts, watched.log, failed, again)
            if found:
                report.misconception, report.diagnosis = found.name, found.doc
        report.notes += watched.log.switched
    report.seconds = time.perf_counter() - started
    return report


def _call_of(report: Report, ran: list[Ran]) -> Call | None:
    """The last call of the test whose failure is shown, if it was one of a function of this process."""
    shown = report.failures[0].name if report.failures else ""
    calls = next((one.calls for one in ran if one.name == shown), [])
    return calls[-1] if calls and inspect.isfunction(calls[-1].target) and calls[-1].owner is None else None


def failures(exercise: Exercise, parts: dict[str, Callable], seed: int | str) -> Iterator[tuple[str, str]]:
    """(name, how it fails, "" if it passes) of each test in turn; who has heard enough stops listening."""
    watched = watch(parts, content.reference_parts(exercise))
    for name, _, error in _one_by_one(exercise, parts, watched, seed):
        yield name, _how(error) if error is not None else ""


def _how(error: BaseException) -> str:
    """In what way a test failed: the kind of exception and its first lines, but not at which index."""
    lines = [line for line in str(error).splitlines() if line][:3]
    return f"{type(error).__name__}: {re.sub(r' at index [^)]*[)]', '', ' '.join(lines))}"


def _one_by_one(
    exercise: Exercise,
    parts: dict[str, Callable],
    watched: Watch,
    seed: int | str,
    named_only: bool = False,
    secret_order: bool = False,
) -> Iterator[tuple[str, Callable, BaseException | None]]:
    """Each test with what it raised; raises Gone, MissingExtra, and what a user's Ctrl-C raises."""
    tests = list(tests_of(exercise))
    if secret_order:
        tests = [tests[number] for number in Rng(f"{seed}/order").permutation(len(tests)).tolist()]
    for name, test, arguments in tests:
        if named_only and not TestResult(name, "").is_named:
            continue
        error = _run_one(exercise, test, arguments, watched, f"{seed}/{name}", hasattr(parts, "reseed") and parts)
        if isinstance(error, (KeyboardInterrupt, Gone, MissingExtra)):
            raise error
        yield name, test, error


def tests_of(exercise: Exercise) -> Iterator[tuple[str, Callable, dict]]:
    """(name, function, parametrized arguments) for every test in the exercise's check file."""
    path = content.test_file(exercise)
    if not path.is_file():
        raise CheckError(f"{exercise.id} has no check. Write it in tests/{exercise.chapter}/{path.name}.")
    module = load_check_file(path, path.stat().st_mtime_ns)
    for name, test in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(test):
            for suffix, arguments in _parametrized(test):
                yield name + suffix, test, arguments


@lru_cache(maxsize=128)
def load_check_file(path: Path, _mtime: int) -> types.ModuleType:
    """Import a check file by its path; its name is no import name."""
    spec = importlib.util.spec_from_file_location(f"saelab_check.{path.parent.name}.{path.stem}", path)
    assert spec and spec.loader, path
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    give_ours(module)
    return module


def _parametrized(test: Callable) -> Iterator[tuple[str, dict]]:
    marks = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"]
    if not marks:
        yield "", {}
        return
    if len(marks) > 1:
        raise CheckError(f"{test.__name__} has more than one parametrize; write the combinations in one.")
    names, values = marks[0].args[:2]
    names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    rows = [value if len(names) > 1 else (value,) for value in values]
    ids = marks[0].kwargs.get("ids") or ["-".join(map(str, row)) for row in rows]
    for name, row in zip(ids, rows, strict=True):
        yield f"[{name}]", dict(zip(names, row))


def _run_one(
    exercise: Exercise, test: Callable, arguments: dict, watched: Watch, seed: str, remote
) -> BaseException | None:
    fixtures = {**watched.parts, **arguments}
    for name in inspect.signature(test).parameters:
        if name == "rng":
            fixtures[name] = Rng(seed)
        elif name == "reference":
            fixtures[name] = Reference(exercise)
        elif name not in fixtures:
            known = ", ".join([*watched.parts, "reference", "rng"])
            raise CheckError(f"{test.__name__} asks for the unknown fixture {name!r}; there are {known}.")
    seed_everything(seed_of_student(seed))  # for implementations that draw random numbers themselves
    watched.begin_test()
    ambient.settle()
    if remote:
        remote.reseed(seed_of_student(seed))
    try:
        test(**{name: fixtures[name] for name in inspect.signature(test).parameters})
    except BaseException as error:  # what pytest.fail and pytest.raises raise is no Exception, nor is SystemExit
        is_pytests = type(error).__module__.startswith("_pytest")
        return AssertionError(str(error)) if is_pytests else error
    return None
