"""The words of a failure: what was called, what was expected, what came, and where it is a student's own line."""

import inspect
import types

import pytest
import torch
from torch.testing import assert_close

from saelab import checking, content

HEAD = "import torch\nfrom torch.testing import assert_close\n\ndef test_it(double):\n    '''Add.'''\n"


def said(actual, expected, **how) -> str:
    """What a student reads where a check compares these."""

    def test_it():
        "Look here."

    module = types.ModuleType("check")
    module.assert_close = assert_close
    checking.give_ours(module)
    with pytest.raises(AssertionError) as caught:
        module.assert_close(actual, expected, **how)
    outcome, message = checking.in_words(caught.value, test_it, [])
    assert outcome == "failed" and message.endswith("Look at: Look here.")
    return message.removesuffix("\nLook at: Look here.")


LONG = torch.arange(20.0)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (torch.tensor([1.0, 2]), torch.tensor([1.0, 3]), "Expected  tensor([1., 3.])\nGot       tensor([1., 2.])"),
        (LONG + (LONG == 7), LONG, "Expected  7 at [7]\nGot       8; 1 of 20 entries differ"),
        (LONG.view(4, 5) + (LONG.view(4, 5) > 17), LONG.view(4, 5), "Expected  18 at [3, 3]\nGot       19; 2 of 20"),
        (torch.ones(2), torch.ones(2, 1), "Expected  shape (2, 1)\nGot       shape (2,)"),
        (torch.ones(2), torch.ones(2).double(), "Expected  dtype torch.float64\nGot       dtype torch.float32"),
        (torch.tensor([float("nan"), 1]), torch.ones(2), "Got       tensor([nan, 1.])\n1 of 2 entries are NaN or inf"),
        (2.0, 3.0, "Expected  3\nGot       2"),
        (1.0, 1.0000004, "Expected  1.0000004\nGot       1.0"),
        ([1.0, 2.0], [1.0, 3.0], "In value 2 of 2:\nExpected  3\nGot       2"),
        ((1.0, (2.0, LONG + 1)), (1.0, (2.0, LONG)), "In value 2 of 2:\nIn value 2 of 2:\nExpected  0 at [0]\nGot"),
        ([1.0, 1.0 + 1e-5], [1.0, 1.0], "In value 2 of 2:\nExpected  1\nGot       1.00001"),
        ([1.0] * 3, [1.0] * 40, "Expected  40 values\nGot       3 values"),
        (torch.nn.Parameter(torch.ones(1)), torch.zeros(1), "Expected  tensor([0.])\nGot       "),
    ],
)
def test_a_difference_is_told_by_value_or_place(actual, expected, words):
    assert words in said(actual, expected), said(actual, expected)


def test_the_place_that_is_told_is_one_that_differs_not_one_where_both_are_infinite():
    actual, expected = LONG.clone(), LONG.clone()
    actual[3] = expected[3] = float("inf")
    actual[9] = 0
    assert "Expected  9 at [9]\nGot       0; 1 of 20" in said(actual, expected)


def test_the_checks_own_words_stand_before_the_values():
    assert said(2.0, 3.0, msg="At the first step.") == "At the first step.\nExpected  3\nGot       2"


# --- compare --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "expected", "how"),
    [
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), {}),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), {"equal_nan": True}),
        (torch.tensor([1.0]), torch.tensor([1.01]), {}),
        (torch.tensor([1.0]), torch.tensor([1.01]), {"rtol": 0.1, "atol": 0}),
        (torch.tensor([1.0]), torch.tensor([1.01]), {"msg": "my own words"}),
        (torch.tensor([1.0]), torch.tensor([1.01]), {"msg": lambda given: f"my own words; {given}"}),
        (torch.tensor([1]), torch.tensor([1.0]), {"check_dtype": False}),
        (torch.tensor([1]), torch.tensor([1.0]), {}),
        ([1.0, 2.0], (1.0, 2.0), {}),
        ({"a": torch.ones(2)}, {"a": torch.zeros(2)}, {}),
    ],
)
def test_torchs_own_decides_and_its_words_are_kept(actual, expected, how):
    def outcome(compare) -> str:
        try:
            compare(actual, expected, **how)
        except AssertionError as error:
            return str(error)
        return "they agree"

    module = types.ModuleType("check")
    module.assert_close, module.close, module.other = assert_close, assert_close, torch.allclose
    checking.give_ours(module)
    assert module.assert_close is not assert_close and module.close is module.assert_close
    assert module.other is torch.allclose
    assert outcome(module.assert_close) == outcome(assert_close)


# --- whose line, whose mistake --------------------------------------------------------------------------------------


def message(code: str, check: str, course, at: str | None = None) -> str:
    """The whole report on `double`, defined by this code in this file, under this one check."""
    (course / "tests/small/test_double.py").write_text(check if "def test" in check else HEAD + check)
    namespace = {"torch": torch}
    exec(compile(code, at, "exec") if at else code, namespace)
    return str(checking.run(content.find("double"), {"double": namespace["double"]}))


CALLS = "    double(torch.ones(2, 3))\n"


@pytest.mark.parametrize("folder", ["mine", "saelab", "saelab/checking"])
def test_an_exception_is_told_with_the_students_own_line(folder, small_course, tmp_path):
    file = tmp_path / folder / "answer.py"
    file.parent.mkdir(parents=True)
    code = "def double(x):\n    y = x.view(7)\n    return y\n"
    file.write_text(code)
    words = message(code, CALLS, small_course, str(file))
    assert "Called    double(tensor([[1., 1., 1.], [1., 1., 1.]]))" in words, words
    assert "It raised RuntimeError: shape '[7]' is invalid for input of size 6" in words
    assert "in line 2 of double: y = x.view(7)" in words


@pytest.mark.parametrize(
    "line", ["torch.nn.functional.linear(x, 3)", "torch.nn.Linear(1, 1)(x)", "__import__('json').loads('{')"]
)
def test_a_line_of_torch_or_of_python_is_not_theirs(line, small_course, tmp_path):
    file = tmp_path / "answer.py"
    file.write_text(f"def double(x):\n    return {line}\n")
    words = message(file.read_text(), CALLS, small_course, str(file))
    assert f"in line 2 of double: return {line}" in words, words


def test_where_there_is_no_line_of_theirs_none_is_told(small_course):
    words = message("from functools import partial\ndouble = partial(torch.mul, other='a')", CALLS, small_course)
    assert "It raised " in words and "in line" not in words, words


def test_leaving_python_is_told_as_what_was_raised(small_course):
    words = message("def double(x):\n    raise SystemExit(3)", CALLS, small_course)
    assert "It raised SystemExit: 3" in words, words


def test_only_what_the_starter_raises_is_called_not_written_yet(small_course):
    words = message("def double(x):\n    raise NotImplementedError('double')", CALLS, small_course)
    assert "not written yet." in words
    words = message("def double(x):\n    return (x > 0) @ (x > 0).T", CALLS, small_course)
    assert "written" not in words and "It raised " in words, words
    words = message("def double(x):\n    raise NotImplementedError('addmm on MPS')", CALLS, small_course)
    assert "It raised NotImplementedError: addmm on MPS" in words


RIGHT = "def double(x):\n    return x + x"


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (
            f"{CALLS}    assert False, 'the sum is 3'\n",
            "double(tensor([[1., 1., 1.], [1., 1., 1.]]))\n    the sum is 3",
        ),
        (f"{CALLS}    raise KeyError('x')\n", "What it returned could not be used: KeyError: 'x'"),
        ("    raise KeyError('x')\n", "The check itself broke (KeyError: 'x'). This is not your mistake."),
    ],
)
def test_what_the_check_says_and_how_it_breaks_is_told_apart(check, words, small_course):
    assert words in message(RIGHT, check, small_course)


@pytest.mark.parametrize(
    ("line", "words"),
    [("raise KeyError('x')", "The check itself broke (KeyError: 'x')"), ("assert False, 'no'", "second\n    no\n")],
)
def test_a_call_of_another_test_is_not_told(line, words, small_course):
    check = f"{HEAD.replace('test_it', 'test_first')}{CALLS}\ndef test_second(double):\n    '''Add.'''\n    {line}\n"
    said = message(RIGHT, check, small_course)
    assert words in said and "Called" not in said, said


def test_a_very_long_line_is_cut(small_course):
    words = message("def double(x):\n    raise ValueError('a' * 10**6)", CALLS, small_course)
    assert len(words) < 1000 and "aaa" in words


def test_the_tests_docstring_is_told_in_one_line(small_course):
    check = HEAD.replace("Add.", "Add,\n    twice.") + f"{CALLS}    assert False, 'no'\n"
    assert "Look at: Add, twice." in message(RIGHT, check, small_course)
    assert inspect.getdoc(checking.in_words)


def test_a_broken_check_is_not_called_the_students_mistake(small_course):
    (small_course / "tests/small/test_double.py").write_text("def test_it(double):\n    raise KeyError('x')\n")
    report = checking.run(content.find("double"), content.reference_parts(content.find("double")))
    assert report.tests[0].outcome == "error" and "not your mistake" in str(report)


# --- what is compared -----------------------------------------------------------------------------------------------

COMPARED = """
import torch
from saelab.testing import gradients
from torch.testing import assert_close

def test_it(double, reference, rng):
    x, y = torch.full((1, 2), 3.0), torch.full((1, 2), 5.0)
    {}
"""


def compared(line: str, course, code: str = "def double(x):\n    return x * x") -> list[str]:
    """The lines of the message where this line of a check fails."""
    report = message(code, COMPARED.format(line), course)
    told = [words.strip() for words in report.splitlines()[4:] if words.strip()]
    return [words for words in told if "You squared" not in words]  # the diagnosis


def test_of_several_calls_the_one_is_told_whose_value_is_compared(small_course):
    said = compared("mine, other = double(x), double(y)\n    assert_close(mine, 2 * x)", small_course)
    assert said == [
        "Called    double(tensor([[3., 3.]]))",
        "Expected  tensor([[6., 6.]])",
        "Got       tensor([[9., 9.]])",
    ]


def test_what_is_made_of_several_calls_is_told_as_the_check_writes_it(small_course):
    said = compared("assert_close(double(y) - double(x), torch.full((1, 2), 4.0))", small_course)
    assert said[:3] == [
        "Compared  double(y) - double(x)", "Called    double(tensor([[5., 5.]]))", "double(tensor([[3., 3.]]))",
    ]  # fmt: skip
    assert said[3:] == ["Expected  tensor([[4., 4.]])", "Got       tensor([[16., 16.]])"]


def test_an_expression_over_several_lines_is_found(small_course):
    line = "assert_close(\n        double(\n            y\n        ).sum(),\n        torch.tensor(20.0),\n    )"
    assert compared(line, small_course)[0] == "Compared  double(y).sum()"


def test_a_gradient_is_called_a_gradient(small_course):
    said = compared("assert_close(gradients(double, x)[0], torch.full((1, 2), 2.0))", small_course)
    assert said[:2] == ["Called    double(tensor([[3., 3.]]))", "The gradient for `x`:"]
    assert said[2:] == ["Expected  tensor([[2., 2.]])", "Got       tensor([[6., 6.]])"]


def test_two_answers_that_should_agree_are_both_told(small_course):
    said = compared("assert_close(double(x + 1), double(y))", small_course)
    assert said == [
        "Called    double(tensor([[4., 4.]]))", "It should agree with double(tensor([[5., 5.]]))",
        "Expected  tensor([[25., 25.]])", "Got       tensor([[16., 16.]])",
    ]  # fmt: skip


def test_a_check_that_has_them_the_other_way_round_is_told_the_right_way(small_course):
    said = compared("assert_close(reference(x), double(x))", small_course)
    assert said[1:] == ["Expected  tensor([[6., 6.]])", "Got       tensor([[9., 9.]])"]


def test_which_of_several_results_differs_is_told(small_course):
    path = small_course / "chapters/small/01_small.py"
    path.write_text(path.read_text().replace(' -> Float[Tensor, "batch feats"]:\n    """Twice', ':\n    """Twice'))
    pair = "def double(x):\n    return x + x, x * x"
    assert compared("assert_close(double(x)[1], 2 * x)", small_course, pair)[1] == "In value 2 of 2:"
    named = "def double(x):\n    return {'sum': x + x, 'square': x * x}"
    assert compared("assert_close(double(x)['square'], 2 * x)", small_course, named)[1] == "In `square`:"


def test_an_exception_in_every_check_is_told_once_with_their_line_and_no_tip(small_course, tmp_path):
    file = tmp_path / "answer.py"
    file.write_text("def double(x):\n    return x.view(7)\n")
    check = (
        HEAD
        + CALLS
        + "\n"
        + HEAD.replace("test_it", "test_two").replace("import", "# import")
        + "    double(torch.ones(3, 3))\n"
    )
    words = message(
        file.read_text(), check.replace("# import torch\nfrom", "# import torch\n# from"), small_course, str(file)
    )
    assert words.count("It raised") == 1 and "Every check stops at this:" in words, words
    assert "in line 2 of double: return x.view(7)" in words and "Look at" not in words and "✗ it" not in words


def test_the_failing_call_can_be_made_again(small_course):
    (small_course / "tests/small/test_double.py").write_text(COMPARED.format("assert_close(double(y), 2 * y)"))
    seen = []

    def double(x):
        seen.append(x.clone())
        return x.mul_(x) if len(seen) > 1 else x * x

    report = checking.run(content.find("double"), {"double": double})
    (given,) = report.args
    assert torch.equal(given, torch.full((1, 2), 5.0))
    for _ in range(2):  # with fresh copies each time
        assert torch.equal(report.call(), torch.full((1, 2), 25.0))
    assert "failing" not in report.to_dict()
    passed = checking.run(content.find("quadruple"), content.reference_parts(content.find("quadruple")))
    with pytest.raises(LookupError, match="no failing call"):
        passed.call()
