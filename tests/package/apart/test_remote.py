"""Is a check's verdict the same whichever door the implementation is behind?"""

import contextlib
import subprocess
import sys

import pytest
import torch

from saelab import apart, checking, content
from saelab.answers import Answer, AnswerError, Piece
from saelab.apart import RemoteParts, SeparateProcess
from saelab.checking import Gone
from saelab.content import read


def answer(exercise, code: str) -> Answer:
    """A student's answer: the section's cells as they should be, and this code in the exercise's."""
    setup = [Piece("setup", c.text) for c in read(exercise.path).cells if c.role in ("setup", "exercise")]
    return Answer(exercise, [*setup, Piece(f"cell 9 ({exercise.name})", code, place="cell 9")])


@contextlib.contextmanager
def behind_the_door(exercise, code: str, seconds: float = 60.0):
    """The exercise's parts as this code defines them, in a process of their own."""
    with contextlib.closing(SeparateProcess(seconds)) as peer:
        yield RemoteParts(answer(exercise, code), peer)


@pytest.fixture(scope="module")
def peer():
    """One process for many answers, each in a fresh namespace; as one child serves a section when it is graded."""
    with contextlib.closing(SeparateProcess()) as peer:
        yield peer


def renamed(exercise, variant) -> str:
    """The whole exercise's cell, one part replaced by the variant; all go on seeing the right ones by their names."""
    rebind = (
        "import types\nright = dict(globals())\n"
        f"for name in {[*exercise.parts, variant.name]!r}:\n    fn = right[name]\n"
        "    if isinstance(fn, types.FunctionType):\n"
        "        right[name] = types.FunctionType(fn.__code__, right, name, fn.__defaults__)\n"
        f"globals().update(right)\n{variant.part} = right[{variant.name!r}]\n"
    )
    return f"{exercise.code}\n\n{variant.code}\n\n{rebind}"


def variants():
    """(exercise, variant or None) over all chapters: references, and each kind of variant."""
    for exercise in content.exercises():
        yield pytest.param(exercise, None, id=f"{exercise.name}-reference")
        for variant in [*exercise.misconceptions[:1], *exercise.alternatives[:1]]:
            yield pytest.param(exercise, variant, id=f"{exercise.name}-{variant.name}")


@pytest.mark.parametrize(("exercise", "variant"), list(variants()))
def test_the_separate_process_gives_the_same_report(exercise, variant, peer):
    code = renamed(exercise, variant) if variant else exercise.code
    here = content.variant_parts(exercise, variant) if variant else content.reference_parts(exercise)
    expected = checking.run(exercise, here)
    report = checking.run(exercise, RemoteParts(answer(exercise, code), peer))
    assert [(t.name, t.outcome) for t in report.tests] == [(t.name, t.outcome) for t in expected.tests], str(report)
    assert (report.status, report.misconception) == (expected.status, expected.misconception)


def test_objects_gradients_and_counts_come_through(small_course):
    exercise = content.find("Scale")
    with behind_the_door(exercise, exercise.code) as parts:
        assert checking.run(exercise, parts).passed
    for variant in exercise.misconceptions:
        with behind_the_door(exercise, renamed(exercise, variant)) as parts:
            assert checking.run(exercise, parts).misconception == variant.name


def test_a_change_of_an_argument_is_seen(small_course):
    exercise = content.find("double")
    with behind_the_door(exercise, "def double(x):\n    x.mul_(2)\n    return x") as parts:
        x = torch.ones(2, 2)
        parts["double"](x)
        assert torch.equal(x, torch.full((2, 2), 2.0))
        assert "changed its argument `x` in place" in str(checking.run(exercise, parts))


def test_an_exception_comes_as_what_it_is_with_its_line(small_course):
    exercise = content.find("double")
    with behind_the_door(exercise, "def double(x):\n    y = 3\n    raise ValueError('no')") as parts:
        with pytest.raises(ValueError, match="no"):
            parts["double"](torch.ones(1, 1))
        assert "in line 3 of cell 9 (double): raise ValueError('no')" in str(checking.run(exercise, parts))


def test_a_message_names_no_folder_of_this_machine(small_course):
    code = "def double(x):\n    from saelab import nonsense\n\n\ndef quadruple(x):\n    from torch import nonsense"
    for name in ("double", "quadruple"):
        with behind_the_door(content.find(name), code) as parts:
            with pytest.raises(ImportError, match="cannot import name 'nonsense'") as raised:
                parts[name](torch.ones(1, 1))
        said = str(raised.value)
        assert "…/" in said and str(content.PACKAGE) not in said and sys.prefix not in said, said


def test_a_cell_that_cant_be_run_is_one_sentence(small_course):
    with pytest.raises(AnswerError, match=r"Cell 9 \(double\) raised NameError: name 'nope' is not defined"):
        with behind_the_door(content.find("double"), "nope()\ndef double(x): ..."):
            pass


def test_a_call_that_never_ends_is_stopped(small_course):
    with behind_the_door(content.find("double"), "def double(x):\n    while True: pass", seconds=8) as parts:
        with pytest.raises(Gone, match="longer than 8 s"):
            parts["double"](torch.ones(1, 1))


def test_a_process_that_ends_itself_is_told_about(small_course):
    with behind_the_door(content.find("double"), "import os\ndef double(x):\n    os._exit(0)") as parts:
        with pytest.raises(Gone, match="ended in the middle of a call"):
            parts["double"](torch.ones(1, 1))


VALUES = [
    None,
    True,
    3,
    -2.5,
    float("inf"),
    "ü",
    [1, [2.0, None]],
    (1, "a"),
    {"a": (1,), "b": torch.arange(3)},
    {1, (2, "b")},
    {1: 2, None: [True], (3, "c"): 1.5},
    frozenset({"a"}),
    torch.randn(2, 3),
    torch.randn(0, 4),
    torch.tensor(3.0),
    torch.randn(3, 2).T,
    torch.tensor([True, False]),
    torch.randn(2, dtype=torch.float64),
    torch.randn(2).bfloat16(),
    torch.ones(2, requires_grad=True),
    torch.ones(()).expand(1, 1),  # as gradients of sums come: strides of 0
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_values_come_back_as_they_were(value):
    again = apart.decode(apart.encode(value))
    assert type(again) is type(value)
    if isinstance(value, torch.Tensor):
        assert torch.equal(again, value) and again.dtype == value.dtype
        assert again.requires_grad == value.requires_grad
    else:
        assert repr(again) == repr(value)


def test_a_seed_set_in_a_check_reaches_the_other_process():
    exercise = content.find("superposition/generate_batch")
    with behind_the_door(exercise, exercise.code) as parts:
        drawn = []
        for seed in (1, 2, 1):
            torch.manual_seed(seed)
            drawn.append(parts["generate_batch"](1, 5, torch.ones(1, 3)))
        drawn.append(parts["generate_batch"](1, 5, torch.ones(1, 3)))
    assert torch.equal(drawn[0], drawn[2]), "the same seed gave other numbers over there"
    assert not torch.equal(drawn[0], drawn[1]), "another seed gave the same numbers"
    assert not torch.equal(drawn[2], drawn[3]), "one seed counts once, not at each call after it"


def test_what_is_not_data_does_not_travel():
    for value in (object(), len, torch.nn.Linear(1, 1), {len: 2}, torch.randn(2).to_sparse(), 1j):
        with pytest.raises(apart.WireError):
            apart.encode(value)


def test_garbage_is_refused_never_run():
    message = bytearray(apart.encode({"a": torch.randn(3, 4), "b": [1, "x"]}))
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for _ in range(2000):
        broken = bytearray(message)
        for _ in range(int(torch.randint(1, 6, (1,), generator=generator))):
            broken[int(torch.randint(len(broken), (1,), generator=generator))] = int(
                torch.randint(256, (1,), generator=generator)
            )
        try:
            apart.decode(bytes(broken[: int(torch.randint(1, len(broken) + 1, (1,), generator=generator))]))
        except apart.WireError:
            refused += 1
    assert refused > 1000, f"of 2000 broken messages only {refused} were refused"


def test_plain_pytest_is_a_door_too(tmp_path):
    file = content.root() / "tests/superposition/test_dimensionality.py"
    (tmp_path / "mine.py").write_text("def dimensionality(W):\n    return W.norm(dim=0) ** 2\n")

    def pytest_says(*arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", "-q", str(file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=content.root()).stdout

    assert "F" not in (said := pytest_says()) and "[100%]" in said, said
    said = pytest_says("--submission", str(tmp_path / "mine.py"))
    assert "FAILED" in said and "Called    dimensionality(tensor(" in said and "Look at: " in said, said
    assert "Traceback" not in said and "def test_" not in said, said
    (tmp_path / "mine.py").write_text("x = 1\n")
    assert "mine.py has no cell for `dimensionality`" in pytest_says("--submission", str(tmp_path / "mine.py"))
