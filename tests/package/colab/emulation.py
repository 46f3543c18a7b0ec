"""A stand-in for Colab: an environment with its versions, its empty folder, and a kernel that runs notebooks there."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import nbclient
import nbformat
from packaging.requirements import Requirement

PREINSTALLED = Path(__file__).with_name("preinstalled.txt")
LIGHT = [
    "ipython",
    "ipykernel",
    "nbformat",
    "numpy",
    "pandas",
    "plotly",
    "pytest",
    "safetensors",
    "scipy",
    "tqdm",
    "transformers",
]
LARGE = re.compile(r"torch$|triton|nvidia|cuda")  # lent: linked, not installed
KEPT = re.compile(r"(?!saelab\b)[\w.-]+ ?(?:==|@).*")  # lines of `pip freeze`


class Colab:
    """An environment of its own below `folder`, or a given one, and what it had before the course came.

    With `whole`, all is installed that Colab has and the course could touch; else what the light install touches.
    Torch, which is large, is lent by the environment that runs this.
    """

    def __init__(self, folder: Path, wheel: Path, whole: bool, given: str = ""):
        self.folder, self.wheel = folder, wheel
        self.python = Path(given) if given else self._made(whole)
        spec = folder / "jupyter/kernels/colab/kernel.json"
        spec.parent.mkdir(parents=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}))
        self.before = self.frozen()
        assert not self.pip("check").returncode, "the stand-in itself must be sound"

    def _made(self, whole: bool) -> Path:
        python = self.folder / "environment/bin/python"
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        self.python = python
        wanted = ["-r", str(PREINSTALLED)] if whole else LIGHT
        needed = _needed_by_torch()
        beside = [f"{name}{versions}" for name, versions in needed.items() if not LARGE.match(name)]
        installed = self.pip("install", "-q", "-c", str(PREINSTALLED), *wanted, *beside)
        assert installed.returncode == 0, installed.stderr
        site = next((python.parents[1] / "lib").glob("python*/site-packages"))
        for name in filter(LARGE.match, needed):
            for entry in {file.parts[0] for file in importlib.metadata.files(name) or []} - {"..", "__pycache__"}:
                if not (site / entry).exists():
                    (site / entry).symlink_to(importlib.metadata.distribution(name).locate_file(entry))
        return python

    def pip(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(self.python), "-m", "pip", *arguments], env=self.environment(), capture_output=True, text=True
        )

    def forget(self) -> None:
        """Take off what has been installed since: every notebook of Colab's has a runtime of its own."""
        added = {line.split(" @ ")[0].split("==")[0] for line in self.frozen() - self.before}
        self.pip("uninstall", "-q", "-y", "saelab", *sorted(added))

    def frozen(self) -> set[str]:
        """What is installed, the course itself left out."""
        return {line for line in self.pip("freeze", "--all").stdout.splitlines() if KEPT.fullmatch(line)}

    def environment(self) -> dict[str, str]:
        ours = {"PYTHONPATH", "SAELAB_PLAIN", "SAELAB_COURSE", "SAELAB_INSTALL", "PIP_CONSTRAINT"}
        return {key: value for key, value in os.environ.items() if key not in ours}

    def run(self, name: str, cells: list, folder: Path) -> "Run":
        """Run these cells in a new kernel, in this folder, with nothing but the address of the wheel given."""
        notebook = nbformat.v4.new_notebook(cells=cells)
        before, began = dict(os.environ), time.time()
        os.environ.clear()
        os.environ |= self.environment() | {"JUPYTER_PATH": str(self.folder / "jupyter")}
        os.environ["SAELAB_INSTALL"] = self.wheel.as_uri()
        try:
            client = nbclient.NotebookClient(
                notebook, kernel_name="colab", timeout=900, resources={"metadata": {"path": str(folder)}}
            )
            client.execute()
        finally:
            os.environ.clear()
            os.environ |= before
        return Run(name, notebook, began)


class Run:
    """A notebook that has been run to its end, and when each of its cells was done."""

    def __init__(self, name: str, notebook: nbformat.NotebookNode, began: float):
        self.name, self.cells, self.began = name, notebook.cells, began

    def text(self, index: int) -> str:
        """All that a cell showed as text."""
        shown = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in self.cells[index].get("outputs", [])]
        return "\n".join(shown)

    def done(self, index: int) -> float:
        """Seconds from opening the notebook to the end of a cell."""
        stamp = self.cells[index].metadata.execution["shell.execute_reply"]
        return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() - self.began

    @property
    def pictures(self) -> int:
        outputs = (output for cell in self.cells for output in cell.get("outputs", []))
        return sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs)


def _needed_by_torch() -> dict[str, str]:
    """Torch and what it asks for in this environment, and what that asks for: name → versions."""
    found, todo = {}, [Requirement("torch")]
    while todo:
        wanted = todo.pop()
        found[wanted.name.lower().replace("_", "-")] = str(wanted.specifier)
        asked = map(Requirement, importlib.metadata.requires(wanted.name) or [])
        asked = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
        todo += [one for one in asked if one.name.lower().replace("_", "-") not in found]
    return found
