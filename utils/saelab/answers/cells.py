"""A notebook or a script as cells: their text as plain Python, their place, the exercise they are marked with.

Reads what students send: any encoding, any line ends, magics and shell lines, exports of several tools.
"""

import codecs
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .magics import foreign, run_files, unprompted, without_magics, written_file
from .scripts import parts_of
from .statements import Digest, examine

FILE_BYTES = 100_000_000  # a notebook with many figures has 10 million
STRUCTURE = 5_000_000  # brackets and strings that are looked at to find the outputs of a large notebook
LARGE = 1_000_000  # bytes of a notebook whose outputs are taken out before it is made into objects
REST = 30_000_000  # bytes of a notebook without its outputs: pictures in its text, for the most part
OBJECTS = 2_000_000  # commas and opening brackets in that
CODE = 2_000_000  # characters of code in one file
SCRIPT, LINES = 5_000_000, 1_000_000  # characters and lines of a script with all its text
JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.S)
JSON_OUTPUTS = re.compile(rb'"outputs"\s*:\s*\[')
DISGUISED = {  # how files begin that are called .ipynb and are none
    "%pdf": "a PDF",
    "<!doctype": "a web page",
    "<html": "a web page",
    "<?xml": "a web page",
    "pk\x03\x04": "a zip, or made of one",
    "rar!": "a RAR archive",
    "7z\xbc": "a 7-Zip archive",
    "\x1f\u2039": "a compressed file",
    "\x89png": "a picture",
    "version https://git-lfs": "a pointer to a file that Git LFS keeps",
}
OUTPUTS = 3  # brackets around a cell's outputs: those of the notebook, of its list of cells, and of the cell
CELL = 500_000  # characters of one cell
CELLS = 30_000  # statements of a script without cells count as such
DEFINITION = re.compile(r"^(async def|def|class) ", re.M)

BYTE_ORDER_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig"}
BYTE_ORDER_MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class SubmissionError(Exception):
    """The file as a whole can't be read; the message says why and what to do."""


@dataclass
class StudentCell:
    """A cell of a submission; a statement of a script without cells counts as one, numbered by its line."""

    number: int  # from 1
    text: str
    exercise: str = ""  # as its metadata says
    file: Path = field(default_factory=Path)
    unit: str = "cell"
    magic: str = ""  # the cell magic because of which Python never runs it
    problem: str = ""  # why it is not looked at
    aside: str = ""  # "Markdown" or "raw", where it is no code cell; then
    prose: str = ""  # is what is written in it
    runs: list[str] = field(default_factory=list)  # files that it runs by `%run`
    line: int = 1  # in which its text begins, of the cell, or of the script that it is in
    script: str = ""  # the name of that script

    @property
    def place(self) -> str:
        """Where its lines are counted: in the cell of a notebook, or in the script as a whole."""
        return self.script or self.label

    @property
    def label(self) -> str:
        return f"{self.unit} {self.number}"

    @cached_property
    def digest(self) -> Digest:
        return Digest(problem=self.problem) if self.problem else examine(self.text)


def read_cells(name: str, data: bytes) -> list[StudentCell]:
    """The cells of a file; raises SubmissionError with one sentence."""
    if len(data) > FILE_BYTES:
        raise SubmissionError(f"{name} is larger than {FILE_BYTES // 10**6} MB. Clear its outputs and save it again.")
    notebook, written = not name.lower().endswith(".py"), []
    cells = _notebook(name, data) if notebook else _script(name, data)
    if len(cells) > CELLS:
        raise SubmissionError(f"{name} has more than {CELLS:,} cells. Hand in the course's own notebook.")
    if sum(len(cell.text) for cell in cells if not cell.aside) > CODE:
        raise SubmissionError(f"{name} has more than {CODE:,} characters of code. Take data out of the code cells.")
    prose = 0
    for cell in cells:
        cell.text = _clean(cell.text)
        if cell.aside:
            kept = DEFINITION.search(cell.text) and len(cell.text) <= CODE - prose
            cell.text, cell.prose = "", cell.text if kept else ""
            prose += len(cell.prose)
        if len(cell.text) > CELL:
            cell.text, cell.problem = "", f"it is longer than {CELL:,} characters"
        cell.text = unprompted(cell.text) if notebook else cell.text
        if wrote := written_file(cell.text):
            body = cell.text.lstrip().partition("\n")[2]
            cells_name = f"{Path(wrote).name}, cell"
            written.append(StudentCell(cell.number, body, file=Path(wrote), unit=cells_name, line=2))
        cell.magic = foreign(cell.text)
        cell.runs = run_files(cell.text)
        cell.text = without_magics(cell.text)
    return cells + written


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


def _notebook(name: str, data: bytes) -> list[StudentCell]:
    start = _decode(data[:1000]).lstrip().lower()
    if not start and not data[1000:].strip():
        raise SubmissionError(f"{name} is not a notebook: it is empty. Download or save it again.")
    disguised = next((kind for known, kind in DISGUISED.items() if start.startswith(known)), None)
    if disguised:
        raise SubmissionError(f"{name} is {disguised}, in spite of its name. Download the notebook itself (.ipynb).")
    if len(data) > LARGE:
        data = _without_outputs(name, data)
    if sum(map(data.count, (b"[", b"{", b","))) > OBJECTS:
        raise SubmissionError(f"{name} has too many outputs to be read. Clear its outputs and save it again.")
    try:
        notebook = json.loads(_decode(data))
        raw = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        if not isinstance(raw, list):
            raise TypeError
    except RecursionError:
        raise SubmissionError(f"{name} is not a notebook: it is nested too deeply. Save it again.") from None
    except ValueError as error:
        line = f" from line {error.lineno:,} on" if isinstance(error, json.JSONDecodeError) and error.lineno > 1 else ""
        raise SubmissionError(f"{name} is not a notebook: it is no JSON{line}. Download or save it again.") from None
    except (KeyError, TypeError, AttributeError, IndexError):
        raise SubmissionError(
            f"{name} is not a notebook: it has no list of cells. Download or save it again."
        ) from None
    found = (_notebook_cell(number, cell) for number, cell in enumerate(raw[: CELLS + 1], 1))
    return [cell for cell in found if cell]


def _without_outputs(name: str, data: bytes) -> bytes:
    """A notebook with all cells' outputs empty, before anything is made into objects; raises SubmissionError."""
    if data.startswith(tuple(BYTE_ORDER_MARKS)) or b"\0" in data[:4]:
        data = _decode(data).encode("utf-8", "replace")
    if sum(map(data.count, (b"[", b"{", b'"'))) > STRUCTURE:
        raise SubmissionError(f"{name} has too many outputs to be read. Clear its outputs and save it again.")
    kept, depth, begun, done = [], 0, 0, 0
    for token in JSON_TOKEN.finditer(data):
        mark = data[token.start()]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
            if begun and depth == OUTPUTS:
                kept.append(data[done:begun])
                begun, done = 0, token.start()
        elif not begun and depth == OUTPUTS and (opened := JSON_OUTPUTS.match(data, token.start())):
            begun = opened.end()
    left = sum(map(len, kept)) + len(data) - done
    if left > REST:
        raise SubmissionError(f"{name} has {left // 10**6} MB besides its outputs. Take data and pictures out of it.")
    return b"".join([*kept, data[done:]])


def _notebook_cell(number: int, cell: object) -> StudentCell | None:
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    if not isinstance(cell, dict) or kind not in ("code", "markdown", "raw"):
        return None
    source = cell.get("source", cell.get("input", ""))
    lines = source if isinstance(source, list) else [source]
    meta = cell.get("metadata")
    mark = meta.get("exercise") if isinstance(meta, dict) else None
    text = "".join(line for line in lines if isinstance(line, str))
    aside = {"markdown": "Markdown", "raw": "raw"}.get(kind, "")
    return StudentCell(number, text, mark if isinstance(mark, str) else "", aside=aside)


def _script(name: str, data: bytes) -> list[StudentCell]:
    if len(data) > 4 * SCRIPT or max(data.count(b"\n"), data.count(b"\r")) > LINES:
        raise SubmissionError(f"{name} is no script of {LINES:,} lines at most. Take data out of it.")
    text = _clean(_decode(data))
    if len(text) > SCRIPT:
        raise SubmissionError(f"{name} has more than {SCRIPT:,} characters. Take data out of it.")
    found = []
    for p in parts_of(text, CELLS):
        cell = StudentCell(p.number, p.text, p.exercise, unit=p.unit, aside=p.aside)
        cell.line, cell.script = (p.line, Path(name).name) if p.line else (1, "")
        found.append(cell)
    return found
