"""How a notebook opens: title, badge, what it takes and needs, and the set-up cell that installs the course.

Where the course can be had is said once, in pyproject.toml: `repository` and `package` of [tool.saelab]. While both
are empty the course is not published: no badge is shown, no name is installed that belongs to nobody, and both places
say in a sentence what to do. The tag of the repository is "v" and the version.
"""

import ast
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from saelab import __version__, content
from saelab.content import Source, SourceError

COLAB = "https://colab.research.google.com"
GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
OPENERS = {"lab", "models", "sae_lens", "transformer_lens", "transformers", "datasets"}  # names that open a model
MODEL_RECIPE = re.compile(r"recipe\(\s*\"(?:model|exact|pocket)\.")
ADDRESS = "SAELAB_INSTALL"  # the environment variable that names another source: a wheel or a folder, as file:///…


class Published(NamedTuple):
    """Where the course can be had: an address on GitHub without a slash at the end, and a name on the package index."""

    repository: str = ""
    package: str = ""

    @property
    def tag(self) -> str:
        return f"v{__version__}"

    def colab(self, folder: str) -> str:
        """The address in Colab of a folder of notebooks, in the version that they install; "" while there is none."""
        if not self.repository:
            return ""
        return f"{self.repository.replace('https://github.com', f'{COLAB}/github')}/blob/{self.tag}/{folder}"


def published(settings: Path) -> Published:
    """What pyproject.toml says; raises SourceError for an address that no badge can be made of."""
    table = tomllib.loads(settings.read_text(encoding="utf-8")).get("tool", {}) if settings.is_file() else {}
    found = Published(**table.get("saelab", {}))
    if found.repository and not GITHUB.fullmatch(found.repository):
        line = next(n for n, text in enumerate(settings.read_text().splitlines(), 1) if found.repository in text)
        remedy = 'Colab opens notebooks from GitHub: write "https://github.com/OWNER/NAME", or leave it empty'
        raise SourceError(settings, line, f"{found.repository!r} is no repository on GitHub", remedy)
    return found


def needs_models(source: Source) -> bool:
    """Does a section open a language model, in a cell or in a check? Then it needs the extra of that name."""
    code = "\n".join(cell.text for cell in source.cells if cell.kind == "code")
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    used |= set(re.findall(r"^(?:from|import) (\w+)", code, re.M))
    checks = (content.test_file(exercise) for exercise in source.exercises)
    recipes = (MODEL_RECIPE.search(path.read_text(encoding="utf-8")) for path in checks if path.is_file())
    return not used.isdisjoint(OPENERS) or any(recipes)


ONLY_IF_MISSING = (  # at home the course is installed, in Colab it isn't
    'if not __import__("importlib.util").util.find_spec("saelab"):  # where the course is installed, nothing happens'
)
FAILED = "The course could not be installed: make sure that you are online, then run this cell again."
UNPUBLISHED = (
    "the course is not published yet. Upload the wheel that you were given, run "
    f"%env {ADDRESS}=file:///content/saelab-{__version__}-py3-none-any.whl in a new cell, then run this cell again."
)


def setup_cell(source: Source, where: Published) -> str:
    """Two lines, the same in all notebooks but for the extra."""
    extra = "[models]" if needs_models(source) else ""
    if where.package:
        wanted = f"{where.package}{extra}${{{ADDRESS}:+ @ }}${{{ADDRESS}:-=={__version__}}}"
    elif where.repository:
        wanted = f"saelab{extra} @ ${{{ADDRESS}:-git+{where.repository}@{where.tag}}}"
    else:
        wanted = f"saelab{extra} @ ${{{ADDRESS}:?{UNPUBLISHED}}}"
    return f'{ONLY_IF_MISSING}\n    %pip install -q "{wanted}" || echo "{FAILED}"'


def head(source: Source, where: Published, kind: str, note: str = "") -> str:
    """The first cell: title, note, badge, what the section takes and needs, and then what the source has there."""
    title, _, text = source.cells[0].text.partition("\n")
    keep = KEEP if kind == "chapters" else ""
    parts = [title, note, badge(source, where, kind), takes(source), keep, text.strip()]
    return "\n\n".join(part for part in parts if part)


KEEP = (
    "In Colab, begin with *File › Save a copy in Drive*, which keeps your answers. To keep your progress as well, run "
    "`from saelab import keep_in_drive; keep_in_drive()`."
)


def badge(source: Source, where: Published, kind: str) -> str:
    """The link that opens this notebook in Colab, in the version that it installs."""
    if not where.repository:
        return (
            "*There is no Colab badge yet, as the course is not published: in Colab, the set-up cell says what to do.*"
        )
    link = f"{where.colab(kind)}/{source.chapter}/{source.stem}.ipynb"
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})"


def takes(source: Source) -> str:
    """Minutes, exercises and points, and what must be there."""
    minutes, points = (sum(getattr(e, what) for e in source.exercises) for what in ("minutes", "points"))
    count = len(source.exercises)
    work = (
        f"About {minutes} minutes · {count} exercise{'s' * (count != 1)}, {points} points"
        if count
        else "To read and run"
    )
    needs = "TransformerLens and SAELens (the set-up cell installs them)" if needs_models(source) else "PyTorch"
    return f"{work} · needs {needs}, no GPU"
