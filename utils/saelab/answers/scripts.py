"""A script as cells: Jupytext's and VS Code's markers, exports of nbconvert, Databricks and Colab, or none of these.

Markers are those that Jupytext reads (importing it takes 1.5 s; a test holds this reading equal to its own), but a
comment inside a statement is never one.
"""

import ast
import re
from dataclasses import dataclass

from .magics import HARMLESS_CELL_MAGIC, after

MARKER = re.compile(  # `# %%time` is none: Jupytext and Colab write a cell magic like that
    r"#[ \t]*(?:%%%*[ \t](?P<title>.*)|%%|<codecell>|(?P<prose><markdowncell>)|In ?\[[ \d*]*\]:?|COMMAND -+)[ \t]*"
)
EXERCISE = re.compile(r"exercise=[\"']([\w/]+)[\"']")
KINDS = {"[markdown]": "Markdown", "[md]": "Markdown", "[raw]": "raw"}
EXPORTED = re.compile(  # what nbconvert makes of a cell with a cell magic
    r"""get_ipython\(\)\.run_cell_magic\(['"]\w+['"], '[^'\\]*', ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\)\s*"""
)
COLAB = "# Commented out IPython magic to ensure Python compatibility."
COMMENTED = re.compile(r"#[ \t]*(%time[ \t]+.*[^\\\s]|[a-zA-Z_]\w*[ \t]*=[ \t]*(?:%|!)[a-zA-Z].*)")
GOES_ON = re.compile(r"(?:else|elif|except|finally)\b|[ \t#)\]}]|$")  # of a line that begins no statement
NEVER_INSIDE = re.compile(r"(?:def|class|import|async def|while|with|try|return)\b|@")  # brackets


@dataclass
class Part:
    """A stretch of a script: the number of its cell or of its first line, and what its marker says."""

    number: int  # from 1
    text: str
    unit: str = "cell"
    exercise: str = ""
    aside: str = ""  # "Markdown" or "raw", of a cell that is no code
    line: int = 0  # of the file, in which the text begins; 0 where its lines are not the file's


def parts_of(text: str, most: int = 10**9) -> list[Part]:
    """The cells of a script, or else its top-level statements, so that one error stays one error.

    No more than `most` and one; the rest is left out.
    """
    lines = text.split("\n")
    if COLAB in lines:
        _revive(lines)
    marks = _markers(lines)
    if marks or COLAB in lines:
        lines = [_uncommented(line) for line in lines]
    if not marks:
        return [Part(line, part, "line", line=line) for line, part in _top_level(lines, most)]
    found = [Part(1, "\n".join(lines[: marks[0]]), line=1)] if any(map(str.strip, lines[: marks[0]])) else []
    for number, (start, end) in enumerate(zip(marks[: most + 1], [*marks[1:], len(lines)]), len(found) + 1):
        match = MARKER.fullmatch(lines[start])
        assert match
        mark = EXERCISE.search(match["title"] or "")
        aside = next((kind for key, kind in KINDS.items() if key in (match["title"] or "")), "")
        aside = "Markdown" if match["prose"] else aside
        body = "\n".join(lines[start + 1 : end])
        line = start + 2 + len(body) - len(body.lstrip("\n"))
        text = _unexported(body.strip("\n"))
        line = line if text == body.strip("\n") else 0
        found.append(Part(number, text, exercise=mark[1] if mark else "", aside=aside, line=line))
    return found


def _markers(lines: list[str]) -> list[int]:
    """Where cells begin.

    A marker inside a string is text. Where a string is never closed, one cell's quotes are wrong: then every marker
    counts, so that the other cells are what they are.
    """
    found, outside, quote = [], [], ""
    for number, line in enumerate(lines):
        if line.startswith("#") and MARKER.fullmatch(line):
            found.append(number)
            outside += [] if quote else [number]
        _, quote, _ = after(line, 0, quote)
    return found if quote else outside


def _revive(lines: list[str]) -> None:
    """Colab comments a cell with a cell magic out as a whole; where it is Python, make it code again, in place."""
    for place in [number for number, line in enumerate(lines) if line == COLAB]:
        magic = lines[place + 1].removeprefix("# ") if place + 1 < len(lines) else ""
        if not HARMLESS_CELL_MAGIC.match(magic):
            continue
        lines[place + 1] = ""
        for number in range(place + 2, len(lines)):
            if not lines[number].startswith("#") or lines[number] == COLAB:
                break
            lines[number] = lines[number].removeprefix("#").removeprefix(" ")


def _uncommented(line: str) -> str:
    """`# %time STATEMENT` and `# files = !ls`, as Jupytext and Colab write them, without the `#`."""
    body = line.lstrip(" \t")
    match = COMMENTED.fullmatch(body) if body.startswith("#") else None
    return line[: len(line) - len(body)] + match[1] if match else line


def _unexported(text: str) -> str:
    match = EXPORTED.fullmatch(text.strip())
    return ast.literal_eval(match[1]) if match else text


def _top_level(lines: list[str], most: int, mend: bool = False) -> list[tuple[int, str]]:
    """(line, text) of the statements at the margin. A bracket left open ends where no bracket can hold the line.

    So does, with `mend`, a string: where one is never closed, all quotes behind it are turned inside out.
    """
    found: list[tuple[int, list[str]]] = []
    depth, quote, continued, decorated = 0, "", False, False
    for number, line in enumerate(lines, 1):
        if (depth and not quote or quote and mend) and NEVER_INSIDE.match(line):
            depth, quote = 0, ""
        begins = not (depth or quote or continued or GOES_ON.match(line))
        if not found or (begins and not decorated):
            if len(found) > most:
                break
            found.append((number, []))
        decorated = line.startswith("@") if begins else decorated  # also over several lines, or with comments between
        found[-1][1].append(line)
        depth, quote, continued = after(line, depth, quote)
    if quote and not mend:
        return _top_level(lines, most, mend=True)
    return [(number, "\n".join(lines).rstrip()) for number, lines in found if any(map(str.strip, lines))]
