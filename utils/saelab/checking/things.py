"""A thing that a recipe made: what it was like when it was new, what a call did to it, and how that is undone.

Looked at are hooks, weights (changed in place, replaced, of another shape or dtype), parts, plain attributes and
methods in whose place something else was put, and training mode. Gradients, `requires_grad` and the settings in a
model's `cfg` are put back without a word.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Plain = int | float | str | bool
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of every nn.Module
LISTS = ("fwd_hooks", "bwd_hooks")  # that the hook points of TransformerLens keep besides
CHANGING = (*LISTS, "ctx", "training")  # attributes that using a model changes, or that are looked at by themselves


@dataclass(frozen=True, repr=False)
class Recipe:
    """How a thing is made: the name of one of `ingredients.ALL`, and all its options in order of their names.

    `given` are the options that were not left at what they are by themselves: all that a message shows.
    """

    name: str
    options: tuple[tuple[str, Plain], ...] = ()
    given: tuple[tuple[str, Plain], ...] | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """It and all its options, as another process knows it."""
        return self._written(self.options)

    def __repr__(self) -> str:
        return self._written(self.options if self.given is None else self.given)

    def _written(self, options: tuple[tuple[str, Plain], ...]) -> str:
        return f"recipe({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in options)])})"


@dataclass(frozen=True)
class Harm:
    """What a call did to a thing it was lent: the places of hooks left or lost, what differs by name, the mode."""

    hooks: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    training: bool = False

    def __bool__(self) -> bool:
        return bool(self.hooks or self.weights or self.training)

    def __str__(self) -> str:
        said = []
        if self.hooks:
            said.append(f"left hooks behind, or took some away, at {_few(self.hooks)}: use `with model.hooks(…)` or "
                        "`run_with_hooks`, which take them off also when something fails")  # fmt: skip
        if self.weights:
            said.append(f"changed {_few(self.weights)}: work on a copy")
        if self.training:
            said.append("left it in training mode")
        return "; and ".join(said)


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class Thing:
    """A built object, what it was like when it was new, and what the last call did with it."""

    def __init__(self, made: Recipe, value: Any):
        self.value, self.lent, self.out, self.harm = value, False, False, Harm()  # lent in this test; out in a call
        self.runs: list[tuple[int, ...]] = []
        if isinstance(value, nn.Module):
            value.eval()
            inner = getattr(value, "original_model", value)  # of a bridge, whose own forward is not always used
            if hasattr(inner, "encode"):
                inner.__class__ = _noting(type(inner), self)
            else:
                inner.register_forward_pre_hook(self._note_run, with_kwargs=True)
        self.is_new(made)

    def __deepcopy__(self, _memo: dict) -> "Thing":
        return self  # the hook that notes runs is copied with a model: to run a copy is to run it

    def is_new(self, made: Recipe) -> None:
        """Take what it is like now for what it should be like."""
        self.recipe = made
        if isinstance(self.value, nn.Module):
            self.modules = _modules(self.value)
            self.parts = [Part(name, part) for name, part in self.modules]
            self.hooks = _hooks(self.modules)
            points = [part for _, part in self.modules if hasattr(part, LISTS[0])]
            self.lists = [(point, kind, list(getattr(point, kind))) for point in points for kind in LISTS]
            self.weights = [Weight(*found) for part in self.parts for found in part.tensors()]
            self.settings = dict(_settings(self.value))

    def _note_run(self, _module: nn.Module, args: tuple, kwargs: dict) -> None:
        if not self.out:
            return
        given = next((x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)), None)
        self.runs.append(() if given is None else tuple(given.shape))

    def mend(self) -> Harm:
        """See what was done to it, and undo that."""
        if not isinstance(self.value, nn.Module):
            return Harm()
        found = self._look(self.value)
        if found:
            self._undo(self.value)
        for weight in self.weights:
            weight.one.grad = None
            weight.one.requires_grad_(weight.wanted)
        settings = _settings(self.value)
        if settings != self.settings:
            settings.clear()
            settings.update(self.settings)
        return found

    def _look(self, module: nn.Module) -> Harm:
        now = _hooks(self.modules)
        places = [place for place in {**self.hooks, **now} if self.hooks.get(place) != now.get(place)]
        changed = [weight.name for weight in self.weights if not weight.is_still()]
        changed += [name for part in self.parts for name in part.swapped() if name not in changed]
        training = any(part.training for _, part in self.modules)
        return Harm(_as_taught(module, places), tuple(changed), training)

    def _undo(self, module: nn.Module) -> None:
        for part in self.parts:
            part.put_back()
        module.eval()
        now = _hooks(self.modules)
        for name, one in self.modules:
            wanted, there = self.hooks.get(name, {}), now.get(name, {})
            for kind, number in there.keys() - wanted.keys():
                del getattr(one, kind)[number]
            for kind, number in wanted.keys() - there.keys():
                getattr(one, kind)[number] = wanted[kind, number]
        for one, kind, was in self.lists:
            setattr(one, kind, list(was))
        for weight in self.weights:
            weight.put_back()


class Part:
    """A module and what is directly in it: parameters, buffers, modules, and public attributes."""

    def __init__(self, place: str, module: nn.Module):
        self.place, self.module = place, module
        self.registers = [dict(register) for register in self._live()]
        self.plain = {k: v for k, v in vars(module).items() if k[0] != "_" and k not in CHANGING}
        self.known = set(vars(module))

    def _live(self) -> tuple[dict, dict, dict]:
        return self.module._parameters, self.module._buffers, self.module._modules

    def tensors(self) -> Iterator[tuple[str, dict, str, Tensor]]:
        """Name, register, key and value of its parameters and buffers."""
        for register in self._live()[:2]:
            for key, one in register.items():
                if one is not None:
                    yield self._named(key), register, key, one

    def swapped(self) -> list[str]:
        """Names at which there is something else now, or nothing, or a new tensor, or a function over a method."""
        *tensors, modules = self._live()
        own = vars(self.module)
        found = [k for k, v in self.registers[2].items() if modules.get(k) is not v]
        found += [k for k, v in self.plain.items() if own.get(k) is not v]
        for register, was in zip(tensors, self.registers):
            if len(register) != len(was):
                found += register.keys() ^ was.keys()
        return [self._named(k) for k in found + self._put_over_methods()]

    def put_back(self) -> None:
        for register, was in zip(self._live(), self.registers):
            register.clear()
            register.update(was)
        for name in self._put_over_methods():
            delattr(self.module, name)
        vars(self.module).update(self.plain)

    def _put_over_methods(self) -> list[str]:
        new = vars(self.module).keys() - self.known
        found = [k for k in new if k[0] != "_" and callable(getattr(type(self.module), k, None))]
        self.known |= new.difference(found)
        return found

    def _named(self, key: str) -> str:
        return f"{self.place}.{key}".removeprefix(".")


class Weight:
    """A parameter or buffer: the tensor itself, where it is registered, a copy of its numbers."""

    def __init__(self, name: str, register: dict, key: str, one: Tensor):
        self.name, self.register, self.key, self.one = name, register, key, one
        self.copy, self.wanted = one.detach().clone(), one.requires_grad

    def is_still(self) -> bool:
        """Is it the same tensor, with the same numbers?"""
        one, copy = self.one, self.copy
        if self.register.get(self.key) is not one or one.shape != copy.shape or one.dtype != copy.dtype:
            return False
        return torch.equal(one, copy) or bool(((one == copy) | (one.isnan() & copy.isnan())).all())

    def put_back(self) -> None:
        if self.one.shape != self.copy.shape or self.one.dtype != self.copy.dtype:
            self.one.data = self.copy.clone()
        self.one.data.copy_(self.copy)


def _noting(kind: Any, thing: Thing) -> type:
    """A class of dictionaries that notes what `encode` is given, also where `forward` calls it."""

    def encode(self, *args, **kwargs):
        thing._note_run(self, args, kwargs)
        return kind.encode(self, *args, **kwargs)

    return type(kind.__name__, (kind,), {"encode": encode, "__module__": kind.__module__})


def _modules(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """All modules in this one by name; of a bridge also the model inside, which it does not name itself."""
    named, inner = list(module.named_modules()), getattr(module, "original_model", module)
    return named if any(part is inner for _, part in named) else [*named, ("original_model", inner)]


def _settings(module: nn.Module) -> dict:
    return getattr(getattr(module, "cfg", None), "__dict__", {})


def _hooks(modules: list[tuple[str, nn.Module]]) -> dict[str, dict[tuple[str, int], object]]:
    """The hooks on these modules, by kind and number; those that the libraries need left out."""
    found: dict[str, dict[tuple[str, int], object]] = {}
    for name, part in modules:
        for kind in HOOKS:
            for number, hook in getattr(part, kind).items():
                library = str(getattr(hook, "__module__", "")).split(".")[0]
                if hasattr(part, "fwd_hooks") or library not in ("transformers", "transformer_lens"):
                    found.setdefault(name, {})[kind, number] = hook
    return found


def _as_taught(module: nn.Module, places: list[str]) -> tuple[str, ...]:
    """Hook points under the names that the course uses: `blocks.1.hook_resid_post`, not `blocks.1.hook_out`."""
    if not places:
        return ()
    parts, points = dict(module.named_modules()), getattr(module, "hook_dict", {})
    known = {id(point): name for name, point in points.items() if not name.endswith((".hook_in", ".hook_out"))}
    return tuple(known.get(id(parts.get(place)), place.replace("._original_component", "")) for place in places)
