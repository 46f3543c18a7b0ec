"""Is every exercise sound: the reference passes, the starter fails, misconceptions are caught and named?

The audit takes minutes: run one exercise with `saelab audit --exercise NAME`.
"""

import ast

import pytest

from saelab import content
from saelab.checking import audit

SEEDS, WRONG_SEEDS = 20, 4  # of right answers, of misconceptions: there are five of these for each right one
EXERCISES = content.exercises()


@pytest.fixture(scope="module")
def audited():
    """The audit of all exercises: (counts, problems)."""
    return audit.audit([e.id for e in EXERCISES], SEEDS, progress=False, wrong_seeds=WRONG_SEEDS)


def test_nothing_falls_short(audited):
    result, problems = audited
    print(f"\naudit: {result['total']}")
    assert not problems, "\n".join(problems)
    assert audit.complete(result["total"]), result["total"]


@pytest.mark.parametrize("name, exercises", {"superposition": 16, "training": 21, "interpretation": 15}.items())
def test_a_chapter_is_as_large_as_it_should_be(audited, name, exercises):
    chapter = audited[0]["chapters"][name]
    assert chapter["exercises"] == exercises and chapter["hints"] >= 3 * exercises, chapter
    assert chapter["misconceptions"]["written"] >= 5 * exercises, chapter
    assert chapter["alternatives"]["written"] >= 1.3 * exercises, chapter


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_it_has_all_that_an_exercise_has(exercise):
    assert len(exercise.hints) >= 3, f"{len(exercise.hints)} hints"
    assert len(exercise.misconceptions) >= 4, f"{len(exercise.misconceptions)} misconceptions"
    assert len(exercise.alternatives) >= 1, f"{len(exercise.alternatives)} alternatives"
    assert exercise.meta["difficulty"] in range(1, 6) and exercise.meta["importance"] in range(1, 6)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_every_check_says_where_to_look_and_every_assert_what_came(exercise):
    tree = ast.parse(content.test_file(exercise).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the check file has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring saying where to look"
    bare = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert) and n.msg is None]
    assert not bare, f"asserts without a message in lines {bare}"


@pytest.mark.parametrize("source", [s for c in content.chapters() for s in content.sources(c)], ids=lambda s: s.stem)
def test_budgets(source):
    most = max(700, 300 + 100 * sum(len(exercise.parts) for exercise in source.exercises))
    assert len(source.path.read_text(encoding="utf-8").splitlines()) <= most, f"more than {most} lines: make two of it"
    for exercise in source.exercises:
        checks = content.test_file(exercise).read_text(encoding="utf-8").splitlines()
        allowed = 80 + 30 * len(exercise.parts)  # two functions need more facts than one
        assert len(checks) <= allowed, f"{exercise.name}'s check has {len(checks)} lines, {allowed} are allowed"
