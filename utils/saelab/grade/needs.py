"""What grading some exercises takes besides saelab itself, read from their text, before anything large is imported."""

import ast

from saelab import content, extras
from saelab.content import Exercise, read

MODELS = ("transformers", "transformer-lens")  # libraries that the small models of checks are made with


class NotInstalled(Exception):
    """Something that grading needs is not installed: one sentence with what to do."""


def needed(exercises: list[Exercise]) -> tuple[list[str], bool]:
    """The import statements of the setup and exercise cells up to these exercises' sections; are models needed?"""
    last = {e.chapter: e.path for e in exercises}
    texts = [text for e in {e.path: e for e in exercises}.values() for text in (*read(e.path).setup, e.code)]
    texts += [text for e in exercises if e.path == last[e.chapter] for _, _, text in content.earlier(e)]
    imports = {
        ast.unparse(node)
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    checks = (content.test_file(e).read_text(encoding="utf-8") for e in exercises)
    return sorted(imports), any("lab(" in text for text in texts) or any("recipe(" in text for text in checks)


def demand(exercises: list[Exercise]) -> None:
    """Raises NotInstalled unless all is there that grading these exercises takes."""
    if not extras.installed("torch"):
        raise NotInstalled("Grading needs torch, which is not installed here. Install it: pip install torch")
    if not needed(exercises)[1] or all(map(extras.installed, MODELS)):
        return
    opening = {e.chapter for e in exercises if needed([e])[1]}
    light = [c for c in content.chapters() if c not in opening and not needed(content.exercises(c))[1]]
    instead = f" Or grade what needs none: --chapter {light[0]}." if light else ""
    raise NotInstalled(
        f"Exercises of {', '.join(sorted(opening))} open a language model, and the libraries for that are in the extra "
        f"`models`, which is not installed. Install it: {extras.command()}{instead}"
    )
