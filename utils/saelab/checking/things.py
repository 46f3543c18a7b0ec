"""A thing that a recipe made: what it was like when it was new, what a call did to it, and how that is undone.

Looked at are hooks, weights (changed in place, replaced, of another shape or dtype), parts, plain attributes and
methods in whose place something else was put, and training mode. Gradients, `requires_grad` and the settings in a
model's `cfg` are put back without a word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Plain = int | float | str | bool
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of every nn.Module
LISTS = ("fwd_hooks", "bwd_hooks")  # that the hook points of TransformerLens keep besides
CHANGING = (*LISTS, "ctx", "training")  # attributes that using a model changes, or that are looked at by themselves


@dataclass(frozen=True, repr=False)
class Recipe:
    """How a thing is made: the name of one of `ingredients.ALL`, and its options in order of their names."""

    name: str
    options: tuple[tuple[str, Plain], ...] = ()

    def __repr__(self) -> str:
        return f"recipe({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.options)])})"


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
            inner.register_forward_pre_hook(self._note_run, with_kwargs=True)
        self.is_new(made)

    def __deepcopy__(self, _memo: dict) -> "Thing":
        return self  # the hook that notes runs is copied with a model: to run a copy is to run it

    def is_new(self, made: Recipe) -> None:
        """Take what it is like now for what it should be like."""
        self.recipe = made
        if isinstance(self.value, nn.Module):
            self.parts = [(name, part, _registers(part), _plain(part)) for name, part in _modules(self.value)]
            self.hooks = _hooks(self.value)
            self.weights = {name: (one, one.detach().clone()) for name, one in _tensors(self.value)}
            self.wanted = [(one, one.requires_grad) for one, _ in self.weights.values()]
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
        for one, wanted in self.wanted:
            one.grad = None
            one.requires_grad_(wanted)
        settings = _settings(self.value)
        if settings != self.settings:
            settings.clear()
            settings.update(self.settings)
        return found

    def _look(self, module: nn.Module) -> Harm:
        now, tensors = _hooks(module), dict(_tensors(module))
        places = [place for place in {**self.hooks, **now} if self.hooks.get(place) != now.get(place)]
        changed = [name for name, (one, copy) in self.weights.items() if not _is_still(tensors.get(name), one, copy)]
        changed += [name for name in tensors if name not in self.weights]
        changed += [name for name in self._swapped() if name not in changed]
        training = any(part.training for _, part, _, _ in self.parts)
        return Harm(_as_taught(module, places), tuple(changed), training)

    def _swapped(self) -> Iterator[str]:
        """Parts and plain attributes in whose place there is something else, or nothing."""
        for place, part, (_, _, modules), plain in self.parts:
            now = {**part._modules, **vars(part)}
            for name, value in {**modules, **plain}.items():
                if now.get(name) is not value:
                    yield f"{place}.{name}".removeprefix(".")
            for name in now.keys() - modules.keys() - plain.keys():
                if callable(getattr(type(part), name, None)):  # a method was put over
                    yield f"{place}.{name}".removeprefix(".")

    def _undo(self, module: nn.Module) -> None:
        for _, part, registers, plain in self.parts:
            for register, was in zip(_registers(part, live=True), registers):
                register.clear()
                register.update(was)
            for name in [n for n in vars(part) if n not in plain and callable(getattr(type(part), n, None))]:
                del vars(part)[name]
            vars(part).update(plain)
        module.eval()
        now = _hooks(module)
        for name, part in _modules(module):
            wanted, there = self.hooks.get(name, {}), now.get(name, {})
            for kind, number in there.keys() - wanted.keys():
                del getattr(part, kind)[number]
            for kind, number in wanted.keys() - there.keys():
                getattr(part, kind)[number] = wanted[kind, number]
            for kind in LISTS:
                if isinstance(getattr(part, kind, None), list):
                    setattr(part, kind, [hook for hook in getattr(part, kind) if hook.is_permanent])
        for one, copy in self.weights.values():
            if one.shape != copy.shape or one.dtype != copy.dtype:
                one.data = copy.clone()
            one.data.copy_(copy)


def _modules(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """All modules in this one by name; of a bridge also the model inside, which it does not name itself."""
    named, inner = list(module.named_modules()), getattr(module, "original_model", module)
    return named if any(part is inner for _, part in named) else [*named, ("original_model", inner)]


def _registers(part: nn.Module, live: bool = False) -> list[dict]:
    """The parameters, buffers and modules directly in this one: copies of the dictionaries, or these themselves."""
    registers = (part._parameters, part._buffers, part._modules)
    return [register if live else dict(register) for register in registers]


def _plain(part: nn.Module) -> dict:
    """Its public attributes, without those that using it changes."""
    return {name: value for name, value in vars(part).items() if name[0] != "_" and name not in CHANGING}


def _settings(module: nn.Module) -> dict:
    return getattr(getattr(module, "cfg", None), "__dict__", {})


def _hooks(module: nn.Module) -> dict[str, dict[tuple[str, int], object]]:
    """The hooks on every module below this one, by kind and number; those that the libraries need left out."""
    found: dict[str, dict[tuple[str, int], object]] = {}
    for name, part in _modules(module):
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


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def _is_still(now: Tensor | None, one: Tensor, copy: Tensor) -> bool:
    """Is it the same tensor, with the same numbers?"""
    if now is not one or one.shape != copy.shape or one.dtype != copy.dtype:
        return False
    return torch.equal(one, copy) or bool(((one == copy) | (one.isnan() & copy.isnan())).all())
