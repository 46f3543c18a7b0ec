"""Are the generated files what the sources say, the same every time, and free of solutions?"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from saelab import __version__, content
from saelab.content import read, solution_lines

ROOT = Path(__file__).resolve().parents[3]
COLAB = "https://colab.research.google.com/github"
SOURCES = [source for chapter in content.chapters() for source in content.sources(chapter)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the checkout with one small section instead of the chapters, built."""
    target = tmp_path_factory.mktemp("built") / "checkout"
    shutil.copytree(ROOT / "utils", target / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "build", target / "build", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("chapters", "tests", "solutions"):
        (target / folder).mkdir()
    saelab(target, "new", "small/triple")
    saelab(target, "build")
    return target


@pytest.fixture
def checkout(built, tmp_path):
    """A copy of it, to change and to break."""
    return shutil.copytree(built, tmp_path / "checkout")


def saelab(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The command line over another checkout."""
    code = f"import sys; sys.path.insert(0, {str(root / 'utils')!r}); from saelab import cli; sys.exit(cli.main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def files(root: Path) -> dict[str, bytes]:
    found = [p for folder in ("chapters", "solutions") for p in (root / folder).rglob("*") if p.is_file()]
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(found)}


def test_the_same_sources_give_the_same_bytes(checkout):
    before = files(checkout)
    assert len(before) == 6, sorted(before)  # design.md, the source, three files made from it, the contents page
    for path in (checkout / "solutions").rglob("*.*"):
        path.unlink()
    saelab(checkout, "build")
    assert files(checkout) == before
    assert "Nothing to do" in saelab(checkout, "build").stdout


def test_build_check_is_content_with_what_build_made(checkout):
    assert saelab(checkout, "build", "--check").returncode == 0


def test_a_cells_id_outlives_changes_to_other_cells(checkout):
    notebook = checkout / "chapters/small/01_small.ipynb"
    before = {c["id"] for c in json.loads(notebook.read_text())["cells"]}
    source = checkout / "chapters/small/01_small.py"
    source.write_text(source.read_text().replace("Let the student guess first.", "Guess first."))
    saelab(checkout, "build")
    after = {c["id"] for c in json.loads(notebook.read_text())["cells"]}
    assert len(before - after) == 1, "only the changed cell has another id"


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_no_line_of_a_solution_stands_in_an_exercise_notebook(source):
    notebook = nbformat.read(source.path.with_suffix(".ipynb"), as_version=4)
    shown = {line.strip() for c in notebook.cells for line in c.source.splitlines() if c.cell_type == "code"}
    for exercise in source.exercises:
        lines = [
            line for line in solution_lines(exercise.code) if len(line) > 12 and line[0] != "@" and line[-1] != ":"
        ]
        leaked = [line for line in lines if line in shown]
        assert not leaked, f"{exercise.id}: {leaked}"
        assert all("SOLUTION" not in line for line in shown)
    assert not any(c.outputs for c in notebook.cells if c.cell_type == "code")
    assert "misconception" not in json.dumps(notebook) and "<summary>Hint" not in json.dumps(notebook)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_a_solution_notebook_has_short_text_outputs_only(source):
    path = ROOT / "solutions" / source.chapter / f"{source.stem}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert "edit that file, not this one" in notebook.cells[0].source
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert list(output.data) == ["text/plain"] and len(output.data["text/plain"]) < 2000


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_a_reference_module_can_be_imported_by_its_path(source):
    import runpy

    module = runpy.run_path(str(ROOT / "solutions" / source.chapter / f"{source.stem}.py"))
    assert all(part in module for e in source.exercises for part in e.parts)


SOURCE, CHECK = "chapters/small/01_small.py", "tests/small/test_triple.py"
BREAK = {
    "is not what its source gives. Run `saelab build`": (SOURCE, lambda t: t.replace("points=2", "points=3")),
    "has no hint. Write `# %% [markdown] hint=1`": (
        SOURCE,
        lambda t: re.sub(r"# %% \[markdown\] hint.*\n#.*\n", "", t),
    ),
    "exercise triple: it has no check. Write tests/small/test_triple.py": (CHECK, None),
    "is a check with no exercise": ("tests/small/test_other.py", lambda t: "def test_x(): ..."),
    "is unexpected. Remove it": ("solutions/small/notes.txt", lambda t: "x"),
    "the reference fails test_a_row_gives_its_sum": (
        SOURCE,
        lambda t: t.replace("return x.sum(dim=1)", "return x.prod(dim=1)", 1),
    ),
    "the starter passes": (CHECK, lambda t: "def test_nothing(triple):\n    pass\n"),
    "01_small.ipynb is missing": ("chapters/small/01_small.ipynb", None),
    "01_small.py:18: unknown cell role 'exercize'": (SOURCE, lambda t: t.replace("# %% exercise=", "# %% exercize=")),
    "the exercise notebooks show a line of its solution": (
        SOURCE,
        lambda t: (
            t.replace("return x.sum(dim=1)", "return (x * 1.0).sum(dim=1)", 1)
            + "\n# %%\ndef given(x):\n    return (x * 1.0).sum(dim=1)\n"
        ),
    ),
}


@pytest.mark.parametrize("problem", BREAK)
def test_build_check_fails_on(problem, checkout):
    name, change = BREAK[problem]
    path = checkout / name
    if change is None:
        path.unlink()
    else:
        path.write_text(change(path.read_text() if path.exists() else ""))
    result = saelab(checkout, "build", "--check")
    assert result.returncode == 1, result.stdout + result.stderr
    assert problem in result.stdout + result.stderr, result.stdout + result.stderr


def test_a_new_exercise_starts_green(checkout):
    audit = saelab(checkout, "audit", "--json", "--seeds", "2")
    total = json.loads(audit.stdout)["total"]
    assert audit.returncode == 0, audit.stderr
    assert (total["exercises"], total["reference_passes"], total["starter_fails"]) == (1, 1, 1)
    columns = ("written", "caught", "named", "named_beside_others", "named_unfinished")
    assert total["misconceptions"] == dict.fromkeys(columns, 1)
    assert "is there already" in saelab(checkout, "new", "small/triple").stderr
    assert "is not CHAPTER/NAME" in saelab(checkout, "new", "triple").stderr


def test_an_audit_that_falls_short_says_where(checkout):
    source = checkout / SOURCE
    source.write_text(source.read_text().replace("x.sum(dim=0).expand(x.shape[0], -1).sum(dim=1)", "x.sum(dim=1)"))
    audit = saelab(checkout, "audit", "--seeds", "2")
    assert audit.returncode == 1
    assert re.search(r"01_small.py:\d+: small/triple: sums_over_the_batch passes every named test", audit.stderr)
    assert read(source).exercises[0].misconceptions[0].name == "sums_over_the_batch"


def test_with_an_address_filled_in_badges_and_set_up_cells_appear_by_build_alone(checkout):
    before = (checkout / "chapters/small/01_small.ipynb").read_text()
    assert "colab-badge" not in before and "is not published yet" in before
    (checkout / "pyproject.toml").write_text('[tool.saelab]\nrepository = "https://github.com/OWNER/NAME"\n')
    assert "is not what its source gives. Run `saelab build`" in saelab(checkout, "build", "--check").stdout
    saelab(checkout, "build")
    assert saelab(checkout, "build", "--check").returncode == 0
    for kind in ("chapters", "solutions"):
        cells = json.loads((checkout / kind / "small/01_small.ipynb").read_text())["cells"]
        head, set_up = ("".join(cell["source"]) for cell in cells[:2])
        assert f"colab-badge.svg)]({COLAB}/OWNER/NAME/blob/v{__version__}/{kind}/small/01_small.ipynb)" in head
        assert f"git+https://github.com/OWNER/NAME@v{__version__}" in set_up and "not published" not in head + set_up


@pytest.mark.parametrize("address", ["https://gitlab.com/OWNER/NAME", "https://github.com/OWNER", "github"])
def test_an_address_that_colab_cannot_open_is_told_in_one_sentence(address, checkout):
    (checkout / "pyproject.toml").write_text(f'[tool.saelab]\nrepository = "{address}"\n')
    told = saelab(checkout, "build").stderr
    assert f"pyproject.toml:2: {address!r} is no repository on GitHub" in told and told.count("\n") == 1, told
