"""Guesses: given, remembered, told beside what came out, and listed."""

import json

import pytest
import torch

import saelab
from saelab.answers import guesses, progress
from saelab.desk import commands, predictions

KEPT = "How many of the five features are kept?"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SAELAB_PLAIN", raising=False)
    progress.save(tmp_path, {})
    return tmp_path


def test_a_guess_is_told_beside_what_came_out(folder):
    assert str(saelab.predict(KEPT, 3, "features")) == f"{KEPT} You guess: 3 features."
    told = saelab.predict(KEPT, 3, "features").came_out(torch.tensor(5))
    assert str(told) == f"{KEPT} You guessed 3 features, it came out: 5 features. That surprised you: why?"


@pytest.mark.parametrize(
    ("guess", "outcome", "within", "words"),
    [(5, 5, None, "Right."), (4, 5, None, "Close."), (3, 5, None, "why?"), (3, 5, 2, "Close."),
     (-4, -5, None, "Close."), (0.1, 0, None, "why?"), (0, 0, 0, "Right.")],
)  # fmt: skip
def test_a_number_is_close_within_a_quarter_or_as_the_cell_says(guess, outcome, within, words, folder):
    assert str(saelab.predict(KEPT, guess).came_out(outcome, within)).endswith(words)


def test_one_is_singular(folder):
    assert "You guess: 1 feature." in str(saelab.predict(KEPT, 1, "features"))
    assert "You guess: 1 loss." in str(saelab.predict(KEPT, 1, "loss")) and "1 %" in str(saelab.predict(KEPT, 1, "%"))


def test_a_choice_is_right_or_not(folder):
    shapes = ["pentagon", "pairs"]
    assert str(saelab.predict("Which?", "pairs", among=shapes).came_out("pairs")).endswith("Right.")
    assert str(saelab.predict("Which?", "pentagon", among=shapes).came_out("pairs")).endswith("why?")
    assert "'square' is none of the choices: 'pentagon', 'pairs'." in str(
        saelab.predict("Which?", "square", among=shapes)
    )


@pytest.mark.parametrize("guess", ["three", True, None, [3], torch.ones(2)])
def test_what_is_no_number_is_told_and_forgotten(guess, folder):
    prediction = saelab.predict(KEPT, guess, "features")
    assert "should be a number (features)" in str(prediction) and prediction.guess is None
    assert not guesses.load(folder)


def test_without_a_guess_the_cells_run_all_the_same(folder):
    prediction = saelab.predict(KEPT, ..., "features")
    assert "Put your guess in place of the dots (a number, in features)" in str(prediction)
    assert str(prediction.came_out(5)) == f"{KEPT} It came out: 5 features. (You made no guess.)"
    assert not guesses.load(folder)


def test_guesses_are_remembered_the_last_for_each_question_and_listed(folder):
    for guess in (1, 4):
        saelab.predict(KEPT, guess, "features").came_out(5)
    saelab.predict("Which?", "pairs", among=["pairs"])
    (folder / guesses.FILE).write_text(
        (folder / guesses.FILE).read_text() + "broken\n" + json.dumps({"question": 3}) + "\n"
    )
    listed = "\n".join(commands.details(folder))
    assert "Your guesses (1 of 1 close):" in listed
    assert f"✓ {KEPT} You: 4 features; it came out: 5 features" in listed and "  Which? You: pairs" in listed
    assert len(guesses.load(folder)) == 2


def test_builds_and_tests_remember_nothing(folder, monkeypatch):
    monkeypatch.setenv("SAELAB_PLAIN", "1")
    saelab.predict(KEPT, 3).came_out(5)
    assert not (folder / guesses.FILE).exists() and predictions.lines([]) == []


def test_a_folder_that_cannot_be_written_costs_nothing(folder):
    (folder / guesses.FILE).mkdir()
    assert "You guessed 3" in str(saelab.predict(KEPT, 3).came_out(5))
