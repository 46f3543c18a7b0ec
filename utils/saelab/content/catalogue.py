"""Where the course lies, which exercises it has, and the code of each as a namespace.

The sources are the only register: chapters are the folders of `chapters/` (ordered by the number
in the heading of their `design.md`), exercises come in the order of the files and of the cells.
"""

import difflib
import os
import re
import types
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path

from .source import Exercise, Source, Variant, read

PACKAGE = Path(__file__).resolve().parents[1]


class UnknownExercise(Exception):
    """No exercise or chapter of that name; the message offers the nearest ones."""


class NoCourse(Exception):
    """The course's content is not where it should be."""


def root() -> Path:
    """The folder that holds chapters/, solutions/ and tests/: the checkout if there is one, else the wheel's.

    SAELAB_COURSE names another one, for content under way.
    """
    chosen = os.environ.get("SAELAB_COURSE")
    for folder in [Path(chosen)] if chosen else [PACKAGE.parents[1], PACKAGE / "_course"]:
        if (folder / "chapters").is_dir():
            return folder
    raise NoCourse(
        "The course's chapters are missing beside the package. Install the course again, the way you did at first."
    )


def is_checkout() -> bool:
    """True where the authors' files are there too, so that content can be built."""
    return (root() / "build" / "notebooks.py").is_file()


def chapters() -> list[str]:
    """Names of the chapters that have sources, in the order of the course."""
    places = [place for place in (root() / "chapters").iterdir() if place.is_dir()]
    folders = [folder for folder in places if any(folder.glob("[0-9]*.py"))]
    return [folder.name for folder in sorted(folders, key=lambda f: (chapter_heading(f.name)[0], f.name))]


def chapter_heading(chapter: str) -> tuple[int, str]:
    """Number and title of a chapter, from `# 1 · Superposition` at the top of its design.md."""
    page = root() / "chapters" / chapter / "design.md"
    match = re.match(r"# (\d+) · (.+)", page.read_text(encoding="utf-8")) if page.is_file() else None
    return (int(match[1]), match[2]) if match else (99, chapter)


def sources(chapter: str) -> list[Source]:
    """The sources of one chapter in reading order; raises UnknownExercise, SourceError."""
    folder = root() / "chapters" / chapter
    if not folder.is_dir():
        raise UnknownExercise(f"There is no chapter {chapter!r}.{nearest(chapter, chapters())}")
    return [read(path) for path in _files(folder, folder.stat().st_mtime_ns)]


@lru_cache(maxsize=64)
def _files(folder: Path, _mtime: int) -> list[Path]:
    return sorted(folder.glob("[0-9]*.py"))


def exercises(chapter: str | None = None) -> list[Exercise]:
    """All exercises of a chapter, or of the course, in order."""
    names = [chapter] if chapter else chapters()
    return [exercise for name in names for source in sources(name) for exercise in source.exercises]


def before(exercise: Exercise) -> list[Exercise]:
    """The exercises of the same chapter that stand before this one, in order."""
    chapter = exercises(exercise.chapter)
    return chapter[: [e.id for e in chapter].index(exercise.id)]


def part_names() -> set[str]:
    """The names of all functions and classes that exercises ask for."""
    return {part for exercise in exercises() for part in exercise.parts}


def counts_with(exercise: Exercise) -> Exercise | None:
    """The exercise that must earn something for this one to count: its answer is known or not, never computed."""
    name = exercise.meta.get("counts_with")
    return next((e for e in exercises(exercise.chapter) if e.name == name), None) if name else None


def find(name: str) -> Exercise:
    """The exercise of that name: `chapter/name`, its number as `1.6`, or just `name` (or one of its parts).

    Raises UnknownExercise where there is none, or more than one.
    """
    everything, name = exercises(), name.strip()
    found = [e for e in everything if name in (e.id, e.name, number(e))] or [e for e in everything if name in e.parts]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownExercise(f"{name!r} is in more than one chapter: say {' or '.join(e.id for e in found)}.")
    ids = {part: e.id for e in everything for part in (*e.parts, e.name)}
    near = list(dict.fromkeys(ids[n] for n in _alike(name.rpartition("/")[2], list(ids))))
    raise UnknownExercise(f"There is no exercise {name!r}.{nearest(name, [e.id for e in everything], near)}")


def named(name: str) -> list[Exercise]:
    """The exercises of a chapter (its name or number) or of a section (its notebook), or the one that `find` finds."""
    known = chapters()
    numbers = {str(chapter_heading(chapter)[0]): chapter for chapter in known}
    if name in known or name in numbers:
        return exercises(numbers.get(name, name))
    path = Path(name)
    stem = path.stem if path.suffix in (".ipynb", ".py") else path.name
    found = [e for e in exercises() if e.path.stem == stem and path.parent.name in ("", e.chapter)]
    return found or [find(name)]


def nearest(name: str, known: list[str], near: list[str] | None = None) -> str:
    """` Did you mean …?`, with the names most like the one given, or else what there is."""
    near = near or _alike(name, known)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    return f" There are: {', '.join(known)}." if len(known) <= 8 else " `saelab status` lists them all."


def _alike(name: str, known: list[str]) -> list[str]:
    """Up to three that a slip of the finger can have made this name of, or else that have it in them."""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.6 if len(name) < 4 else 0.7)  # two letters of three
    near = near or [each for each in lower if len(name) > 2 and name.lower() in each][:3]
    return [lower[each] for each in near]


def test_file(exercise: Exercise) -> Path:
    return root() / "tests" / exercise.chapter / f"test_{exercise.name}.py"


def number(exercise: Exercise) -> str:
    """Where the exercise stands in the course, as `1.6`."""
    names = [e.name for e in exercises(exercise.chapter)]
    return f"{chapter_heading(exercise.chapter)[0]}.{names.index(exercise.name) + 1}"


def reference(chapter: str) -> types.SimpleNamespace:
    """Every exercise of a chapter, solved: `reference("superposition").dimensionality(W)`."""
    return Solved(chapter, lambda: [(_parts(source), partial(solved, source)) for source in sources(chapter)])


def _parts(source: Source) -> list[str]:
    return [part for exercise in source.exercises for part in exercise.parts]


class Solved(types.SimpleNamespace):
    """The solutions of sections (parts, what makes them), each made when the first of its names is asked for."""

    def __init__(self, chapter: str, sections: Callable[[], Iterable[tuple[list[str], Callable[[], dict]]]]):
        super().__init__(_chapter=chapter, _sections=sections)

    def __getattr__(self, name: str):
        for parts, made in self._sections():
            if name in parts:
                return made()[name]
        raise AttributeError(f"{self._chapter} has no exercise {name!r}.{nearest(name, self.__dir__())}")

    def __dir__(self) -> list[str]:
        return [part for parts, _ in self._sections() for part in parts]


def earlier(exercise: Exercise) -> list[tuple[str, list[str], str]]:
    """The sections before that of an exercise, solved: chapter, parts, text of the reference module of each."""
    found: list[tuple[str, list[str], str]] = []
    for chapter in chapters():
        for source in sources(chapter):
            if source.path == exercise.path:
                return found
            found.append((chapter, _parts(source), module_text(source)))
    return found


def module_text(source: Source) -> str:
    """The reference module of a source: its setup cells and its exercises, solved."""
    kept = [cell.text for cell in source.cells if cell.role in ("setup", "exercise")]
    return "\n\n\n".join(kept) + "\n"


def solved(source: Source) -> dict:
    """The namespace of a source's reference module (made once while the file is unchanged)."""
    return _solved(source.path, source.path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _solved(path: Path, _mtime: int) -> dict:
    module = types.ModuleType(f"saelab_reference.{path.parent.name}.{path.stem[3:]}")
    exec(compile(module_text(read(path)), f"<solution of {path.stem}>", "exec"), module.__dict__)
    return module.__dict__


def reference_parts(exercise: Exercise) -> dict:
    """Part name → reference function or class."""
    namespace = solved(read(exercise.path))
    return {part: namespace[part] for part in exercise.parts}


def variant_parts(exercise: Exercise, variant: Variant, beside: dict | None = None) -> dict:
    """The reference's parts, with one replaced by a misconception or an alternative, whose code uses `beside`."""
    namespace = dict(solved(read(exercise.path)), **(beside or {}))
    exec(compile(variant.code, f"<{variant.name}>", "exec"), namespace)
    return {part: namespace[part] for part in exercise.parts} | {variant.part: namespace[variant.name]}


def starter_parts(exercise: Exercise) -> dict:
    """The parts as a student first finds them: they raise NotImplementedError."""
    namespace = dict(solved(read(exercise.path)))
    exec(compile(exercise.starter, f"<starter of {exercise.name}>", "exec"), namespace)
    return {part: namespace[part] for part in exercise.parts}
