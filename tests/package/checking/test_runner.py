"""Does a check say the right thing of right answers, wrong answers, and answers of the wrong kind?"""

import builtins
import functools

import pytest
import torch

from saelab import checking, content
from saelab.checking import check_with_dependencies
from saelab.desk import notebook
from saelab.report import Report

WRONG = {
    "returned None. Is a `return` missing?": "def double(x):\n    x + x",
    "returned a list; a torch tensor was expected": "def double(x):\n    return (x + x).tolist()",
    "returned a tensor of shape (1,); (1, 1) was expected (batch feats)": "def double(x):\n    return (x + x)[0]",
    "dtype float64; float32 was expected, like its input": "def double(x):\n    return (x + x).double()",
    "returned dtype int64; float was expected": "def double(x):\n    return (x + x).long()",
    "1 of 1 entries are NaN or infinite": "def double(x):\n    return x * float('nan')",
    "`double(x, y)` can't be called as `double(x)`": "def double(x, y):\n    return x + y",
    "changed its argument `x` in place": "def double(x):\n    x *= 2\n    return x",
    "carries no gradient back to its input": "def double(x):\n    return (x + x).detach()",
    "It raised ZeroDivisionError: division by zero": "def double(x):\n    return x * (1 / 0)",
    "Called    double(tensor([[3.]]))\n    Expected  tensor([[6.]])\n    Got       tensor([[9.]])\n"
    "    Look at: Add, don't multiply.": "def double(x):\n    return x * x",
}


def implementation(code: str) -> dict:
    namespace = {"torch": torch}
    exec(code, namespace)
    return {"double": namespace["double"]}


@pytest.mark.parametrize("sentence", WRONG)
def test_a_wrong_answer_is_told_why_in_one_sentence(sentence, small_course, monkeypatch):
    monkeypatch.delenv("SAELAB_PLAIN", raising=False)
    report = checking.run(content.find("double"), implementation(WRONG[sentence]))
    assert report.status == "failed"
    assert sentence in str(report), str(report)
    assert sentence.split("\n")[0].split("`")[0] in builtins.str(report._repr_html_()).replace("&#x27;", "'")


def test_what_stands_in_backticks_is_code_on_a_page_and_markup_is_not(monkeypatch):
    monkeypatch.delenv("SAELAB_PLAIN", raising=False)
    report = Report("packing/double", "passed", 2, [], notes=["Next: 1.2 Halve, `halve`. <b>"])
    assert "Next: 1.2 Halve, <code>halve</code>. &lt;b&gt;" in report._repr_html_()


def test_a_misconception_is_told_back_by_its_outputs_only(small_course):
    exercise = content.find("double")
    told = checking.run(exercise, implementation("def double(x):\n    return torch.stack([r ** 2 for r in x])"))
    assert told.misconception == "squares" and "You squared" in str(told)
    nan = "def double(x):\n    return x * x if len(x) == 3 else x * float('nan')"
    assert checking.run(exercise, implementation(nan)).misconception == "squares"
    assert checking.run(exercise, implementation("def double(x):\n    return x * float('nan')")).misconception is None
    other = checking.run(exercise, implementation("def double(x):\n    return x * x + 0.01"))
    assert other.status == "failed" and other.misconception is None


def test_the_starter_is_not_written_yet(small_course):
    for exercise in content.exercises("small"):
        assert checking.run(exercise, content.starter_parts(exercise)).status == "not-started"


def test_a_check_leaves_the_students_random_numbers_alone(small_course):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    checking.run(content.find("Scale"), content.reference_parts(content.find("Scale")))
    assert torch.equal(torch.rand(3), expected)


def test_another_seed_gives_other_inputs_and_the_same_seed_the_same(small_course):
    seen: list = []

    def double(x):
        seen.append(x.clone())
        return x + x

    for seed in (1, 1, 2):
        checking.run(content.find("double"), {"double": double}, seed)
    runs = [seen[i : i + len(seen) // 3] for i in range(0, len(seen), len(seen) // 3)]
    assert all(torch.equal(a, b) for a, b in zip(runs[0], runs[1]))
    assert not all(torch.equal(a, b) for a, b in zip(runs[0], runs[2]))


def test_a_wrong_earlier_answer_does_not_cost_the_later_one(small_course):
    namespace = {"torch": torch}
    exec("def double(x):\n    return x * x\ndef quadruple(x):\n    return double(double(x))", namespace)
    report = check_with_dependencies(content.find("quadruple"), {"quadruple": namespace["quadruple"]})
    assert report.passed and "Checked with the course's `double`" in str(report)
    exec("def quadruple(x):\n    return double(x)", namespace)
    assert not check_with_dependencies(content.find("quadruple"), {"quadruple": namespace["quadruple"]}).passed


def test_the_notebooks_check_says_what_it_can_be_given(small_course):
    assert "Did you mean double" in str(notebook.check(type("F", (), {"__name__": "doubl", "__call__": None})()))
    assert "without calling it" in str(notebook.check(torch.ones(2)))
    assert notebook.check(content.reference_parts(content.find("double"))["double"]).passed


def test_a_lambda_and_a_partial_are_functions_too(small_course):
    names = {"check": notebook.check, "partial": functools.partial, "torch": torch}
    exec("double = lambda x: x + x\nfirst = check(double)", names)
    exec("double = partial(torch.mul, other=2)\nsecond = check(double)", names)
    assert names["first"].passed and names["second"].passed


def test_hints_come_one_more_at_a_time_and_are_remembered(small_course):
    assert "two times one" in str(notebook.hint("double")) and "itself" not in str(notebook.hint("Scale"))
    assert "Hint 2 of 2" in str(notebook.hint("double"))
    assert "Hint 2 of 2" in str(notebook.hint("double"))
    assert "Did you mean small/double" in str(notebook.hint("doubel"))


def test_a_check_that_asks_for_an_unknown_fixture_is_the_authors_mistake(small_course):
    (small_course / "tests/small/test_double.py").write_text("def test_it(double, monkeypatch):\n    pass\n")
    with pytest.raises(checking.CheckError, match="unknown fixture 'monkeypatch'; there are double, reference, rng"):
        checking.run(content.find("double"), content.reference_parts(content.find("double")))
