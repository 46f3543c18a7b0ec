"""A guess before an experiment, and what came out of it: `predict(…)`."""

from collections.abc import Sequence
from types import EllipsisType

from saelab.answers import guesses
from saelab.answers.guesses import Guess

from .shown import Note, at_once

NEAR = 0.25  # a number is close if it is off by no more than this share of what came out


class Prediction:
    """What was asked, what was guessed (None: nothing yet); `came_out` tells it beside the result."""

    def __init__(self, question: str, guess: float | str | None, unit: str, problem: str):
        self.question, self.guess, self.unit, self.problem = question, guess, unit, problem

    def __str__(self) -> str:
        return self.problem or f"{self.question} You guess: {_said(self.guess, self.unit)}."

    __repr__ = __str__

    def came_out(self, outcome: float | str, within: float | None = None) -> Note:
        """Show what came out beside the guess, and keep both for `saelab status`.

        A number (a tensor of one will do) is close if it is within so many units, or else within a quarter of it.
        """
        if not isinstance(outcome, str):
            outcome = float(outcome)
        result = _said(outcome, self.unit)
        if self.guess is None:
            return at_once(Note(f"{self.question} It came out: {result}. (You made no guess.)"))
        if isinstance(outcome, str) or isinstance(self.guess, str):
            close = str(self.guess) == str(outcome)
        else:
            close = abs(self.guess - outcome) <= (NEAR * abs(outcome) if within is None else within)
        guesses.remember(Guess(self.question, self.guess, self.unit, outcome, close))
        verdict = "Right." if self.guess == outcome else "Close." if close else "That surprised you: why?"
        guessed = _said(self.guess, self.unit)
        return at_once(Note(f"{self.question} You guessed {guessed}, it came out: {result}. {verdict}"))


def predict(
    question: str, guess: float | str | EllipsisType = ..., unit: str = "", among: Sequence[str] = ()
) -> Prediction:
    """Ask for a guess before the result is there: a number in `unit`, or one of `among`.

        guess = predict("How many of the five features will the model keep?", 3, "features")
        … the experiment …
        guess.came_out(kept)

    With `...` for the guess it says how to give one. Nothing is graded; `saelab status` lists your guesses.
    """
    problem, made = "", None
    if guess is ...:
        how = f"one of {', '.join(map(repr, among))}" if among else f"a number{f', in {unit}' if unit else ''}"
        problem = f"{question} Put your guess in place of the dots ({how}), run this cell again, and then go on."
    elif among:
        made = guess if guess in among else None
        problem = "" if made else f"{guess!r} is none of the choices: {', '.join(map(repr, among))}."
    elif isinstance(guess, (int, float)) and not isinstance(guess, bool):
        made = guess
    else:
        problem = f"Your guess should be a number{f' ({unit})' if unit else ''}, like 3 or 0.5."
    if made is not None:
        guesses.remember(Guess(question, made, unit))  # type: ignore[arg-type]
    return at_once(Prediction(question, made, unit, problem))  # type: ignore[arg-type]


def _said(value: float | str | None, unit: str) -> str:
    if isinstance(value, str):
        return value
    number = f"{value:.3g}"
    one = number in ("1", "-1") and unit.isalpha() and unit.endswith("s") and not unit.endswith("ss")
    return f"{number} {unit.removesuffix('s') if one else unit}".strip()


def lines(kept: list[Guess]) -> list[str]:
    """Your guesses, a line each, for `saelab status`."""
    if not kept:
        return []
    good = sum(bool(one.close) for one in kept)
    told = sum(one.outcome is not None for one in kept)
    rows = [f"Your guesses ({good} of {told} close):"]
    for one in kept:
        mark = " " if one.outcome is None else "✓" if one.close else "✗"
        came = "" if one.outcome is None else f"; it came out: {_said(one.outcome, one.unit)}"
        rows.append(f"{mark} {one.question} You: {_said(one.guess, one.unit)}{came}")
    return rows
