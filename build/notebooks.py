"""Make exercise notebooks, solution notebooks and reference modules from the chapter sources.

Behind `saelab build`. Same sources, same bytes: cell ids come from the content, nothing from the
clock. `saelab build --check` writes nothing and lists what is stale, missing or unexpected.
"""

import functools
import hashlib
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat

from saelab import checking, content
from saelab.content import Cell, Exercise, Source, SourceError, solution_lines
from saelab.desk import contents
from saelab.files import write_atomically
from saelab.report import Report, TestResult

ROOT = Path(__file__).resolve().parents[1]
opening, closing = (
    SimpleNamespace(**runpy.run_path(str(ROOT / "build" / name)))  # beside this file, in no package
    for name in ("opening.py", "closing.py")
)
CHECK_TAG = "nbval-check-output"


def outputs_of(source: Source) -> dict[Path, str]:
    """The three files made from a source: path → text."""
    solutions = ROOT / "solutions" / source.chapter
    return {
        source.path.with_suffix(".ipynb"): dump(exercise_notebook(source)),
        solutions / f"{source.stem}.ipynb": dump(solution_notebook(source)),
        solutions / f"{source.stem}.py": reference_module(source),
    }


def exercise_notebook(source: Source) -> nbformat.NotebookNode:
    """The student's notebook: text, setup, starters; no hints, no solutions, no outputs."""
    cells = _opening(source, "chapters")
    for cell, raw in _paired(source)[1:]:
        if cell.role == "exercise":
            exercise = _exercise(source, cell)
            cells += [_markdown(caption(exercise)), _code(exercise.starter, _exercise_meta(exercise))]
        elif cell.role in (None, "setup"):
            cells.append(_copy(raw))
    return _notebook(source, [*cells, _closing(source, "chapters")], "exercises")


def solution_notebook(source: Source) -> nbformat.NotebookNode:
    """The worked notebook: everything but misconceptions and alternatives, hints folded.

    Its only outputs are what the checks say; nbval compares them with what they do say.
    """
    cells = _opening(source, "solutions")
    for cell, raw in _paired(source)[1:]:
        if cell.role == "exercise":
            exercise = _exercise(source, cell)
            cells += [_markdown(caption(exercise)), _code(cell.text, _exercise_meta(exercise))]
        elif cell.role == "hint":
            summary = f"<details><summary>Hint {cell.value}</summary>\n\n{cell.text}\n\n</details>"
            cells.append(_markdown(summary))
        elif is_check(cell):
            cells.append(_checked(source, cell))
        elif cell.role in (None, "setup"):
            cells.append(_copy(raw))
    return _notebook(source, [*cells, _closing(source, "solutions")], "solutions")


def reference_module(source: Source) -> str:
    """Setup cells and solved exercises as an importable module."""
    header = f"# Generated from {source.path.relative_to(ROOT)} by `saelab build`: edit that file, not this one.\n"
    return f'{header}"""{source.title}: the exercises of this section, solved."""\n\n{content.module_text(source)}'


def _opening(source: Source, kind: str) -> list[nbformat.NotebookNode]:
    """The first two cells: the title with what belongs to it, and the set-up cell."""
    where = opening.published(ROOT / "pyproject.toml")
    made_from = f"*Solutions. Generated from `{_short(source.path)}` by `saelab build`: edit that file, not this one.*"
    head = opening.head(source, where, kind, made_from if kind == "solutions" else "")
    return [_markdown(head), _code(opening.setup_cell(source, where))]


def _closing(source: Source, kind: str) -> nbformat.NotebookNode:
    """The last cell: where to go from here."""
    return _markdown(closing.last_cell(source, kind, opening.published(ROOT / "pyproject.toml").colab("chapters")))


def contents_page() -> tuple[Path, str]:
    """The contents page beside the chapters: without progress, and with what the student's own has to know."""
    where = opening.published(ROOT / "pyproject.toml")
    colab = where.colab("chapters")
    made = contents.notebook(contents.page({}, colab), {"repository": where.repository, "colab": colab})
    nbformat.validate(made)
    return content.root() / "chapters" / contents.FILE, contents.dump(made)


def caption(exercise: Exercise) -> str:
    """The line above an exercise: what it is worth, how long it takes, where help is."""
    graded = " · ".join(f"{key} {contents.dots(exercise, key)}" for key in STARS if key in exercise.meta)
    worth = f"{exercise.points} point{'s' * (exercise.points != 1)} · about {exercise.minutes} minutes"
    stuck = f'stuck? `hint("{exercise.name}")`'
    return f"**Exercise {content.number(exercise)} · `{exercise.name}`** · {worth} · {graded} · {stuck}"


STARS = ("difficulty", "importance")


def is_check(cell: Cell) -> bool:
    """A cell that is nothing but one call of `check`."""
    return cell.kind == "code" and re.fullmatch(r"check\([\w, ]+\)", cell.text.strip()) is not None


def dump(notebook: nbformat.NotebookNode) -> str:
    """Notebook → text, with ids that stay as long as the cell's content does."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = cell.metadata.get("exercise", "").replace("_", "-")
        digest = hashlib.sha256(f"{cell.cell_type}\0{cell.source}".encode()).hexdigest()[:8]
        key = f"exercise-{name}" if name else digest
        seen[key] = seen.get(key, 0) + 1
        cell.id = key if seen[key] == 1 else f"{key}-{seen[key]}"
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _paired(source: Source) -> list[tuple[Cell, nbformat.NotebookNode]]:
    raw = jupytext.reads(source.path.read_text(encoding="utf-8"), fmt="py:percent").cells
    return list(zip(source.cells, raw, strict=True))


def _exercise(source: Source, cell: Cell) -> Exercise:
    return next(e for e in source.exercises if e.name == cell.value)


def _exercise_meta(exercise: Exercise) -> dict:
    return {"exercise": exercise.name, "chapter": exercise.chapter, "points": exercise.points}


def _checked(source: Source, cell: Cell) -> nbformat.NotebookNode:
    """A check cell with the report of an exercise that passes."""
    name = cell.text[len("check(") :].split(",")[0].strip(" )\n")
    exercise = next((e for e in source.exercises if name == e.name), None)
    if exercise is None:
        remedy = "Name the exercise's function first, and put the cell into the exercise's file"
        raise SourceError(source.path, cell.line, f"check({name}) names no exercise of this file", remedy)
    if not content.test_file(exercise).is_file():
        remedy = f"Write {_short(content.test_file(exercise))}"
        raise SourceError(source.path, exercise.line, "it has no check", remedy, exercise.name)
    tests = [TestResult(test, "passed") for test, _, _ in checking.tests_of(exercise)]
    report = Report(exercise.id, "passed", exercise.points, tests)
    result = nbformat.v4.new_output("execute_result", {"text/plain": str(report)}, execution_count=1)
    meta = {"tags": [CHECK_TAG]}  # nbval compares outputs of cells with this tag and a count
    return nbformat.v4.new_code_cell(cell.text, metadata=meta, outputs=[result], execution_count=1)


def _copy(raw: nbformat.NotebookNode) -> nbformat.NotebookNode:
    meta = {key: value for key, value in raw.metadata.items() if key in ("tags", "setup")}
    return (_code if raw.cell_type == "code" else _markdown)(raw.source, meta)


def _code(text: str, meta: dict | None = None) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(text, metadata=meta or {})


def _markdown(text: str, meta: dict | None = None) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text, metadata=meta or {})


def _notebook(source: Source, cells: list, kind: str) -> nbformat.NotebookNode:
    meta = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "saelab": {"chapter": source.chapter, "section": source.stem, "kind": kind},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=meta)


def build() -> list[Path]:
    """Write every generated file that isn't as it should be; returns those written."""
    written = []
    for path, text in _everything().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)
            written.append(path)
    return written


def problems() -> list[str]:
    """Everything `--check` fails on, one sentence each, ending in what to do."""
    found = []
    files = _everything()
    for path, text in files.items():
        if not path.is_file():
            found.append(f"{_short(path)} is missing. Run `saelab build`.")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{_short(path)} is not what its source gives. Run `saelab build`.")
    for chapter in content.chapters():
        found += [p for exercise in content.exercises(chapter) for p in _exercise_problems(exercise)]
        found += _unexpected(chapter, files)
    return found


def _everything() -> dict[Path, str]:
    all_sources = [source for chapter in content.chapters() for source in content.sources(chapter)]
    made = {path: text for source in all_sources for path, text in outputs_of(source).items()}
    return made | dict([contents_page()])


def _exercise_problems(exercise: Exercise) -> list[str]:
    where = f"{_short(exercise.path)}:{exercise.line}: exercise {exercise.name}"
    found = []
    if not exercise.hints:
        found.append(f"{where} has no hint. Write `# %% [markdown] hint=1` cells below it.")
    found += _leaks(exercise, where)
    report = checking.run(exercise, content.reference_parts(exercise))
    if not report.passed:
        first = next(iter(report.failures), None)
        remedy = f"Run `saelab audit --exercise {exercise.id}`."
        found.append(f"{where}: the reference fails {first.name if first else 'its check'}. {remedy}")
    if checking.run(exercise, content.starter_parts(exercise)).status != "not-started":
        found.append(
            f"{where}: the starter passes, or fails without being told that it is not written yet. Let a test call it."
        )
    return found


def _leaks(exercise: Exercise, where: str) -> list[str]:
    """Lines of the solution that an exercise notebook of the chapter shows all the same."""
    lines = solution_lines(exercise.code)  # the head of a loop or a branch gives nothing away
    secret = {line for line in lines if len(line) >= 20 and not line.startswith("#") and not line.endswith(":")}
    remedy = "Write the given code another way, or use `reference(…)`."
    return [
        f"{where}: the exercise notebooks show a line of its solution: {line!r}. {remedy}"
        for line in sorted(secret & _shown(exercise.chapter))
    ]


@functools.cache
def _shown(chapter: str) -> frozenset[str]:
    """The lines of code in the exercise notebooks of a chapter."""
    cells = (cell for source in content.sources(chapter) for cell in exercise_notebook(source).cells)
    return frozenset(line.strip() for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines())


def _unexpected(chapter: str, files: dict[Path, str]) -> list[str]:
    found = []
    names = {f"test_{e.name}.py" for e in content.exercises(chapter)}
    for path in sorted((ROOT / "tests" / chapter).glob("*.py")):
        if path.name not in names:
            found.append(f"{_short(path)} is a check with no exercise. Rename or remove it.")
    for folder in ("chapters", "solutions"):
        for path in sorted((ROOT / folder / chapter).rglob("*")):
            source = folder == "chapters" and (path.name == "design.md" or re.match(r"\d\d_\w+\.py$", path.name))
            hidden = any(part.startswith((".", "__")) for part in path.parts[-2:])
            if path.is_file() and path not in files and not source and not hidden:
                found.append(f"{_short(path)} is unexpected. Remove it, or move it out of {folder}/.")
    return found


def _short(path: Path) -> str:
    """A path as messages name it; that of a course outside of the checkout (SAELAB_COURSE) as it is."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main(arguments: list[str]) -> int:
    """`--check` looks, otherwise writes; returns the exit status."""
    try:
        if "--check" in arguments:
            found = problems()
            print("\n".join(found) or "Every generated file is up to date, every exercise has its check and hints.")
            return 1 if found else 0
        written = build()
        print("\n".join(f"wrote {_short(path)}" for path in written) or "Nothing to do: all files are up to date.")
    except (SourceError, content.NoCourse, checking.CheckError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
