"""`saelab dispute`: a file that shows a failed check to whoever teaches the course, and nothing of its machine.

It has the answer, what the check says about it, seed and versions. Nothing is sent; the student reads it, says why, and
passes it on.
"""

import contextlib
import datetime
import getpass
import hashlib
import io
import itertools
import os
import platform
import re
import sys
import tempfile
import tokenize
from importlib import metadata
from pathlib import Path

from saelab import __version__, content
from saelab.answers import Answer
from saelab.content import Exercise
from saelab.files import write_atomically
from saelab.report import Report

from . import contents

PAGE = """\
# {id}: is the check wrong?

Written by `saelab dispute` on {date}. Nothing has been sent. Read it, say below why you think so, and {give}.

## Why I think so

(Write here.)

## What the check says, with seed {seed}

{report}

## The answer

To check it again, save this code as answer.py; then: `saelab check {id} --submission answer.py --seed {seed}`

{code}

## Versions

saelab {saelab}, check {check}; {versions}
"""
LIBRARIES = ("torch", "numpy", "jaxtyping", "transformer-lens", "sae-lens")
HOMES = re.compile(r"(?:/home|/Users|[A-Za-z]:(?:\\\\?|/)Users)(?:\\\\?|/)[^\\/\s'\"<>|:]+")
OURS = "This is the course's mistake, not yours."  # behind what a check that broke says
EVERYBODY = {"root", "user", "student", "jovyan", "ubuntu", "vscode", "colab"}  # accounts that say nothing of anybody


def offer(report: Report, command: str) -> list[str]:
    """The line below a failed report that says how to dispute it; none where there is nothing to dispute.

    There is where a check failed, but for code that raised the same exception in all of them, or broke by itself.
    """
    stopped = len(report.alike) == len(report.tests)
    if (report.status == "failed" and not stopped) or any(OURS in note for note in report.notes):
        return [f"Is the check wrong? `{command}` writes a report to give to whoever teaches the course."]
    return []


def write(exercise: Exercise, answer: Answer, report: Report, seed: str, home: Path) -> Path:
    """Write the file into `home`, beside older ones, and return its path. Raises OSError."""
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    paths = (home / f"saelab-dispute-{exercise.name}{number}.md" for number in names)
    path = next(path for path in paths if not path.exists())
    write_atomically(path, text_of(exercise, answer, report, seed, home))
    return path


def text_of(exercise: Exercise, answer: Answer, report: Report, seed: str, home: Path) -> str:
    """The file's text, with no path, no user's and no machine's name in it."""
    code = "\n\n\n".join(piece.code.strip("\n") for piece in answer.pieces if piece.label != "setup")
    return PAGE.format(
        id=exercise.id,
        date=datetime.date.today().isoformat(),
        give=what_to_do(),
        seed=seed,
        report=_fenced("text", nameless(str(report), home, _words(code))),
        code=_fenced("python", nameless(code, home, _words(code))),
        saelab=__version__,
        check=hashlib.sha256(content.test_file(exercise).read_bytes()).hexdigest()[:12],
        versions=_versions(),
    )


def what_to_do() -> str:
    """Whom to give the file to, as the end of a sentence."""
    repository = contents.published()["repository"]
    issue = f", or put it into a new issue at {repository}/issues" if repository else ""
    return f"give this file to whoever teaches the course{issue}"


def _words(code: str) -> set[str]:
    """All names that the code uses: of a variable that is called as the user is, the name stays."""
    found: set[str] = set()
    with contextlib.suppress(SyntaxError, tokenize.TokenError):
        found |= {t.string for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type == tokenize.NAME}
    return found


def nameless(text: str, home: Path, words: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """Text in which the machine's folders, its name and its user's are replaced, unless they are one of `words`."""
    places = {os.getcwd(): "FOLDER", tempfile.gettempdir(): "TMP", str(Path.home()): "HOME"}
    places |= {sys.prefix: "PYTHON", sys.base_prefix: "PYTHON", str(content.root()): "SAELAB", str(home): "COURSE"}
    for place in sorted((p for p in places if len(p) > 3), key=len, reverse=True):
        for written in (place, place.replace("\\", "\\\\")):
            text = re.sub(re.escape(written) + r"(?![\w-])", places[place], text)
    text = HOMES.sub("HOME", text)
    for name, word in ((_user(), "USER"), (platform.node(), "MACHINE")):
        if len(name) > 1 and name.lower() not in EVERYBODY and name not in words:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text, flags=re.I)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def _fenced(language: str, text: str) -> str:
    """A block of Markdown that no backticks in the text can end."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall(r"`+", text))])
    return f"{fence}{language}\n{text}\n{fence}"


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join([*found, f"{platform.system()} {platform.machine()}"])
