"""A notebook or a script as code cells: their text as plain Python, their place, the exercise they are marked with.

Reads what students send: any encoding, any line ends, magics and shell lines, exports of several tools.
"""

import ast
import codecs
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .statements import Digest, examine

FILE_BYTES = 200_000_000
STRUCTURE = 5_000_000  # commas and opening brackets of a notebook, outputs included
CODE = 2_000_000  # characters of code in one file
CELL = 500_000  # characters of one cell
CELLS = 10_000

BYTE_ORDER_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig"}
BYTE_ORDER_MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
MARKER = re.compile(r"^# ?%%.*$|^# In ?\[[ \d*]*\]:[ \t]*$|^# COMMAND -+[ \t]*$", re.M)
EXERCISE = re.compile(r"exercise=[\"']([\w/]+)[\"']")
HARMLESS_CELL_MAGIC = re.compile(r"%%(time|timeit|capture|prun|memit)\b")
MAYBE_MAGIC = re.compile(r"^[ \t]*[%!?]|=[ \t]*[%!]|\?[ \t;]*$|get_ipython\(", re.M)
ASSIGNED = re.compile(r"([\w.][\w., \t]*)=[ \t]*(?:[%!]|get_ipython\(\)\.)")
HELP = re.compile(r"%{0,2}[\w.*\[\]'\"]+\?{1,2}[ \t]*;?[ \t]*")
EXPORTED = re.compile(  # what nbconvert makes of a cell with a cell magic
    r"""get_ipython\(\)\.run_cell_magic\(['"]\w+['"], '[^'\\]*', ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\)\s*"""
)
TOKEN = re.compile(r"#.*|(?P<quote>\"\"\"|'''|\"|')|(?P<open>[\[({])|(?P<close>[\])}])")
STRING_END = {
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""'),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*'''"),
    '"': re.compile(r'(?:[^"\\]|\\.)*"'),
    "'": re.compile(r"(?:[^'\\]|\\.)*'"),
}
GOES_ON = re.compile(r"(?:else|elif|except|finally)\b|[ \t#)\]}]|$")  # of a line that begins no statement
NEVER_INSIDE = re.compile(r"(?:def|class|import|async def|while|with|try|return)\b|@")  # brackets


class SubmissionError(Exception):
    """The file as a whole can't be read; the message says why and what to do."""


@dataclass
class StudentCell:
    """A code cell of a submission; a statement of a script without cells counts as one, numbered by its line."""

    number: int  # from 1
    text: str
    exercise: str = ""  # as its metadata says
    file: Path = field(default_factory=Path)
    unit: str = "cell"
    magic: str = ""  # the cell magic because of which Python never runs it
    problem: str = ""  # why it is not looked at

    @property
    def label(self) -> str:
        return f"{self.unit} {self.number}"

    @cached_property
    def digest(self) -> Digest:
        return Digest(problem=self.problem) if self.problem else examine(self.text)


def read_cells(name: str, data: bytes) -> list[StudentCell]:
    """The code cells of a file; raises SubmissionError with one sentence."""
    if len(data) > FILE_BYTES:
        raise SubmissionError(f"{name} is larger than {FILE_BYTES // 10**6} MB. Clear its outputs and save it again.")
    text = _decode(data)
    cells = _script(text) if name.lower().endswith(".py") else _notebook(name, text)
    if len(cells) > CELLS:
        raise SubmissionError(f"{name} has more than {CELLS:,} cells. Hand in the course's own notebook.")
    if sum(len(cell.text) for cell in cells) > CODE:
        raise SubmissionError(f"{name} has more than {CODE:,} characters of code. Take data out of the code cells.")
    for cell in cells:
        cell.text = _clean(cell.text)
        if len(cell.text) > CELL:
            cell.text, cell.problem = "", f"it is longer than {CELL:,} characters"
        first = cell.text.lstrip().partition("\n")[0]
        if first.startswith("%%") and not HARMLESS_CELL_MAGIC.match(first):
            cell.magic = first.split()[0][:40]
        cell.text = without_magics(cell.text)
    return cells


def _decode(data: bytes) -> str:
    """Text in whatever encoding; what can't be UTF-8 is read as Windows does, so that only odd characters suffer."""
    encoding = next((e for mark, e in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    encoding = encoding or json.detect_encoding(data[:4])
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _clean(text: str) -> str:
    """Unix line ends, and no halves of characters, which could not be sent on."""
    return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()


def _notebook(name: str, text: str) -> list[StudentCell]:
    if sum(map(text.count, "[{,")) > STRUCTURE:
        raise SubmissionError(f"{name} has too many outputs to be read. Clear its outputs and save it again.")
    try:
        notebook = json.loads(text)
        raw = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        if not isinstance(raw, list):
            raise TypeError
    except RecursionError:
        raise SubmissionError(f"{name} is not a notebook: it is nested too deeply. Save it again.") from None
    except ValueError as error:
        raise SubmissionError(
            f"{name} is not a notebook: it is no JSON ({error}). Download or save it again."
        ) from None
    except (KeyError, TypeError, AttributeError, IndexError):
        raise SubmissionError(
            f"{name} is not a notebook: it has no list of cells. Download or save it again."
        ) from None
    found = (_notebook_cell(number, cell) for number, cell in enumerate(raw, 1))
    return [cell for cell in found if cell]


def _notebook_cell(number: int, cell: object) -> StudentCell | None:
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return None
    source = cell.get("source", cell.get("input", ""))
    lines = source if isinstance(source, list) else [source]
    meta = cell.get("metadata")
    mark = meta.get("exercise") if isinstance(meta, dict) else None
    text = "".join(line for line in lines if isinstance(line, str))
    return StudentCell(number, text, mark if isinstance(mark, str) else "")


def _script(text: str) -> list[StudentCell]:
    """The cells of an export, or else one cell for each top-level statement, so that one error stays one error."""
    text = _clean(text)
    marks = list(MARKER.finditer(text))
    if not marks:
        return [StudentCell(line, part, unit="line") for line, part in _top_level(text)]
    ends = [m.start() for m in marks[1:]] + [len(text)]
    found = [("", text[: marks[0].start()])] + [(m[0], text[m.end() : end]) for m, end in zip(marks, ends)]
    cells = [
        StudentCell(number, _unexported(part.strip("\n")), mark[1] if (mark := EXERCISE.search(marker)) else "")
        for number, (marker, part) in enumerate(found)
        if part.strip() and "[markdown]" not in marker and "[raw]" not in marker
    ]
    for cell in cells:
        cell.number = max(cell.number, 1)
    return cells


def _unexported(text: str) -> str:
    match = EXPORTED.fullmatch(text.strip())
    return ast.literal_eval(match[1]) if match else text


def _top_level(text: str) -> list[tuple[int, str]]:
    """(line, text) of the statements at the margin. A bracket left open ends where no bracket can hold the line."""
    found: list[tuple[int, list[str]]] = []
    depth, quote, continued, decorated = 0, "", False, False
    for number, line in enumerate(text.split("\n"), 1):
        if depth and not quote and NEVER_INSIDE.match(line):
            depth = 0
        begins = not (depth or quote or continued or GOES_ON.match(line))
        if not found or (begins and not decorated):
            found.append((number, []))
        decorated = line.startswith("@") if begins else decorated and not line[:1].strip()
        found[-1][1].append(line)
        depth, quote, continued = _after(line, depth, quote)
    return [(number, "\n".join(lines).rstrip()) for number, lines in found if any(map(str.strip, lines))]


def _after(line: str, depth: int, quote: str) -> tuple[int, str, bool]:
    """(open brackets, open string, does a backslash carry on) behind a line, from those before it."""
    place = 0
    while True:
        if quote:
            end = STRING_END[quote].match(line, place)
            if not end:
                carried = line.endswith("\\")
                return depth, quote if len(quote) == 3 or carried else "", False
            place, quote = end.end(), ""
        token = TOKEN.search(line, place)
        if not token or token[0].startswith("#"):
            return depth, "", not token and line.endswith("\\")
        place, quote = token.end(), token["quote"] or ""
        depth = max(0, depth + bool(token["open"]) - bool(token["close"]))


def without_magics(code: str) -> str:
    """IPython's `%magic`, `!shell` and `help?` lines made into `pass`; a `%%` cell of another language emptied.

    `%time STATEMENT` becomes the statement. Lines keep their numbers.
    """
    first = code.lstrip().partition("\n")[0]
    if first.startswith("%%") and not HARMLESS_CELL_MAGIC.match(first):
        return ""
    if not MAYBE_MAGIC.search(code):
        return code
    lines: list[str] = []
    depth, quote, continued, dropping = 0, "", False, False
    for line in code.split("\n"):
        if not (line or dropping or quote or continued):
            lines.append(line)
            continue
        magic = "" if dropping else None
        if not (dropping or depth or quote or continued):
            magic = _as_python(line)
        if magic is None:
            lines.append(line)
            depth, quote, continued = _after(line, depth, quote)
        else:
            lines.append(magic)
            dropping = line.rstrip().endswith("\\")
    return "\n".join(lines)


def _as_python(line: str) -> str | None:
    """What a line in IPython's own language comes to, or None where it is Python already."""
    body = line.lstrip(" \t")
    indent = line[: len(line) - len(body)]
    exported = body.startswith("get_ipython().")
    if body.startswith("%time ") and not line.endswith("\\"):
        return indent + body.removeprefix("%time ").strip()
    if body.startswith(("%", "!", "?")) or HELP.fullmatch(body) or (exported and _after(body, 0, "") == (0, "", False)):
        return f"{indent}pass"
    assigned = ASSIGNED.match(body)
    if assigned:
        return f"{indent}{assigned[1].rstrip()} = None" if "," not in assigned[1] else f"{indent}pass"
    return None
