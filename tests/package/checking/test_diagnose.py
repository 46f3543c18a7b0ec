"""When a misconception is named, and when not: never for a wrong answer that none of them describes."""

import pytest
import torch

from saelab import checking, content
from saelab.checking import evidence
from saelab.checking.watched import Call

HEAD = "import torch\nfrom saelab.testing import gradients\nfrom torch.testing import assert_close\n"
BASIC = """
def test_three(double, rng):
    assert_close(double(torch.full((1, 1), 3.0)), torch.full((1, 1), 6.0))
def test_agrees_with_the_reference(double, reference, rng):
    x = rng.normal(3, 4)
    assert_close(double(x), reference(x))
"""


def named(course, answer: str, misconception: str, check: str = BASIC, name: str = "double") -> str | None:
    """What is named for this answer, where this is one more misconception of the exercise."""
    path = course / "chapters/small/01_small.py"
    body = misconception.replace("\n", "\n    ")
    cell = f'\n\n# %% misconception="{name}"\ndef added(x):\n    "Told."\n    {body}\n' if body else ""
    path.write_text(path.read_text() + cell)
    (course / f"tests/small/test_{name}.py").write_text(HEAD + check)
    namespace = {"torch": torch, "Tensor": torch.Tensor}
    exec(f"def {name}(x):\n    " + answer.replace("\n", "\n    "), namespace)
    report = checking.run(content.find(name), {name: namespace[name]})
    assert report.status == "failed", str(report)
    return report.misconception


CASES = {
    "the same values by another way": ("return x.pow(2)", "", BASIC, "squares"),
    "nearly the same values": ("return x * x + 0.01", "", BASIC, None),
    "the same at one call only": ("return x * x if len(x) == 1 else x * x * x", "", BASIC, None),
    "rounding": ("return x * x * (1 + 1e-7)", "", BASIC, "squares"),
    "the same shape": ("return (x + x)[0]", "return (x + x)[0] + 0", BASIC, "added"),
    "another shape": ("return (x + x)[:, 0]", "return (x + x)[0]", BASIC, None),
    "the same dtype": ("return 2 * x.double()", "return (x + x).double()", BASIC, "added"),
    "nothing returned": ("x + x", "x * 2", BASIC, "added"),
    "the same exception": ("return x.T @ x @ None", "return x @ None", BASIC, "added"),
    "another exception": ("raise KeyError", "raise ValueError", BASIC, None),
    "the same change": ("x += x\nreturn x", "return x.mul_(2)", BASIC, "added"),
    "another change": ("x.zero_()\nreturn x + 1", "x.zero_()\nreturn x + 2", BASIC, None),
    "NaN where much is alike": ("return x * x if len(x) > 1 else x * float('nan')", "", BASIC, "squares"),
    "NaN where little is alike": ("return x * x if len(x) == 1 else x * float('nan')", "", BASIC, None),
    "NaN everywhere": ("return x * float('nan')", "", BASIC, None),
    "NaN and alike only where all are right": (
        "return x + x if len(x) == 1 else x * float('nan')", "return x + x if len(x) == 1 else x", BASIC, None,
    ),
}  # fmt: skip
GRADIENT = "def test_it(double):\n    assert_close(gradients(double, torch.ones(2, 1))[0], torch.full((2, 1), 2.0))\n"
CASES |= {
    "the same gradient": ("return 3 * x - x.detach()", "return x + x + (x - x.detach())", GRADIENT, "added"),
    "another gradient": ("return 5 * x - 3 * x.detach()", "return x + x + (x - x.detach())", GRADIENT, None),
    "no gradient": ("return (2 * x).detach()", "", GRADIENT, "loses_the_gradient"),
    "a gradient that breaks": (
        "y = x + x\ny.register_hook(lambda g: 1 / 0) if y.requires_grad else 0\nreturn y", "return 3 * x", GRADIENT,
        None,
    ),
}  # fmt: skip
DICT = "def test_it(double):\n    assert_close(double({'a': torch.ones(2), 'b': torch.ones(3)})['a'], torch.zeros(2))\n"
NAMES = "def test_it(double):\n    x = torch.ones(1, 2)\n    assert_close(double(x=x), x + x)\n"
RANDOM = """
def test_low(double):
    assert double(torch.ones(1, 50)).min() >= 0, 'low'
def test_high(double):
    assert double(torch.ones(1, 50)).max() <= 1, 'high'
"""
CASES |= {
    "dictionaries": ("return {k: v * 2 for k, v in x.items()}", "return {k: v + v for k, v in x.items()}", DICT, None),
    "an argument by name": ("return x.mul_(2)", "x += x\nreturn x", NAMES, "added"),
    "a wrong shape by name": ("return (x + x)[0]", "return (2 * x)[0]", NAMES, "added"),
    "another argument by name": ("return (x + x)[0] + 1", "return (2 * x)[0]", NAMES, None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_misconception_is_named_where_every_outcome_is_its(case, small_course):
    answer, misconception, check, expected = CASES[case]
    if case == "dictionaries":  # without an annotation, so that a dictionary may be returned
        path = small_course / "chapters/small/01_small.py"
        annotated = 'x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:\n    """Twice'
        path.write_text(path.read_text().replace(annotated, 'x):\n    """Twice'))
        expected = "added"
    assert named(small_course, answer, misconception, check) == expected


def test_wrong_words_tell_as_whole_numbers_do():
    def told(*pairs):
        calls = [[Call("name", None, (), {}, word, after=[]) for word in pair] for pair in pairs]
        return evidence.bits(calls, {})

    assert told(("ill", "ill")) == 0
    assert 0 < told(("ill", "well"), ("ill", "well")) < evidence.ENOUGH
    assert told(("ill", "well"), ("well", "ill"), ("ill", "dead"), ("dead", "ill")) >= evidence.ENOUGH


def test_wrong_words_in_lists_and_dictionaries_tell_as_much():
    def told(mine, right):
        return evidence.bits(
            [(Call("name", None, (), {}, mine, after=[]), Call("name", None, (), {}, right, after=[]))], {}
        )

    right = {"context": ["a|b|", "b|c|", "c|d|", "d|e|"], "position": [0, 1, 2, 3]}
    wrong = {"context": ["|b|", "b|c", "cd|", "d|e|f"], "position": [0, 1, 2, 3]}
    assert told(right, right) == 0 and told(wrong, right) >= evidence.ENOUGH
    assert 0 < told({**right, "context": ["|b|", *right["context"][1:]]}, right) < evidence.ENOUGH


def test_a_wrong_signature_is_no_misconception(small_course):
    (small_course / "tests/small/test_double.py").write_text(HEAD + BASIC)
    report = checking.run(content.find("double"), {"double": lambda x, y: x * x})
    assert report.status == "failed" and report.misconception is None


def scale(code: str):
    namespace = dict(content.reference_parts(content.find("Scale")), torch=torch)
    exec(code, namespace)
    return checking.run(content.find("Scale"), {"Scale": namespace["Mine"]})


def test_of_objects_all_calls_count(small_course):
    adds = "class Mine(Scale):\n    def forward(self, x):\n        self.calls += 1\n        return self.weight + x\n"
    assert scale(adds).misconception == "Adds"
    other = adds.replace("+ x", "- x")
    assert scale(other).status == "failed" and scale(other).misconception is None


def test_where_random_numbers_are_drawn_it_must_fail_just_the_same_tests(small_course):
    noise = "class Mine(Scale):\n    def noise(self, size):\n        return torch.rand(size) * 2 - 1\n"
    report = scale(noise)
    assert report.misconception == "SignedNoise" and not report.certain
    both = noise + "    def forward(self, x):\n        return x * self.weight\n"  # does not count its calls either
    assert scale(both).status == "failed" and scale(both).misconception is None


@pytest.mark.parametrize(
    ("one", "two", "alike"),
    [
        (float("inf"), float("inf"), True),
        (float("nan"), float("nan"), True),
        (1.0, float("inf"), False),
        (1.0, 1.00001, True),
        (1e-9, -1e-9, True),
        (1.0, 1.01, False),
        (1.0, None, False),
        ({"a": torch.ones(2)}, {"a": torch.ones(2)}, True),
        ({"a": torch.ones(2)}, {"a": torch.zeros(2)}, False),
        ({"a": 1}, {"b": 1}, False),
        ([torch.ones(2)], (torch.ones(2),), True),
        (torch.ones(2), torch.ones(2, 1), False),
        (torch.ones(2), [1.0, 1.0], False),
        (True, 1, False),
        ("a", "a", True),
    ],
)
def test_when_two_outcomes_are_the_same(one, two, alike):
    assert checking.watched.same(one, two) is alike and checking.watched.same(two, one) is alike


def test_where_a_float_is_asked_for_a_misconception_is_told_back_from_a_tensor_and_from_a_number():
    exercise = content.find("training/l1_from_deviation")
    for variant in exercise.misconceptions:
        wrong = content.variant_parts(exercise, variant)[exercise.name]
        for kind in (float, torch.as_tensor):
            parts = {exercise.name: lambda acts, mask, unit, fn=wrong, kind=kind: kind(fn(acts, mask, unit))}
            assert checking.run(exercise, parts).misconception == variant.name


def test_misconceptions_of_a_class_are_told_back_the_random_ones_too(small_course):
    exercise = content.find("Scale")
    for variant in exercise.misconceptions:
        report = checking.run(exercise, content.variant_parts(exercise, variant))
        assert report.misconception == variant.name, str(report)
