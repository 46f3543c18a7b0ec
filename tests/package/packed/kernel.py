"""Run notebooks in a real IPython kernel, each as a student would, and see what `check` says there."""

import json
import os
from pathlib import Path

from jupyter_client.manager import KernelManager

from saelab.answers import progress

AFRESH = """\
import os as _os, sys as _sys
_os.chdir({folder!r})
_where = lambda m: f"{{getattr(m, '__file__', 0)}} {{getattr(m, '__path__', 0)}}"
for _name in [n for n, m in _sys.modules.items() if {root!r} in _where(m)]:
    del _sys.modules[_name]
_sys.path[:] = [p for p in _sys.path if {root!r} not in p]
get_ipython().run_line_magic("reset", "-f")
import sys as _sys; _sys.path.insert(0, ""); del _sys
"""


class Kernel:
    """One kernel for many notebooks, emptied between them."""

    def __init__(self, course: Path):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env={**os.environ, "SAELAB_COURSE": str(course)})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    def passed(self, student: Path) -> list[str]:
        """Run the student's notebook (or script) from top to bottom; the exercises that passed there, in order."""
        (student / progress.FILE).write_text("")
        (main,) = sorted(student.glob("*/01_packing.*"))
        self.run(AFRESH.format(folder=str(main.parent), root=str(student.parent)))
        for text in self._cells(main):
            self.run(text)
        entries = progress.load(student)[0]
        (student / progress.FILE).write_text("")
        return sorted(name.partition("/")[2] for name, entry in entries.items() if entry.status == "passed")

    def _cells(self, main: Path) -> list[str]:
        if main.suffix == ".py":
            return [f"%run {main.name}"]
        cells = json.loads(main.read_text())["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]

    def run(self, text: str) -> None:
        self.client.execute_interactive(text, allow_stdin=False, timeout=120, output_hook=lambda message: None)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
