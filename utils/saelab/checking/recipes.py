"""Models, dictionaries, text and callables for checks, by a name and plain numbers.

    model = recipe("model.random", n_layers=2, seed=3)   # in a check; the student's function gets the same real object

Where a student's code runs in another process, the recipe travels and the object is built again there: never the
object, and never code. Equal recipes are built once; what is small and seeded is forgotten when the next test begins.

After each call everything that was handed out is looked at: hooks that were left behind, weights that were changed,
training mode. What is found is told by name (`harm`), and mended before the next call. `runs` tells on which tokens a
model was run meanwhile. Both are what the process says in which the student's code runs: a cheat there can lie about
it, but gets no value right by that.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from . import ingredients

Plain = int | float | str | bool
LASTING = ("pocket.model", "pocket.dictionary", "pocket.transcoder", "exact.model")  # for as long as the process
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of every nn.Module


@dataclass(frozen=True)
class Recipe:
    """How a thing is made: the name of one of `ingredients.ALL`, and its options in order of their names."""

    name: str
    options: tuple[tuple[str, Plain], ...] = ()

    def __str__(self) -> str:
        return f"recipe({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.options)])})"


@dataclass(frozen=True)
class Harm:
    """What a call did to a thing it was lent: the places of hooks left or lost, weights that differ, the mode."""

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
            said.append(f"changed the weights {_few(self.weights)}: work on a copy")
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

    def is_new(self, made: Recipe) -> None:
        """Take what it is like now for what it should be like."""
        self.recipe = made
        if isinstance(self.value, nn.Module):
            self.hooks = _hooks(self.value)
            self.weights = {name: (one, one.detach().clone()) for name, one in _tensors(self.value)}

    def _note_run(self, _module: nn.Module, args: tuple, kwargs: dict) -> None:
        if not self.out:
            return
        given = next((x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)), None)
        self.runs.append(() if given is None else tuple(given.shape))

    def mend(self) -> Harm:
        """See what was done to it, and undo that. What can't be undone makes it forgotten, to be built afresh."""
        if not isinstance(self.value, nn.Module):
            return Harm()
        found = self._look(self.value)
        if found:
            self._undo(self.value)
            if self._look(self.value):
                _shelf.pop(self.recipe, None)
        for _, parameter in _tensors(self.value):
            parameter.grad = None
        return found

    def _look(self, module: nn.Module) -> Harm:
        now, tensors = _hooks(module), dict(_tensors(module))
        places = [place for place in {**self.hooks, **now} if self.hooks.get(place) != now.get(place)]
        changed = [n for n, (one, copy) in self.weights.items() if tensors.get(n) is not one or not _equal(one, copy)]
        return Harm(_as_taught(module, places), tuple(changed), module.training)

    def _undo(self, module: nn.Module) -> None:
        module.eval()
        now = _hooks(module)
        for name, part in module.named_modules():
            wanted, there = self.hooks.get(name, {}), now.get(name, {})
            for kind, number in there.keys() - wanted.keys():
                del getattr(part, kind)[number]
            for kind, number in wanted.keys() - there.keys():
                getattr(part, kind)[number] = wanted[kind, number]
            for kind in ("fwd_hooks", "bwd_hooks"):  # the hook points of TransformerLens keep lists besides
                if isinstance(getattr(part, kind, None), list):
                    setattr(part, kind, [hook for hook in getattr(part, kind) if hook.is_permanent])
        with torch.no_grad():
            for one, copy in self.weights.values():
                one.copy_(copy)


def _hooks(module: nn.Module) -> dict[str, dict[tuple[str, int], object]]:
    """The hooks on every module below this one, by kind and number; those that the libraries need left out."""
    found: dict[str, dict[tuple[str, int], object]] = {}
    for name, part in module.named_modules():
        for kind in HOOKS:
            for number, hook in getattr(part, kind).items():
                own = getattr(hook, "__module__", "") or ""
                if hasattr(part, "fwd_hooks") or not own.startswith("transformer"):
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


def _equal(one: Tensor, copy: Tensor) -> bool:
    if one.shape != copy.shape or one.dtype != copy.dtype:
        return False
    return torch.equal(one, copy) or bool(((one == copy) | (one.isnan() & copy.isnan())).all())


_shelf: dict[Recipe, Thing] = {}  # what this process has built
_spare: dict[tuple, list[Thing]] = {}  # random models of earlier tests by shape: new weights are quicker than a new one


def recipe(name: str, **options: Plain):
    """The thing of this name (see `ingredients`), the same for equal options. Raises ValueError for a wrong recipe."""
    make = ingredients.ALL.get(name)
    if make is None:
        raise ValueError(f"There is no recipe {name!r}; there are {', '.join(ingredients.ALL)}.")
    odd = [key for key, value in options.items() if not isinstance(value, (int, float, str))]
    if odd:
        raise ValueError(f"The option {odd[0]} of {name} must be a number, a truth value or text.")
    try:
        bound = inspect.signature(make).bind(**options)
    except TypeError as error:
        raise ValueError(f"{name} can't be made so ({error}): it takes {inspect.signature(make)}.") from None
    bound.apply_defaults()
    return built(Recipe(name, tuple(sorted(bound.arguments.items()))))


def built(made: Recipe):
    """The object of a recipe, from the shelf if it is there."""
    if made not in _shelf:
        spare, options = _spare.get(_shape(made)), dict[str, Any](made.options)
        if spare:
            thing = spare.pop()
            ingredients.draw_weights(thing.value, options["seed"])
            thing.is_new(made)
        else:
            thing = Thing(made, ingredients.ALL[made.name](**options))
        _shelf[made] = thing
    return _shelf[made].value


def made_of(value):
    """A value with the things themselves in place of their recipes."""
    if isinstance(value, Recipe):
        return built(value)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(made_of(item) for item in value)
    return {key: made_of(item) for key, item in value.items()} if type(value) is dict else value


def _shape(made: Recipe) -> tuple:
    return made.name, *(option for option in made.options if option[0] != "seed")


def begin_test() -> None:
    """Forget what was seeded: nobody has it any more. Random models are kept for their form."""
    for made in [made for made in _shelf if made.name not in LASTING]:
        thing = _shelf.pop(made)
        if made.name == ingredients.RANDOM and not thing.mend():
            _spare.setdefault(_shape(made), []).append(thing)
    for thing in _shelf.values():
        thing.lent = False


def recipe_of(value: object) -> Recipe | None:
    """The recipe by which this very object was made in this process, if it was."""
    return next((made for made, thing in _shelf.items() if thing.value is value), None)


def thing_of(value: object) -> Thing:
    """What is known of an object that `recipe` gave; raises ValueError for any other."""
    made = recipe_of(value)
    if made is None:
        raise ValueError(f"This {type(value).__name__} was not made by a recipe, so nothing is known of it.")
    return _shelf[made]


def harm(value: object) -> Harm:
    """What the last call of the student's code did to a thing of a recipe; false if nothing."""
    return thing_of(value).harm


def runs(value: object) -> list[tuple[int, ...]]:
    """The shapes of the tokens on which a model was run in the last call of the student's code, in order."""
    return list(thing_of(value).runs)


def lend(given: object) -> None:
    """Before a call of a student's code with these arguments: what is theirs from now on, for this test."""
    for thing in _shelf.values():
        thing.lent = thing.out = thing.lent or _holds(given, thing.value)
        thing.harm, thing.runs[:] = Harm(), []


def take_back() -> list[Thing]:
    """After a call: everything lent is whole again; those to which something was done (here, or as `note` said)."""
    lent = [thing for thing in _shelf.values() if thing.lent]
    for thing in lent:
        thing.out, thing.harm = False, thing.mend() or thing.harm
    return [thing for thing in lent if thing.harm]


def _holds(given: object, value: object) -> bool:
    if isinstance(given, dict):
        given = tuple(given.values())
    return given is value or (isinstance(given, (list, tuple)) and any(_holds(item, value) for item in given))


def told() -> list:
    """What is known after a call of everything lent, as data: recipe, hooks, weights, training, runs."""
    lent = [thing for thing in _shelf.values() if thing.lent]
    return [
        [str(t.recipe), list(t.harm.hooks), list(t.harm.weights), t.harm.training, [list(run) for run in t.runs[:1000]]]
        for t in lent
    ]


def note(said: object) -> None:
    """Take over what another process `told` of the things that were lent to it. It is not trusted."""
    lent = {str(thing.recipe): thing for thing in _shelf.values() if thing.lent}
    for row in said if isinstance(said, list) else []:
        match row:
            case [str(which), list(hooks), list(weights), bool(training), list(runs)] if which in lent:
                thing = lent[which]
                thing.harm = Harm(_names(hooks), _names(weights), training)
                thing.runs[:] = [tuple(run) for run in runs if _is_shape(run)]


def _names(said: list) -> tuple[str, ...]:
    return tuple(name[:100] for name in said[:1000] if isinstance(name, str))


def _is_shape(run: object) -> bool:
    return isinstance(run, list) and len(run) < 8 and all(type(size) is int for size in run)
