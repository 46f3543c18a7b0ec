"""Your answer beside ours: in two columns where there is room for both, or else one after the other."""

import html
import os
from pathlib import Path

from saelab import answers
from saelab.answers import Answer, StudentCell, Submission
from saelab.content import Exercise

from .shown import Note

BETWEEN = " │ "
YOURS, OURS = "Yours", "Ours"


def yours(exercise: Exercise, work: Submission) -> str:
    """The student's code for an exercise; "" where there is none that Python can read."""
    answer = work.answer(exercise)
    return "" if answer.problem or answer.unwritten else _shown(answer)


def _shown(answer: Answer) -> str:
    """The answer's own cell, after what other cells define of its parts."""
    parts = set(answer.exercise.parts)
    pieces = [p for p in answer.pieces if p.own or (p.place and parts & answers.examine(p.code).defines)]
    return "\n\n\n".join(piece.code.strip("\n") for piece in pieces)


def ran(cells: list[str]) -> Submission:
    """The cells that a notebook has run so far, as a submission."""
    texts = [answers.without_magics(text) for text in cells if isinstance(text, str)]
    return Submission(Path("notebook"), [StudentCell(number, text) for number, text in enumerate(texts)])


class Beside(Note):
    """Both answers, shown as text in columns, or in a notebook as two boxes that stand side by side if they fit."""

    def __init__(self, title: str, own: str, ours: str, width: int):
        super().__init__(beside(own, ours, width), title)
        self.own, self.ours = own, ours

    def _repr_html_(self) -> str | None:
        if os.environ.get("SAELAB_PLAIN"):
            return None
        boxes = "".join(_box(*each) for each in ((YOURS, self.own), (OURS, self.ours)))
        head = f"<div><b>{html.escape(self.title)}</b></div>"
        return f"{head}<div style='display:flex;flex-wrap:wrap;gap:.5em 2em'>{boxes}</div>"

    def _repr_markdown_(self) -> str:
        code = (f"{name}:\n\n```python\n{text}\n```" for name, text in ((YOURS, self.own), (OURS, self.ours)))
        return "\n\n".join([f"**{self.title}**", *code])


def _box(name: str, code: str) -> str:
    style = "margin:.2em 0;padding:.4em .8em;border:1px solid #7d8590;background:transparent;color:inherit"
    pre = f"<pre style='{style};overflow-x:auto'>{html.escape(code)}</pre>"
    return f"<div style='flex:1 1 25em;min-width:0'><b>{name}</b>{pre}</div>"


def beside(own: str, ours: str, width: int) -> str:
    """Two pieces of code under the lines that both begin with, in columns of a terminal so many characters wide.

    Where a line would not fit into its column, they stand one after the other, whole.
    """
    mine, theirs = (text.expandtabs(4).strip("\n").split("\n") for text in (own, ours))
    if mine == theirs:
        return f"{ours}\n\nYours is the same to the letter."
    same = next((n for n, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))
    head, mine, theirs = mine[:same], mine[same:], theirs[same:]
    above = "\n".join([*head, *[""] * bool(head)])
    left, right = [YOURS, *_outdented(mine, theirs)], [OURS, *_outdented(theirs, mine)]
    column, other = (max(map(len, lines)) for lines in (left, right))
    if column + len(BETWEEN) + other > width:
        return "\n".join([above, f"{YOURS}:", "", *mine, "", f"{OURS}:", "", *theirs]).strip("\n")
    rule = "─" * (column + 1) + "┼" + "─" * (other + 1)
    rows = [*_columns(left[:1], right[:1], column), rule, *_columns(left[1:], right[1:], column)]
    return "\n".join([above, *rows]).strip("\n")


def _outdented(lines: list[str], others: list[str]) -> list[str]:
    """The lines without the blanks that all of both begin with."""
    blanks = min((len(line) - len(line.lstrip()) for line in [*lines, *others] if line.strip()), default=0)
    return [line[blanks:] for line in lines]


def _columns(left: list[str], right: list[str], column: int) -> list[str]:
    rows = max(len(left), len(right))
    left, right = (lines + [""] * (rows - len(lines)) for lines in (left, right))
    return [f"{a:<{column}}{BETWEEN}{b}".rstrip() for a, b in zip(left, right)]
