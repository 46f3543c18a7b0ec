"""The cells that show a section's analysis on gpt2-small, run with a tiny one from a hub on this machine.

Of each section only what its cell needs is run before it: the names it uses, and what these need in turn. Run as a
script this file is that session, a process of its own in which the hub is where HF_ENDPOINT says.
"""

import ast
import contextlib
import importlib
import io
import json
import re
import sys
import traceback
from pathlib import Path

import pytest

from saelab import content

sys.path.insert(0, str(Path(__file__).parent))
standin_hub = importlib.import_module("standin_hub")
BEGINS = 'lab("gpt2-small")'
SECTIONS = {source.stem: source for source in content.sources("interpretation")}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each section's cell printed, or how it failed."""
    folder = tmp_path_factory.mktemp("hub")
    models = standin_hub.tiny_hub(folder / "hub") / "models"
    standin_hub.tiny_gpt2(
        models / "openai-community/gpt2", standin_hub.tokenizer("<|endoftext|>"), layers=12, length=128
    )
    sites = {site for source in SECTIONS.values() for site in re.findall(r"blocks\.\d+\.hook_resid_pre", cell(source))}
    for site in sites - {"blocks.1.hook_resid_pre"}:  # that one is there
        standin_hub.gpt2_dictionary(models / "jbloom/GPT2-Small-SAEs-Reformatted" / site, site, d_sae=1024)
    with standin_hub.serving(folder / "hub") as running:
        return standin_hub.session(__file__, running, folder / "home")


@pytest.mark.parametrize("stem", SECTIONS)
def test_the_cell_on_a_real_model_runs_to_its_end(stem, said):
    assert "Traceback" not in said[stem] and "Skipped" not in said[stem], said[stem]
    assert said[stem].count("\n") >= 2, "it prints more than how much memory is needed"


def cell(source: content.Source) -> str:
    """The last cell that is about gpt2-small, or nothing."""
    return next((cell.text for cell in reversed(source.cells) if cell.kind == "code" and BEGINS in cell.text), "")


def what_it_needs(source: content.Source) -> str:
    """The cell, and before it the statements of the section by which its names are bound."""
    before: list[ast.stmt] = []
    for one in source.cells:
        if one.text == cell(source):
            break
        if one.kind == "code":
            before += ast.parse(one.text).body
    needed, chosen = used_by(ast.parse(cell(source))), [cell(source)]
    for statement in reversed(before):
        if bound_by(statement) & needed:
            chosen.append(ast.unparse(statement))
            needed |= used_by(statement)
    return "\n".join(reversed(chosen))


def used_by(tree: ast.AST) -> set[str]:
    """Names that it takes from outside; what a function or a whole cell binds is its own."""
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    if isinstance(tree, (ast.FunctionDef, ast.ClassDef, ast.Module)):
        own |= names_in(tree, ast.Store)
    return names_in(tree, ast.Load) - own


def bound_by(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(name.asname or name.name).partition(".")[0] for name in statement.names}
    return names_in(statement, ast.Store)


def names_in(tree: ast.AST, how: type) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, how)}


def session() -> dict[str, str]:
    said = {}
    for stem, source in SECTIONS.items():
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            try:
                exec(compile(what_it_needs(source), stem, "exec"), {})
            except Exception:
                print(traceback.format_exc())
        said[stem] = told.getvalue()
    return said


if __name__ == "__main__":
    print(json.dumps(session()))
