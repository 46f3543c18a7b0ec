"""`saelab doctor`: is everything there that the course needs, and what to do where it is not."""

import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

from saelab import content, extras
from saelab.answers import progress
from saelab.content import SourceError

NEEDED = ("torch", "jaxtyping", "plotly", "pytest", "tqdm", "numpy", "scipy", "safetensors")


def examine(folder: Path | None) -> list[tuple[bool, str]]:
    """(is it well, a sentence) for each thing looked at; nothing heavy is imported."""
    return [_python(), *map(_package, NEEDED), _models(), _course(), _memory(), *_folder(folder)]


def _python() -> tuple[bool, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    well = sys.version_info >= (3, 11)
    return well, f"Python {version}" + ("" if well else " is too old: install 3.11 or later")


def _package(name: str) -> tuple[bool, str]:
    try:
        return True, f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return False, f"{name} is not installed: pip install {name}"


def _models() -> tuple[bool, str]:
    """Well also where they are missing: most sections don't need them."""
    missing = [name for name in extras.MODELS if not extras.installed(name)]
    if missing:
        return True, f"no {', no '.join(missing)}: sections that open a language model need them: {extras.command()}"
    return True, "what opens language models: " + ", ".join(
        f"{n} {importlib.metadata.version(n)}" for n in extras.MODELS
    )


def _course() -> tuple[bool, str]:
    try:
        count = len(content.exercises())
        return count > 0, f"the course has {count} exercises in {len(content.chapters())} chapters ({content.root()})"
    except (content.NoCourse, SourceError) as error:
        return False, str(error)


def _memory() -> tuple[bool, str]:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError, AttributeError):
        return True, "free memory: not known on this system"
    return free > 1, f"{free:.1f} GB of memory free" + ("" if free > 1 else ": close other programs")


def _folder(folder: Path | None) -> list[tuple[bool, str]]:
    if folder is None:
        return [(True, "no course folder here yet: `saelab start` makes one")]
    found = [(True, f"course folder {folder}")]
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        found.append((False, f"{folder} can't be written to ({error.strerror}): move it, or change its permissions"))
    entries, notes = progress.load(folder)
    found.append((not notes, notes[0] if notes else f"{progress.FILE} has {len(entries)} exercises"))
    from saelab import answers

    for path in answers.find_notebooks(folder):
        try:
            answers.read(path)
        except answers.SubmissionError as error:
            found.append((False, str(error)))
    return found
