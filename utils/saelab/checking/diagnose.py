"""Which misconception does a wrong implementation hold?

A misconception is about one part of an exercise. Every call that the check made to that part is made again to it, and
again to the reference. It is named with certainty where all outcomes are the misconception's and those that are wrong
tell enough (see `evidence`). How the student's other parts are doesn't matter; where the misconception's code uses
them, they may be the student's.

Where random numbers are drawn, from torch's or from a generator of one's own, outcomes can't be compared; there, and
where the outcomes tell little, what is promised decides: a misconception is named, as a guess, if it fails exactly the
tests that the student fails, each in the same way, and no other misconception does.
"""

import copy
import inspect
import re
from collections.abc import Callable, Iterator

from saelab import content
from saelab.content import Exercise, Variant

from .blame import is_unwritten
from .contract import WrongSignature
from .evidence import ENOUGH, bits
from .replay import names_in, repeated, same_outcome
from .values import tensors_in
from .watched import Call, Gone, Log

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
Failures = Callable[[Exercise, dict], Iterator[tuple[str, str]]]  # (a test's name, how it fails or ""), in order


def name_misconception(
    exercise: Exercise, parts: dict, log: Log, failed: dict[str, str], failures: Failures
) -> tuple[Variant | None, bool]:
    """(the misconception whose behaviour this is or None, is it certain).

    `parts` is what was tested, `log` the calls to it, `failed` says how each failed test failed; `failures` runs the
    tests on other parts. If no misconception is certain, one is whose outcomes these are wherever the student's are
    finite: dividing by the length of a dropped feature is often the second mistake.
    """
    if any(isinstance(call.error, WrongSignature) for call in log):
        return None, True
    case = Case(exercise, parts, log, failed, failures)
    try:
        for forgive_nan in (False, True) if any(map(_has_nan, log)) else (False,):
            told = {variant.name: case.told_by(variant, forgive_nan) for variant in exercise.misconceptions}
            certain = [variant for variant in exercise.misconceptions if told[variant.name][0] >= ENOUGH]
            if certain:  # two that do the same at all these calls can't be told apart
                return (certain[0] if len(certain) == 1 else None), True
            if not forgive_nan:
                open_to_guess = [v for v in exercise.misconceptions if told[v.name][0] > 0 or not told[v.name][1]]
                likely = [variant for variant in open_to_guess if case.fails_alike(variant)]
        return (likely[0] if len(likely) == 1 else None), False
    except Gone:  # asked once more, the student's process is no longer there
        return None, True


class Case:
    """What is known of one wrong implementation."""

    def __init__(self, exercise: Exercise, parts: dict, log: Log, failed: dict[str, str], failures: Failures):
        self.exercise, self.parts, self.log, self.failed, self.failures = exercise, parts, log, failed, failures
        self.specs = content.reference_parts(exercise)
        self.right = dict(repeated(self.specs, log, range(len(log))))
        right = (self.right[n].drew or same_outcome(call, self.right[n], self.specs) for n, call in enumerate(log))
        unwritten = {number for number, call in enumerate(log) if call.error and is_unwritten(exercise, call.error)}
        self.wrong = {number for number, is_right in enumerate(right) if not is_right} - unwritten  # none that draws
        self.private = {name for name, made in self.specs.items() if "Generator" in names_in(made)}
        self.culprits: dict[str, bool] = {}

    def told_by(self, variant: Variant, forgive_nan: bool) -> tuple[int, bool]:
        """(how many bits the wrong outcomes tell for it, −1 if one speaks against it; could all be compared)."""
        if variant.part in self.private:
            return 0, False
        own = self._calls_to(variant.part)
        if not set(own) & self.wrong and not any(self._is_loose(number) for number in own):
            return -1, True
        if not inspect.isclass(self.specs[variant.part]):  # what is wrong tells most; objects need all their calls
            own.sort(key=lambda number: number not in self.wrong)
        best = (-1, True)
        for made in self._ways(variant):
            best = max(best, self._told_by(own, made, forgive_nan))
        return best

    def _ways(self, variant: Variant) -> Iterator[dict]:
        """The misconception beside the reference's other parts, and beside wrong ones of the student's that it uses."""
        yield content.variant_parts(self.exercise, variant)
        wrong = {self.log[number].part.partition(".")[0] for number in self.wrong} - {variant.part}
        others = {name: made for name, made in self.parts.items() if name in wrong}
        if names_in(compile(variant.code, variant.name, "exec")) & set(others):
            yield content.variant_parts(self.exercise, variant, others)

    def _told_by(self, own: list[int], made: dict, forgive_nan: bool) -> tuple[int, bool]:
        """As `told_by`; stops at the first outcome that differs. With `forgive_nan` NaN of the student's is none."""
        wrong, complete = [], True
        for number, again in repeated(made, self.log, own):
            call, solved = self.log[number], self.right[number]
            complete = complete and not (again.drew or self._is_loose(number))
            if not (solved.drew or again.drew) and not (forgive_nan and _has_nan(call) and not _has_nan(again)):
                if not same_outcome(call, again, self.specs):
                    return -1, True
                if number in self.wrong:
                    wrong.append((call, solved))
        return bits(wrong, self.specs), complete

    def _is_loose(self, number: int) -> bool:
        """Is there more to this call than its outcome: random numbers, how a model was used, an object's state?"""
        is_class = inspect.isclass(self.specs[self.log[number].part.partition(".")[0]])
        return is_class or self.right[number].drew or self.log[number].used

    def _calls_to(self, part: str) -> list[int]:
        """The numbers of the calls to a part, or to objects that it made."""
        return [number for number, call in enumerate(self.log) if call.part.partition(".")[0] == part]

    def fails_alike(self, variant: Variant) -> bool:
        """Does it fail the same tests in the same way as the student, and would they pass with that part solved?"""
        part = variant.part
        if part not in self.culprits:
            self.culprits[part] = len(self.specs) == 1 or not self._fails_so(part, self.specs[part])
        return self.culprits[part] and self._fails_so(part, content.variant_parts(self.exercise, variant)[part])

    def _fails_so(self, part: str, made: Callable) -> bool:
        """Are the failures those of the student with this for the part?"""
        beside, left = copy.copy(self.parts), set(self.failed)
        beside[part] = made
        for name, how in self.failures(self.exercise, beside):
            if not alike(how, self.failed.get(name, "")):
                return False
            left.discard(name)
        return not left


def alike(how: str, other: str) -> bool:
    """Do two failures read the same, the numbers in them about as large?"""
    if NUMBER.sub("#", how) != NUMBER.sub("#", other):
        return False
    pairs = zip(map(float, NUMBER.findall(how)), map(float, NUMBER.findall(other)))
    return all(abs(a - b) <= 0.6 * max(abs(a), abs(b)) for a, b in pairs)


def _has_nan(call: Call) -> bool:
    return any(not t.isfinite().all() for t in tensors_in(call.value) if t.is_floating_point())
