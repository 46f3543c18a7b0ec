"""Models, dictionaries and callables by recipe: the same thing for equal recipes, whole again after every call.

Through all doors: the function in this process, a process apart, and a jailed child.
"""

import contextlib
import subprocess
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

import saelab.sae
from saelab import checking, content
from saelab.answers import Answer, Piece, define
from saelab.apart import RemoteParts, SeparateProcess, WireError, decode, encode
from saelab.checking import Recipe, begin_test, harm, recipe, recipe_of, runs
from saelab.grade.jail import Limits, keeper

SMALL = {"n_layers": 1, "d_model": 8, "n_heads": 2, "d_vocab": 11}
TOKENS = torch.tensor([[0, 3, 4, 5], [0, 7, 8, 9]])
POINT = "blocks.0.hook_resid_post"


@pytest.fixture(autouse=True)
def another_test():
    begin_test()


def model(seed: int = 0, **options):
    return recipe("model.random", **SMALL | options, seed=seed)


def use(fn, *given, **named):
    """What a student's function returns for these, watched."""
    return checking.watch({"use": fn}, {"use": lambda *args, **kwargs: None}).parts["use"](*given, **named)


# --- recipes --------------------------------------------------------------------------------------------------------


def test_equal_recipes_give_the_same_object_in_whatever_order_and_with_defaults_left_out():
    assert recipe("sae.random", d_in=8, seed=1) is recipe("sae.random", seed=1, d_sae=32)
    assert recipe("sae.random", seed=1) is not recipe("sae.random", seed=2)
    assert model(1) is model(1) and model(1) is not model(2)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("sae.rnd", {}, "There is no recipe 'sae.rnd'; there are model.random, exact.model"),
        ("sae.random", {"width": 3}, "sae.random can't be made so .*unexpected keyword argument 'width'.* it takes"),
        ("sae.random", {"d_in": [3]}, "The option d_in of sae.random must be a number, a truth value or text"),
        ("sae.random", {"seed": torch.tensor(1)}, "The option seed of sae.random must be a number"),
        ("sae.random", {"architecture": "odd"}, "recipe.'sae.random', architecture='odd'.* can't be made: KeyError"),
        ("function.linear", {"d_in": -1}, "recipe.'function.linear'.* can't be made: RuntimeError"),
        ("exact.prompts", {"kind": "odd"}, "recipe.'exact.prompts', kind='odd'.* can't be made: KeyError"),
    ],
)
def test_a_wrong_recipe_is_refused_in_a_sentence(name, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipe(name, **options)


def test_of_what_no_recipe_made_nothing_is_known():
    with pytest.raises(ValueError, match="This Linear was not made by a recipe, so nothing is known of it"):
        harm(torch.nn.Linear(1, 1))
    assert recipe_of(torch.nn.Linear(1, 1)) is None


@pytest.mark.parametrize("architecture", ["standard", "gated", "jumprelu", "topk", "batchtopk"])
def test_the_seed_decides_all_weights(architecture):
    def weights(seed):
        begin_test()
        made = recipe("sae.random", architecture=architecture, seed=seed)
        return [w.clone() for w in (*made.parameters(), *made.buffers()) if w.is_floating_point()]

    assert all(map(torch.equal, weights(1), weights(1)))
    assert not any(map(torch.equal, weights(1), weights(2)))


def test_the_form_of_a_random_model_is_kept_and_the_seed_decides_its_weights_again():
    first, out = model(1), model(1)(TOKENS)
    begin_test()
    other = model(2)
    assert other is first and not torch.allclose(other(TOKENS), out)
    begin_test()
    assert_close(model(1)(TOKENS), out, rtol=0, atol=0)


def test_two_random_models_of_one_shape_live_beside_each_other():
    def outputs():
        begin_test()
        one, two = model(1), model(2)
        assert one is not two
        return one(TOKENS), two(TOKENS)

    for one, again in zip(outputs(), outputs()):
        assert_close(one, again, rtol=0, atol=0)


def test_what_is_seeded_is_forgotten_and_what_is_published_is_kept():
    made, exact = recipe("function.linear", seed=1), recipe("exact.model")
    begin_test()
    assert recipe("function.linear", seed=1) is not made and recipe("exact.model") is exact


@pytest.mark.parametrize("name", ["model.random", "sae.random", "function.linear", "exact.prompts"])
def test_making_a_thing_leaves_the_random_numbers_of_torch_alone(name):
    before = torch.get_rng_state()
    recipe(name, **({"d_model": 4, "n_layers": 1} if name == "model.random" else {}), seed=77)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_recipe_is_written_as_it_is_called_also_in_lists():
    made = recipe("function.linear", seed=123456789)
    call = checking.Call("f", None, *map(checking.watched.snapshot, (([made],), {"by": model(987654321)})))
    assert str(call).startswith("f([recipe('function.linear', seed=123456789)], by=recipe('model.ra")
    assert "seed=987654321" in str(call)


# --- harm -----------------------------------------------------------------------------------------------------------


def zero(x, hook):
    return x * 0


def fails(model):
    model.add_hook(POINT, zero)
    raise KeyError("no")


HARM = {
    "add_hook": (lambda m: m.add_hook(POINT, zero), f"left hooks behind, or took some away, at `{POINT}`"),
    "backward": (lambda m: m.add_hook(POINT, zero, dir="bwd"), f"at `{POINT}`"),
    "another name": (lambda m: m.add_hook("blocks.0.attn.hook_z", zero), "at `blocks.0.attn.hook_z`"),
    "permanent": (lambda m: m.hook_dict[POINT].add_hook(zero, is_permanent=True), f"at `{POINT}`"),
    "torch's": (lambda m: m.blocks[0].register_forward_hook(lambda *_: None), "at `blocks.0`"),
    "inside": (lambda m: m.original_model.lm_head.register_forward_hook(lambda *_: None), "at `unembed`"),
    "removed": (lambda m: m.original_model._forward_pre_hooks.clear(), "at `original_model`"),
    "in place": (lambda m: m.unembed.weight.mul_(2), "weight`: work on a copy"),
    "data": (lambda m: m.unembed.weight.data.zero_(), "weight`: work on a copy"),
    "another shape": (lambda m: setattr(m.unembed.weight, "data", torch.zeros(3)), "weight`: work on a copy"),
    "replaced": (
        lambda m: setattr(m.original_model.lm_head, "weight", torch.nn.Parameter(torch.zeros(11, 8))),
        "weight`: work on a copy",
    ),
    "float64": (lambda m: m.double(), "more: work on a copy"),
    "a method": (lambda m: setattr(m.blocks[0], "forward", None), ".forward`: work on a copy"),
    "training": (lambda m: m.train(), "left it in training mode"),
    "training inside": (lambda m: m.blocks[0].train(), "left it in training mode"),
    "both": (lambda m: (m.train(), m.add_hook(POINT, zero)), "something fails; and left it in training mode"),
}


@pytest.mark.parametrize("what", HARM)
def test_harm_is_told_by_name_and_mended(what):
    do, sentence = HARM[what]
    given = model(1)
    expected = given(TOKENS).clone()
    with pytest.raises(checking.Complaint) as caught:
        use(torch.no_grad()(do), given)
    assert sentence in str(caught.value) and sentence in str(harm(given))
    assert str(caught.value).endswith(f"(It was given {recipe_of(given)}.)")
    assert model(1) is given
    assert_close(use(lambda m: m(TOKENS), given), expected, rtol=0, atol=0)
    assert not harm(given) and runs(given) == [(2, 4)]


def test_harm_is_noted_and_mended_on_an_exception_too():
    given = model(1)
    with pytest.raises(KeyError, match="no"):
        use(fails, given)
    assert harm(given).hooks == (POINT,)
    use(lambda m: m(TOKENS), given)
    assert not harm(given)


def test_a_hook_of_the_models_owner_counts_and_its_loss_is_told_every_time():
    given = model(1, steered=True)
    expected = given(TOKENS).clone()
    assert not torch.allclose(expected, model(1)(TOKENS))
    for _ in range(2):
        with pytest.raises(checking.Complaint, match=f"took some away, at `{POINT}`"):
            use(lambda m: m.reset_hooks(), given)
        assert_close(use(lambda m: m(TOKENS), given), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "do", "words"),
    [
        ("sae.random", lambda d: d.W_dec.mul_(2), "changed `W_dec`"),
        ("sae.random", lambda d: d.register_forward_hook(lambda *_: None), "at ``"),
        ("sae.random", lambda d: setattr(d, "encode", abs), "changed `encode`"),
        ("sae.random", lambda d: d.register_buffer("extra", torch.ones(1)), "changed `extra`"),
        ("function.linear", lambda f: f.b.add_(1), "changed `b`"),
        ("function.linear", lambda f: delattr(f, "b"), "changed `b`"),
        ("function.linear", lambda f: f.train(), "training mode"),
    ],
)
def test_of_dictionaries_and_functions_harm_is_told_and_mended_too(name, do, words):
    given, x = recipe(name, seed=1), torch.ones(2, 8)
    expected = [w.clone() for w in given.parameters()]
    with pytest.raises(checking.Complaint) as caught:
        use(do, given)
    assert words in str(caught.value), str(caught.value)
    use(lambda d: d(x), given)
    assert not harm(given) and all(map(torch.equal, given.parameters(), expected))


def test_what_a_dictionary_encodes_is_noted_call_by_call():
    given, x = recipe("sae.random", architecture="batchtopk", seed=1), torch.ones(2, 3, 8)
    use(lambda d, x: (d.encode(x), d(x[0]), d.decode(d.encode(x))), given, x)
    assert runs(given) == [(2, 3, 8), (3, 8), (2, 3, 8)] and not harm(given)
    assert type(given).__name__ == "BatchTopKSAE" and isinstance(given, saelab.sae.BatchTopKSAE)


def test_gradients_and_settings_are_put_back_without_a_word():
    def unfreeze(model):
        model.requires_grad_(True)
        model.cfg.use_attn_result = True
        model(TOKENS).sum().backward()
        assert model.unembed.weight.grad is not None

    given = model(1)
    use(unfreeze, given)
    assert not harm(given) and not given.cfg.use_attn_result
    assert all(p.grad is None and not p.requires_grad for p in given.parameters())


def with_context(m):
    with m.hooks(fwd_hooks=[(POINT, zero)]):
        m(TOKENS)


def backwards(m):
    leaf = torch.ones(2, 4, 8, requires_grad=True)
    m.run_with_hooks(TOKENS, fwd_hooks=[(POINT, lambda x, hook: leaf)]).sum().backward()
    assert leaf.grad is not None


def failing_inside(m):
    with contextlib.suppress(ZeroDivisionError):
        m.run_with_hooks(TOKENS, fwd_hooks=[(POINT, lambda x, hook: 1 / 0)])


def on_a_copy(m):
    import copy

    copied = copy.deepcopy(m)
    copied.unembed.weight.data.zero_()
    copied(TOKENS)


CLEAN = {
    "forward": lambda m: m(TOKENS),
    "loss": lambda m: m(TOKENS, return_type="loss"),
    "cache": lambda m: m.run_with_cache(TOKENS),
    "some of the cache": lambda m: m.run_with_cache(TOKENS, names_filter=POINT, stop_at_layer=1),
    "hooks": lambda m: m.run_with_hooks(TOKENS, fwd_hooks=[(POINT, zero)], bwd_hooks=[(POINT, lambda g, hook: None)]),
    "context": with_context,
    "backward": backwards,
    "an exception": failing_inside,
    "the model inside": lambda m: m.original_model(TOKENS),
    "a copy": on_a_copy,
}


@pytest.mark.parametrize("name", ["model.random", "exact.model"])
@pytest.mark.parametrize("how", CLEAN)
def test_a_clean_use_is_never_called_harm_and_its_run_is_noted(how, name):
    given = model(1) if name == "model.random" else recipe(name)
    if name == "exact.model" and how == "backward":
        pytest.skip("its width is another")
    use(CLEAN[how], given)
    assert not harm(given) and runs(given) == [(2, 4)]
    use(lambda m: m.hook_dict[POINT], given)
    assert not harm(given) and runs(given) == []


@pytest.mark.parametrize("name", ["sae.random", "function.linear"])
def test_a_clean_use_of_a_dictionary_or_function_is_no_harm(name):
    given, x = recipe(name, seed=1), torch.ones(3, 8, requires_grad=True)
    use(lambda d, x: d(x).sum().backward(), given, x)
    assert not harm(given) and runs(given) == [(3, 8)] and x.grad is not None


def test_runs_are_told_in_order_and_only_those_of_the_last_call():
    given = model(1)
    use(lambda m: [m(TOKENS[:1]), m(TOKENS[:, :2])], given)
    given(TOKENS)  # the check's own
    assert runs(given) == [(1, 4), (2, 2)]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (lambda m: ([m],), {}),
        (lambda m: ((1, (m, m)),), {}),
        (lambda m: ({"a": {"b": [m]}},), {}),
        (lambda m: (), {"by_name": True}),
        (lambda m: (m, m), {}),
    ],
    ids=["list", "tuple", "dictionary", "by name", "twice"],
)
def test_a_thing_is_found_wherever_it_stands_among_the_arguments(given, named):
    thing = recipe("function.linear", seed=1)
    with pytest.raises(checking.Complaint, match="training mode"):
        use(lambda *a, **k: thing.train(), *given(thing), **({"m": thing} if named else {}))
    assert harm(thing).training and not thing.training


def test_a_class_that_keeps_a_model_is_watched_in_its_later_methods():
    class Keeps:
        def __init__(self, model):
            self.model = model

        def go(self):
            self.model.add_hook(POINT, zero)

    given = model(1)
    watched = checking.watch({"Keeps": Keeps}, {"Keeps": Keeps})
    kept = watched.parts["Keeps"](given)
    with pytest.raises(checking.Complaint, match=f"`Keeps.go` left hooks behind, .* at `{POINT}`"):
        kept.go()
    watched.begin_test()
    assert not any(thing.lent for thing in checking.recipes._shelf.values())


def test_a_function_may_return_the_model_itself():
    given = model(1)
    assert use(lambda m: m, given) is given
    assert use(lambda m: {"model": m}, given)["model"] is given


# --- through the doors ----------------------------------------------------------------------------------------------

CODE = """
import torch

def use(thing, x, how="clean"):
    if isinstance(thing, (list, tuple, dict)):
        thing = thing[0] if not isinstance(thing, dict) else thing["a"]
    if how == "hook":
        thing.register_forward_hook(lambda *_: None)
    if how == "weights":
        with torch.no_grad():
            thing.W_dec.data = thing.W_dec.data[:1]
    if how == "training":
        thing.train()
    if how == "error":
        thing.train()
        raise LookupError("no")
    if how == "itself":
        return thing
    return thing(x)

class Keeps:
    def __init__(self, thing):
        self.thing = thing
    def go(self, x):
        self.thing.train()
        return self.thing(x)
"""


@pytest.fixture(scope="module")
def peers():
    """One process apart and one jailed child for all tests here; the jail is started as grade/test_jail.py does."""
    start, light = subprocess.Popen, "warm.warm_up = lambda *_: warm.importlib.import_module('saelab.apart.worker')"

    def lightly(command, **options):
        code = f"from saelab.grade.jail import warm\n{light}\nwarm.main({command[-1]})"
        return start([*command[:-3], "-c", code], **options)

    with contextlib.ExitStack() as stack:
        apart = stack.enter_context(contextlib.closing(SeparateProcess()))
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(keeper.subprocess, "Popen", lightly)
            warm = stack.enter_context(contextlib.closing(keeper.Warm([], False, [], Limits())))
        yield {"apart": apart, "jail": warm.child(60)}


@pytest.fixture(params=["here", "apart", "jail"])
def door(request, peers):
    """The parts of CODE behind each door, watched."""
    pieces, names = [Piece("cell 1", CODE)], ["use", "Keeps"]
    parts = define(pieces, names)
    spec = dict(parts)
    if request.param != "here":
        parts = RemoteParts(Answer(SimpleNamespace(parts=names), pieces), peers[request.param])
        parts.reseed(5)
    return checking.watch(parts, spec)


X = torch.ones(3, 8)


def test_behind_every_door_stands_the_same_thing(door):
    given = recipe("sae.random", seed=4)
    for wrapped in (given, [given], (given, 1), {"a": given}):
        assert_close(door.parts["use"](wrapped, X), given(X))
    assert_close(door.parts["use"](x=X, thing=given), given(X))
    assert runs(given) == [(3, 8)] and not harm(given)


@pytest.mark.parametrize(("how", "words"), [("hook", "hooks"), ("weights", "`W_dec`"), ("training", "training mode")])
def test_behind_every_door_harm_is_told_and_mended(door, how, words):
    given = recipe("sae.random", seed=4)
    with pytest.raises(checking.Complaint if how != "weights" else Exception):
        door.parts["use"](given, X, how)
    assert words in str(harm(given))
    assert_close(door.parts["use"](given, X), given(X))
    assert not harm(given)


def test_behind_every_door_harm_is_noted_on_an_exception(door):
    given = recipe("sae.random", seed=4)
    with pytest.raises(LookupError, match="no"):
        door.parts["use"](given, X, "error")
    assert harm(given).training


def test_behind_every_door_an_object_keeps_its_thing(door):
    given = recipe("sae.random", seed=4)
    kept = door.parts["Keeps"](given)
    with pytest.raises(checking.Complaint, match="`Keeps.go` left it in training mode"):
        kept.go(X)


def test_only_name_and_options_go_over_the_wire_and_no_recipe_comes_back():
    given = recipe("sae.random", seed=4)
    message = encode({"args": ([given], {"a": given})}, recipes=True)
    options = b'{"architecture": "standard", "d_in": 8, "d_sae": 32, "k": 4, "seed": 4, "trainable": false}'
    made = b'{"r": "sae.random", "o": ' + options + b"}"
    assert message.count(made) == 2 and len(message) < 2 * len(made) + 100
    assert decode(message, recipes=True) == {"args": ([recipe_of(given)], {"a": recipe_of(given)})}
    with pytest.raises(WireError, match="a recipe, where none may come"):
        decode(message)
    with pytest.raises(WireError, match="a StandardSAE, which is not data"):
        encode(given)


def test_a_child_that_answers_with_a_recipe_is_refused(peers):
    forged = f"{CODE}\nimport saelab.apart.worker as w\nold = w.encode\n"
    forged += "def use(*_):\n    w.encode = lambda value, recipes=False: old(value, True)\n    return _[0]\n"
    parts = RemoteParts(Answer(SimpleNamespace(parts=["use"]), [Piece("cell 1", forged)]), peers["jail"])
    with pytest.raises(checking.Gone, match="a recipe, where none may come") as gone:
        use(parts["use"], recipe("sae.random", seed=4))
    assert gone.value.kind == "malformed"


@pytest.mark.parametrize(
    "said",
    [None, 3, "x", {"a": 1}, [1], [[]], [["nobody", ["h"], [], True, []]], ["12345"], [["{}", "h", [], True, []]],
     [["{}", [], [], 1, []]]],
)  # fmt: skip
def test_nonsense_that_a_child_tells_of_harm_is_passed_over(said):
    given = recipe("sae.random", seed=4)
    checking.lend(given)
    if isinstance(said, list) and said and isinstance(said[0], list) and said[0]:
        said[0][0] = said[0][0].format(recipe_of(given))
    checking.note(said)
    assert not harm(given) and runs(given) == []


def test_of_huge_lists_a_child_tells_only_so_much_is_kept():
    given, other = recipe("sae.random", seed=4), recipe("sae.random", seed=5)
    checking.lend(given)
    row = ["h" * 10**6] * 5000 + [3, None]
    checking.note(
        [[made.key, row, [1], False, [[2, 3], ["x"], [1] * 99, 7]] for made in map(recipe_of, (given, other))]
    )
    assert len(harm(given).hooks) == 1000 and len(harm(given).hooks[0]) == 100 and len(str(harm(given))) < 1000
    assert harm(given).weights == () and runs(given) == [(2, 3)]
    assert not harm(other), "it was not lent"


# --- diagnosis ------------------------------------------------------------------------------------------------------

CELL = '''

# %% exercise="tidy" points=1 minutes=5
def tidy(linear, x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch out"]:
    """What a function gives."""
    # BEGIN SOLUTION
    return linear(x)
    # END SOLUTION


# %%
check(tidy)

# %% [markdown] hint=1
# Call it.


# %% misconception="tidy"
def leaves_a_hook(linear, x):
    "You left a hook behind."
    linear.register_forward_hook(lambda *_: None)
    return linear(x)


# %% misconception="tidy"
def trains(linear, x):
    "You left it in training mode."
    return linear.train()(x)
'''
CHECK = '''"""Tidy?"""
from saelab.testing import harm, recipe
from torch.testing import assert_close

def test_one(tidy, rng):
    """Look."""
    linear, x = recipe("function.linear", seed=rng.integer(0, 1000)), rng.normal(2, 8)
    assert_close(tidy(linear, x), linear(x))

def test_two(tidy, rng):
    """Look."""
    linear, x = recipe("function.linear", seed=rng.integer(0, 1000)), rng.normal(3, 8)
    assert_close(tidy(linear, x), linear(x))
    assert not harm(linear), str(harm(linear))
'''


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("linear.register_forward_hook(print and (lambda *_: None)); return linear(x)", "leaves_a_hook"),
        ("linear.train(); return linear.forward(x)", "trains"),
        ("linear.train(); return linear(x) + 1e-2", None),
        ("linear.b.add_(1); return linear(x)", None),
        ("linear.register_forward_pre_hook(lambda *_: None); linear.train(); return linear(x)", None),
    ],
)
def test_a_misconception_that_differs_by_what_it_leaves_behind_is_named(line, named, small_course):
    path = small_course / "chapters/small/01_small.py"
    path.write_text(path.read_text() + CELL)
    (small_course / "tests/small/test_tidy.py").write_text(CHECK)
    namespace: dict = {}
    exec(f"def tidy(linear, x):\n    {line}", namespace)
    report = checking.run(content.find("tidy"), {"tidy": namespace["tidy"]})
    assert report.status == "failed" and report.misconception == named, str(report)
    assert checking.run(content.find("tidy"), content.reference_parts(content.find("tidy"))).passed


def test_two_recipes_that_are_returned_are_the_same_only_if_they_are_equal():
    one, two = Recipe("sae.random", (("seed", 1),)), Recipe("sae.random", (("seed", 2),))
    assert checking.watched.same([one], [Recipe("sae.random", (("seed", 1),))])
    assert not checking.watched.same([one], [two])
