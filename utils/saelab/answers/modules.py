"""A student's own modules: the .py files beside a notebook, found as Python would find them from there.

They are not written to disk: `install` hands their text to Python's import system, behind everything that is
installed, so that none hides a library; packages, relative imports and imports inside functions work as usual.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath

from .cells import StudentCell

INSTALL = "from saelab.answers import modules as _m\n_m.install({found!r}, display=display)\ndel _m\n"
DEPTH = 10  # folders of a package


def own_modules(cells: Iterable[StudentCell], home: Path, wanted: set[str]) -> dict[str, tuple[str, bool]]:
    """Dotted name → (text, is it a package?) of what these imports need, from a notebook in the folder `home`."""
    files: dict[Path, list[StudentCell]] = {}
    for cell in cells:
        if cell.file.suffix.lower() == ".py" and not cell.aside:
            files.setdefault(cell.file, []).append(cell)
    found: dict[str, tuple[str, bool]] = {}
    there = {part for path in files for part in path.with_suffix("").parts}
    queue, seen = sorted(wanted & there), set(wanted)
    while queue:
        top = queue.pop()
        root = None if is_installed(top) else _nearest(files, home, top)
        for path, its in files.items() if root is not None else ():
            parts = _below(root, path)  # type: ignore[arg-type]
            if not parts or parts[0] != top:
                continue
            package = parts[-1] == "__init__"
            found[".".join(parts[:-1] if package else parts)] = (_text(its), package)
            new = (set().union(*(s.modules for c in its for s in c.digest.statements)) & there) - seen
            seen |= new
            queue += sorted(new)
    for name in list(found):  # folders without an __init__ are packages too
        above = name.rpartition(".")[0]
        while above and above not in found:
            found[above] = ("", True)
            above = above.rpartition(".")[0]
    return found


def _text(cells: list[StudentCell]) -> str:
    """The cells of a file as one text, in which the lines of a script are those of its file."""
    lines: list[str] = []
    for cell in cells:
        lines += [""] * (cell.line - 1 - len(lines) if cell.script else 0)
        lines += cell.text.split("\n")
    return "\n".join(lines)


def _below(root: Path, path: Path) -> tuple[str, ...]:
    """How a file is called as a module by who stands in `root`; () if it isn't below, or has no such name."""
    if root not in path.parents:
        return ()
    parts = path.with_suffix("").relative_to(root).parts
    return parts if len(parts) <= DEPTH and all(part.isidentifier() for part in parts) else ()


def _nearest(files: Iterable[Path], home: Path, top: str) -> Path | None:
    """The folder in which the module or package `top` lies: the notebook's own, else the nearest one."""
    roots = set()
    for path in files:
        parts = path.with_suffix("").parts
        roots |= {path.parents[len(parts) - 1 - i] for i, part in enumerate(parts) if part == top}
    return min(roots, key=lambda root: (_distance(home, root), root.parts), default=None)


def _distance(one: PurePath, other: PurePath) -> int:
    """Steps from one folder to another, up counting less than down."""
    common = sum(1 for _ in _shared(one.parts, other.parts))
    return len(one.parts) - common + 3 * (len(other.parts) - common)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> Iterable[str]:
    for a, b in zip(one, other):
        if a != b:
            return
        yield a


def is_installed(module: str) -> bool:
    """Is it a library's, by a file of its own? What merely lies in the folder that saelab was started in is none."""
    if module in sys.stdlib_module_names:
        return True
    if module in sys.modules:
        spec = getattr(sys.modules[module], "__spec__", None)
        return not isinstance(getattr(spec, "loader", None), _Loader)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    here = Path.cwd()
    return bool(spec and spec.origin and Path(spec.origin).parent not in (here, here / module))


def install(found: dict[str, tuple[str, bool]], **more) -> None:
    """Make these modules importable in this process, in place of any that were made so before.

    `more` are names that a notebook's Python has built in, as `display`.
    """
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name, module in list(sys.modules.items()):
        if isinstance(getattr(getattr(module, "__spec__", None), "loader", None), _Loader):
            del sys.modules[name]
    sys.meta_path.append(_Finder(found, more))


class _Loader(importlib.abc.Loader):
    def __init__(self, name: str, text: str, more: dict):
        self.name, self.text, self.more = f"{name.replace('.', '/')}.py", text, more

    def exec_module(self, module) -> None:
        filename = f"<{self.name}:0>"
        linecache.cache[filename] = (len(self.text), None, self.text.splitlines(keepends=True), filename)
        module.__dict__.update(self.more)
        exec(compile(self.text, filename, "exec", dont_inherit=True), module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, found: dict[str, tuple[str, bool]], more: dict):
        self.found, self.more = found, more

    def find_spec(self, fullname: str, path=None, target=None):
        if fullname not in self.found:
            return None
        text, package = self.found[fullname]
        return importlib.machinery.ModuleSpec(fullname, _Loader(fullname, text, self.more), is_package=package)
