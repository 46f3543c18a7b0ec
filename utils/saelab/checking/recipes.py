"""Models, dictionaries, text and callables for checks, by a name and plain numbers.

    model = recipe("model.random", n_layers=2, seed=3)   # in a check; the student's function gets the same real object

Where a student's code runs in another process, the recipe travels and the object is built again there: never the
object, and never code. Equal recipes are built once; what is small and seeded is forgotten when the next test begins.

After each call everything that was handed out is looked at (see `things`): what was done to it is told by name (`harm`)
and mended before the next call; `runs` tells on what a model was run meanwhile, and what a dictionary encoded. Both are
what the process says in which the student's code runs: a cheat there can lie about it, but gets no value right by that.
"""

import inspect
from typing import Any

import torch

from . import ingredients
from .things import Harm, Plain, Recipe, Thing

LASTING = ("pocket.model", "pocket.dictionary", "pocket.transcoder", "exact.model")  # for as long as the process

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
    made = Recipe(name, tuple(sorted(bound.arguments.items())), tuple(sorted(options.items())))
    try:
        return built(made)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{made} can't be made: {type(error).__name__}: {error}") from error


def built(made: Recipe):
    """The object of a recipe, from the shelf if it is there. Torch's own random numbers stay where they are."""
    if made not in _shelf:
        spare, options = _spare.get(_shape(made)), dict[str, Any](made.options)
        if spare:
            thing = spare.pop()
            ingredients.draw_weights(thing.value, options["seed"])
            thing.is_new(made)
        else:
            with torch.random.fork_rng(devices=[]):
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
    """The shapes of the tokens on which a model was run, of what a dictionary encoded, in the student's last call."""
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
        if thing.out:
            thing.out, thing.harm = False, thing.mend()
    return [thing for thing in lent if thing.harm]


def _holds(given: object, value: object) -> bool:
    if isinstance(given, dict):
        given = tuple(given.values())
    return given is value or (isinstance(given, (list, tuple)) and any(_holds(item, value) for item in given))


def are_out() -> bool:
    """Is anything lent to the call that is being made?"""
    return any(thing.out for thing in _shelf.values())


def told() -> list:
    """What is known after a call of everything lent, as data: recipe, hooks, weights, training, runs."""
    lent = [thing for thing in _shelf.values() if thing.lent]
    return [
        [t.recipe.key, list(t.harm.hooks), list(t.harm.weights), t.harm.training, [list(run) for run in t.runs[:1000]]]
        for t in lent
    ]


def note(said: object) -> None:
    """Take over what another process `told` of the things that were lent to it, and not here. It is not trusted."""
    lent = {thing.recipe.key: thing for thing in _shelf.values() if thing.lent}
    for row in said if isinstance(said, list) else []:
        match row:
            case [str(which), list(hooks), list(weights), bool(training), list(runs)] if which in lent:
                thing = lent[which]
                thing.out = False
                thing.harm = Harm(_names(hooks), _names(weights), training)
                thing.runs[:] = [tuple(run) for run in runs if _is_shape(run)]


def _names(said: list) -> tuple[str, ...]:
    return tuple(name[:100] for name in said[:1000] if isinstance(name, str))


def _is_shape(run: object) -> bool:
    return isinstance(run, list) and len(run) < 8 and all(type(size) is int for size in run)
