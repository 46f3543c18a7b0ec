"""The best program that knows an exercise's check file but computes nothing: which tests it passes.

It knows which test it is in, which call of it this is, the shapes of the arguments, and what the right results were
when the check ran with other seeds (a cheat can run it at home as often as they like). So it answers with a result that
never changes, with zeros, ones or noise in the right form, with an argument, or with something it was given or gave
before: whatever was right each time. Tests that it passes tell nothing about a student, and earn nothing by themselves.
"""

import copy
import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from saelab import content
from saelab.content import Exercise

from . import ambient, runner
from .altered import EMPTY, alter
from .values import same, snapshot, tensors_in

AT_HOME = ("home 1", "home 2", "home 3")  # seeds of the runs that it learns from
AT_THE_TEST = ("test 1", "test 2")  # seeds at which it is tried: a lucky guess counts for it
Site = tuple  # where a number of a result stands: test, part, which call or the form of its arguments, place in it


def guessable(exercise: Exercise) -> frozenset[str]:
    """Names of the tests that it passes, at any of the seeds at which it is tried."""
    file = content.test_file(exercise)
    return _guessable(exercise.id, file.stat().st_mtime_ns, exercise.path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _guessable(exercise_id: str, *_changed: int) -> frozenset[str]:
    return passed_by_guessing(content.find(exercise_id), AT_THE_TEST)


def passed_by_guessing(exercise: Exercise, seeds: Iterable[str]) -> frozenset[str]:
    """Names of the tests that one of its ways to guess passes at one of these seeds."""
    exercise = replace(exercise, misconceptions=[])  # nobody asks what it misunderstood
    right = content.reference_parts(exercise)
    seeds, passed = list(seeds), set[str]()
    for empty in EMPTY:
        passed |= _passes(exercise, {name: alter(part, empty) for name, part in right.items()}, seeds[0])
    home = Memory()
    for seed in AT_HOME:
        _passes(exercise, _Guesser(exercise, home, learns=True), seed)
    for seed in seeds:
        passed |= _passes(exercise, _Guesser(exercise, home, learns=False), seed)
    return frozenset(passed)


def _passes(exercise: Exercise, parts: dict[str, Callable], seed: str) -> set[str]:
    with ambient.settled():
        return {name for name, failure in runner.failures(exercise, parts, seed) if not failure}


@dataclass
class Seen:
    """A number, text or tensor of a right result, and what was in sight when it was given."""

    right: Any
    sight: list
    gradients: list[Tensor | None] = field(default_factory=list)  # of the tensors in the arguments


class Memory:
    """What was right at which site, in the runs at home."""

    def __init__(self) -> None:
        self.seen: dict[Site, list[Seen]] = defaultdict(list)
        self.ways: dict[Site, int | None] = {}

    def guess(self, sites: tuple[Site, ...], form: Any, sight: list):
        """What was right each time at the first of the sites where anything was; else what was right there once."""
        for site in sites:
            if (way := self._way(site)) is not None:
                return list(_answers(self.seen[site][0].right, form, sight))[way]
        known = [seen.right for site in sites for seen in self.seen.get(site, ()) if _alike(seen.right, form)]
        return known[0] if known else _filled(form, 0)

    def _way(self, site: Site) -> int | None:
        """The number of the first answer that was right at every time."""
        if site not in self.ways:
            seen = self.seen.get(site, [])
            tried = [list(_answers(seen[0].right, one.right, one.sight)) for one in seen]
            count = min(map(len, tried)) if len(seen) > 1 else 0
            fits = (n for n in range(count) if all(same(t[n], one.right) for t, one in zip(tried, seen)))
            self.ways[site] = next(fits, None)
        return self.ways[site]

    def gradient(self, site: Site, number: int) -> Tensor | None:
        """The gradient that this argument had each time; None where it differed."""
        known = [seen.gradients[number] for seen in self.seen.get(site, ()) if number < len(seen.gradients)]
        first = known[0] if len(known) > 1 else None
        return first if first is not None and all(same(first, other) for other in known) else None


def _answers(known, form, sight: list) -> Iterator:
    """Answers that need no computing, always in the same order: a known one, zeros, ones, what is in sight."""
    yield known
    yield _filled(form, 0)
    yield _filled(form, 1)
    for thing in sight:
        yield thing
        if isinstance(thing, Tensor):
            yield thing.mT if thing.ndim > 1 else thing
            yield -thing if thing.dtype != torch.bool else ~thing
            yield thing.item() if thing.numel() == 1 else None
            yield len(thing) if thing.ndim else None


def _filled(form, number: int):
    if isinstance(form, Tensor):
        return torch.full_like(form, number)
    return type(form)(number) if isinstance(form, (bool, int, float)) else form and ""


def _alike(known, form) -> bool:
    alike = type(known) is type(form)
    return alike and (not isinstance(form, Tensor) or known.shape == form.shape and known.dtype == form.dtype)


class _Guesser(dict):
    """Its parts: at home they answer rightly and it remembers; at the test it guesses."""

    def __init__(self, exercise: Exercise, home: Memory, learns: bool):
        self._home, self._learns, self._test, self._calls, self._sight = home, learns, 0, 0, list[Any]()
        parts = content.reference_parts(exercise)
        super().__init__({name: self._part(name, made) for name, made in parts.items()})

    def reseed(self, _seed: int) -> None:
        """The runner says that another test begins."""
        self._test, self._calls, self._sight = self._test + 1, 0, []

    def _part(self, name: str, made: Callable) -> Callable:
        if inspect.isclass(made):
            own = {k: fn for k, fn in vars(made).items() if inspect.isfunction(fn) and not k.startswith("__")}
            return type(made.__name__, (made,), {k: self._part(f"{name}.{k}", fn) for k, fn in own.items()})

        @functools.wraps(made)
        def called(*args, **kwargs):
            given, sight = tensors_in((args, kwargs)), self._in_sight(args, kwargs)
            where = (self._test, name, self._calls), (self._test, name, _form((args, kwargs)))
            self._calls += 1
            if not self._learns:  # what the right code does to its arguments is part of its work
                args, kwargs = _copied(args), _copied(kwargs)
            value = made(*args, **kwargs)
            act = self._remember if self._learns else self._guess
            counter = iter(range(10**6))
            return _map(value, lambda leaf: act(leaf, [(*w, n) for n in [next(counter)] for w in where], sight, given))

        return called

    def _in_sight(self, args: tuple, kwargs: dict) -> list:
        """The arguments, and those and the results of the test's calls before."""
        now = [a for a in [*args, *kwargs.values()] if isinstance(a, (Tensor, bool, int, float, str))]
        before = self._sight[:6]
        self._sight += [snapshot(a) for a in now]
        return [*now[:6], *before]

    def _remember(self, leaf, sites: list[Site], sight: list, given: list[Tensor]):
        seen = Seen(snapshot(leaf), [snapshot(thing) for thing in sight])
        for site in sites:
            self._home.seen[site].append(seen)
        seen.gradients = [None] * len(given)
        for number, tensor in enumerate(given):
            if tensor.requires_grad and tensor.is_leaf:
                tensor.register_hook(lambda g, n=number: seen.gradients.__setitem__(n, g.detach().clone()))
        self._sight.insert(0, seen.right)
        return leaf

    def _guess(self, leaf, sites: list[Site], sight: list, given: list[Tensor]):
        guess = self._home.guess(tuple(sites), leaf.detach() if isinstance(leaf, Tensor) else leaf, sight)
        self._sight.insert(0, snapshot(guess))
        if not (isinstance(leaf, Tensor) and isinstance(guess, Tensor) and leaf.requires_grad):
            return guess
        if not guess.is_floating_point():
            return guess
        for number, tensor in enumerate(given):
            known = self._home.gradient(sites[0], number)
            if tensor.requires_grad and known is not None and known.shape == tensor.shape:
                guess = guess + _Pretend.apply(tensor, known)
        followed = [tensor for tensor in given if tensor.requires_grad]
        return guess + sum((_Pretend.apply(t, torch.zeros_like(t)) for t in followed), torch.zeros(()))


class _Pretend(torch.autograd.Function):
    """Zero, with a gradient that is known by heart."""

    @staticmethod
    def forward(ctx, tensor: Tensor, known: Tensor):
        ctx.known = known
        return tensor.new_zeros(())

    @staticmethod
    def backward(ctx, *_grads):
        return ctx.known, None


def _copied(value):
    """Arguments that may be changed without anybody noticing."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return snapshot(value) if isinstance(value, Tensor) else copy.deepcopy(value)


def _form(value) -> object:
    """What can be told of arguments without computing: kinds, shapes, and what is no tensor itself."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, (list, tuple)):
        return tuple(map(_form, value))
    if isinstance(value, dict):
        return tuple((key, _form(item)) for key, item in value.items())
    return value if isinstance(value, (bool, int, float, str, type(None))) else type(value)


def _map(value, change: Callable):
    """The value with each tensor, number and text in it changed; other things as they are."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_map(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _map(item, change) for key, item in value.items()}
    return change(value) if isinstance(value, (Tensor, bool, int, float, str)) else value
