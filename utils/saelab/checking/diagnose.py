"""Which misconception does a wrong implementation hold?

One is named when the student's outputs are that misconception's outputs: every call the check made
is made again to the misconception, and type, values, gradient history, exceptions, changed arguments and
the gradients that the check asked for must all agree. Where the annotations ask for a float, a tensor of one
number is as good. Outcomes of calls that draw random numbers can't be compared; where there are such calls,
the misconception must also fail exactly the tests that the student fails, and no other may.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from saelab import content
from saelab.content import Exercise, Variant
from saelab.report import Report

from . import recipes
from .contract import Complaint, WrongSignature, fit_result
from .derivatives import pulled
from .values import same, snapshot, tensors_in
from .watched import Call, Log, Watch, lent

Outcomes = Callable[[Exercise, dict, int | str], Iterable[tuple[str, bool]]]  # (a test's name, does it fail) in order


def name_misconception(
    exercise: Exercise, watched: Watch, report: Report, seed: int | str, outcomes: Outcomes
) -> tuple[Variant | None, bool]:
    """(the misconception whose behaviour this is or None, is it certain). `outcomes` runs the tests one by one.

    If none is exactly, one is named whose outcomes these are wherever the student's are finite: dividing by the
    length of a dropped feature is often the second mistake.
    """
    if any(isinstance(call.error, WrongSignature) for call in watched.log):
        return None, True
    specs = content.reference_parts(exercise)
    right = list(_repeated(specs, watched.log))
    for forgive_nan in (False, True) if any(map(_has_nan, watched.log)) else (False,):
        alike, random = [], False
        for variant in exercise.misconceptions:
            theirs = _repeated(content.variant_parts(exercise, variant), watched.log)
            agrees, drew = _behaves_like(watched.log, theirs, right, specs, forgive_nan)
            random |= drew
            alike += [variant] if agrees else []
        if random:
            alike = _failing_alike(exercise, alike, report, seed, outcomes)
            return (alike[0] if len(alike) == 1 else None), False
        if alike:
            return alike[0], True
    return None, True


def _failing_alike(
    exercise: Exercise, variants: list[Variant], report: Report, seed: int | str, outcomes: Outcomes
) -> list[Variant]:
    """Those misconceptions that fail the same tests as the student."""
    failed = {t.name for t in report.failures}

    def alike(variant: Variant) -> bool:
        left = set(failed)
        for name, fails in outcomes(exercise, content.variant_parts(exercise, variant), seed):
            if fails != (name in failed):
                return False
            left.discard(name)
        return not left

    return [variant for variant in variants if alike(variant)]


def _behaves_like(
    log: Log, theirs: Iterable[Call], right: list[Call], specs: dict[str, Callable], forgive_nan: bool
) -> tuple[bool, bool]:
    """(are the log's outcomes theirs, a misconception's, and not the right ones; were random numbers drawn on the way).

    Stops at the first outcome that differs; outcomes of calls that draw random numbers are passed over. With
    `forgive_nan` those are too where only the log has NaN, but some outcome must then be both alike and wrong.
    """
    random, wrong = False, not forgive_nan
    for call, again, solved in zip(log, theirs, right):
        random |= solved.drew
        if solved.drew or again.drew or (forgive_nan and _has_nan(call) and not _has_nan(again)):
            continue
        if not _same_outcome(call, again, specs):
            return False, random
        wrong = wrong or not _same_outcome(call, solved, specs)
    return wrong, random


def _repeated(parts: dict[str, Callable], log: Log) -> Iterator[Call]:
    """The calls of a log made again to these parts, lazily, objects included."""
    replay, test = _Replay(parts), 0
    for number, call in enumerate(log):
        if call.test != test:
            test = call.test
            recipes.begin_test()
        yield replay.repeat(number, call)


def _has_nan(call: Call) -> bool:
    return any(not t.isfinite().all() for t in tensors_in(call.value) if t.is_floating_point())


class _Replay:
    """Makes calls again, and keeps the objects that they made."""

    def __init__(self, parts: dict[str, Callable]):
        self.parts = parts
        self.made: dict[int, object] = {}  # number of the call that made it → object

    def repeat(self, number: int, call: Call) -> Call:
        args, kwargs = recipes.made_of(snapshot(call.args)), recipes.made_of(snapshot(call.kwargs))
        again, before = Call(call.part, call.owner, call.args, call.kwargs), torch.get_rng_state()
        try:
            value = lent(self._target(call), args, kwargs, again)
            if inspect.isclass(self.parts.get(call.part)):
                self.made[number] = value
            if call.grads is not None and _history(value):
                again.grads = pulled(value, args, call.weights)
        except (Exception, SystemExit) as error:
            again.error = error
        again.drew = not torch.equal(before, torch.get_rng_state())
        return again

    def _target(self, call: Call) -> Callable:
        if call.owner is None:
            return self.parts[call.part]
        method = call.part.rpartition(".")[2]
        return getattr(self.made[call.owner], method)


def _same_outcome(one: Call, other: Call, specs: dict[str, Callable]) -> bool:
    if one.harm != other.harm:
        return False
    if one.after is not None and other.after is not None:  # both returned, whatever the contract said afterwards
        if _changed_arguments(one) != _changed_arguments(other) or not same(one.after, other.after):
            return False
        value, beside = _fitted(one, specs), _fitted(other, specs)
        alike = same(value, beside) and _history(value) == _history(beside)
        return alike and same(one.grads, other.grads)
    if one.error is not None and other.error is not None:
        return type(one.error) is type(other.error)
    return one.error is None and other.error is None and same(one.value, other.value)


def _fitted(call: Call, specs: dict[str, Callable]):
    """What a call returned, in the form that the annotations ask for where it can be put into that."""
    spec = specs.get(call.part)
    if spec is None or inspect.isclass(spec):
        return call.value
    try:
        return fit_result(call.part, spec, call.args, call.kwargs, call.value)
    except Complaint:
        return call.value


def _changed_arguments(call: Call) -> bool:
    return not same(call.before, call.after, exact=True)


def _history(value) -> bool | None:
    """Whether a tensor result can be differentiated."""
    return value.requires_grad if isinstance(value, Tensor) else None
