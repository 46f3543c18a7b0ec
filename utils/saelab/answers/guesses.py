"""What a student guessed before an experiment, and what came out: a line of JSON each, beside their notebooks."""

import contextlib
import dataclasses
import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path

from saelab.files import write_atomically

from . import progress

FILE = "saelab-guesses.txt"


@dataclass
class Guess:
    """One guess: a number (in `unit`) or a choice; `close` says how good it was, None while nothing has come out."""

    question: str
    guess: float | str
    unit: str = ""
    outcome: float | str | None = None
    close: bool | None = None
    date: str = ""


def load(home: Path) -> list[Guess]:
    """All guesses, the oldest first; lines that can't be read are passed over."""
    with contextlib.suppress(FileNotFoundError):
        lines = (home / FILE).read_bytes().decode("utf-8", "replace").splitlines()
        return [guess for guess in map(_read, lines) if guess]
    return []


def _read(line: str) -> Guess | None:
    try:
        row = json.loads(line)
        return Guess(**{field.name: row[field.name] for field in dataclasses.fields(Guess)})
    except (ValueError, KeyError, TypeError):
        return None


def carry(source: Path, home: Path) -> None:
    """Take guesses along from one folder to another, but those that the other has an answer to already."""
    known = {one.question for one in load(home)}
    for one in load(source):
        if one.question not in known:
            remember(one, home)


def remember(guess: Guess, home: Path | None = None) -> None:
    """Keep a guess; a later one for the same question takes its place. Trouble with the file costs nothing.

    Nothing is kept where SAELAB_PLAIN is set (builds and tests), nor by a script outside a course folder.
    """
    home = home or progress.here()
    if home is None or os.environ.get("SAELAB_PLAIN"):
        return
    guess = dataclasses.replace(guess, date=datetime.date.today().isoformat())
    with contextlib.suppress(OSError), progress.locked(home):
        kept = [one for one in load(home) if one.question != guess.question]
        rows = [json.dumps(dataclasses.asdict(one), ensure_ascii=False) for one in [*kept, guess]]
        write_atomically(home / FILE, "\n".join(rows) + "\n")
