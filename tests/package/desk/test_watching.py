"""Does `saelab watch` check what was saved and changed, say where you are, give hints at a key, and never move on?"""

import json
import queue

import pytest

from saelab.desk import watching

RIGHT = "def double(x):\n    return x + x"
QUADRUPLE = "def quadruple(x):\n    return 4 * x"
NOTEBOOK = "small/01_small.ipynb"


@pytest.fixture
def save(folder, capsys):
    """Have a watcher see the notebook saved; gives what it says."""
    watcher = watching.Watcher(folder, lambda: None)

    def seen(*events) -> str:
        watcher.follow(iter(events or ([folder / NOTEBOOK],)))
        return capsys.readouterr().out

    return seen


def test_a_save_says_verdict_progress_what_is_next_and_the_keys(save, answer):
    answer("double", RIGHT)
    text = save()
    assert "✓ small/double: all 3 checks pass." in text and "· small/quadruple: not written yet." in text
    assert "A small section  ■□□  1/3 exercises, 2/6 points" in text
    assert "h, Enter: a hint for quadruple · q, Enter: stop watching" in text
    answer("quadruple", QUADRUPLE.replace("4", "5"))
    assert "h, Enter: a hint for quadruple" in save()
    answer("quadruple", QUADRUPLE)
    text = save()
    assert "a hint for Scale" in text and "■■□" in text


def test_what_is_next_elsewhere_is_told_with_its_notebook(save, answer):
    answer("quadruple", "def quadruple(x):\n    return x")
    text = save()
    assert "a hint for quadruple" in text and "Next: 1.1 Doubling (`double` in small/01_small.ipynb)" in text


def test_only_an_answer_that_changed_is_checked_again(save, answer):
    answer("double", RIGHT.replace("+", "*"))
    assert "What happened: You squared" in save()
    assert save() == "\nsmall/01_small.ipynb is saved; its answers are as they were.\n"
    answer("quadruple", QUADRUPLE)
    text = save()
    assert "✓ small/quadruple" in text and "· small/double: as before" in text and "You squared" not in text


def test_h_gives_the_next_hint_of_what_does_not_pass_and_q_ends_it(save, folder, answer):
    assert "Save a notebook first" in save("h")
    answer("double", RIGHT.replace("+", "*"))
    save()
    assert "Hint 1 of 2 · small/double" in save("h") and "Hint 2 of 2" in save("h")
    assert save("q", [folder / NOTEBOOK]) == "" and save("what?") == ""


def test_a_failed_check_can_be_disputed(save, answer):
    answer("double", RIGHT.replace("+", "*"))
    assert "`saelab dispute double`" in save()


def test_a_module_of_the_students_own_is_found_as_by_check(save, folder, answer):
    (folder / "helpers.py").write_text("def twice(x):\n    return 2 * x\n")
    answer("double", "from helpers import twice\n\n\ndef double(x):\n    return twice(x)")
    assert "✓ small/double" in save()


def test_a_key_comes_between_two_looks(folder):
    keys = queue.SimpleQueue()
    keys.put("h")
    happened = watching.events(folder, keys, pause=0.0)
    assert next(happened) == "h"
    notebook = json.loads((folder / NOTEBOOK).read_text())
    (folder / NOTEBOOK).write_text(json.dumps(notebook))
    assert next(happened) == [folder / NOTEBOOK]
