"""A student's folder on the small course, and what one does there."""

import json

import pytest

from saelab import cli, content


@pytest.fixture
def folder(small_course, tmp_path, monkeypatch):
    """A student's folder, just started, from notebooks built for the small course."""
    import nbformat

    notebook = nbformat.v4.new_notebook()
    for exercise in content.exercises():
        meta = {"exercise": exercise.name}
        notebook.cells += [
            nbformat.v4.new_code_cell(exercise.starter, metadata=meta, id=exercise.name),
            nbformat.v4.new_code_cell(f"check({exercise.name})", id=f"check-{exercise.name}"),
        ]
    nbformat.write(notebook, small_course / "chapters/small/01_small.ipynb")
    home = tmp_path / "mine"
    assert cli.main(["start", str(home)]) == 0
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def answer(folder):
    """Put code into the cell of an exercise in the student's notebook."""

    def put(name: str, code: str) -> None:
        path = folder / "small/01_small.ipynb"
        notebook = json.loads(path.read_text())
        next(c for c in notebook["cells"] if c["metadata"].get("exercise") == name)["source"] = code
        path.write_text(json.dumps(notebook))

    return put


@pytest.fixture
def told(capsys):
    """Run a command; gives its exit status and all that it said."""

    def run(*arguments: str) -> tuple[int, str]:
        status = cli.main(list(arguments))
        output = capsys.readouterr()
        return status, output.out + output.err

    return run
