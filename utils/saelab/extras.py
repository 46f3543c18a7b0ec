"""What the light install leaves out, and what to say where it is wanted.

`saelab` alone has all that checks and plots need; whatever opens a language model needs the extra `models` as well.
"""

import importlib.util
import sys
from importlib import metadata

MODELS = ("transformer-lens", "sae-lens", "transformers", "datasets", "huggingface-hub", "psutil")


class MissingExtra(ImportError):
    """A library of the extra `models` is wanted and not installed: one sentence with the command."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone."""
        return [str(self)]


def demand(*libraries: str) -> None:
    """Raises MissingExtra unless these libraries of the extra, `MODELS` if none is given, are installed."""
    missing = [name for name in libraries or MODELS if not installed(name)]
    if missing:
        raise MissingExtra(
            f"This needs {' and '.join(missing)}, which the light install of the course leaves out. Install it (in a "
            f"notebook with % in front), then run this again: {command()}"
        )


def installed(library: str) -> bool:
    """Can it be imported? It isn't."""
    module = library.replace("-", "_")
    return sys.modules.get(module) is not None or importlib.util.find_spec(module) is not None


def command() -> str:
    """The line that installs what is missing of the extra, in versions that the course works with."""
    versions = _versions()
    return "pip install " + " ".join(f'"{name}{versions.get(name, "")}"' for name in MODELS if not installed(name))


def _versions() -> dict[str, str]:
    """Library → the versions that the installed package asks for, as in ">=3,<4"; empty in a bare checkout."""
    try:
        lines = [line.partition(";")[0].strip().replace("_", "-") for line in metadata.requires("saelab") or []]
    except metadata.PackageNotFoundError:
        return {}
    return {name: line[len(name) :] for name in MODELS for line in lines if line.startswith(name)}
