"""The files the course is published with: the pocket model, its dictionaries and controls.

They lie in this package's `assets/`, as safetensors and json. `assets/manifest.json` lists
every file with its size and sha256, and under further headings what is known of them:

    {"files": {"model/model.safetensors": {"sha256": "…", "bytes": 1234}, …},
     "seed": {"model": 0, …}, "gates": {"model": {…}}, …}
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from saelab.files import write_atomically

ROOT = Path(__file__).parents[1] / "assets"
_verified: dict[Path, tuple[int, int]] = {}  # file → (bytes, time of change) when it was last found whole


def path(name: str) -> Path:
    """The folder or file `name` in the assets, after its files were compared with the manifest.

    `name` is relative, as in "model" or "dictionaries/blocks.2.hook_resid_post/topk". A file is
    read once a process, and again only where it has changed since.

    Raises ValueError for a name that the manifest doesn't have, FileNotFoundError for a file that
    is missing, truncated or altered; both in one sentence that says what to do.
    """
    found = names(name)
    if not found:
        raise ValueError(_unknown(name))
    for file in found:
        _verify(file, manifest()["files"][file])
    return ROOT / name


def names(under: str = "") -> list[str]:
    """The files below a folder (or the file of this name) that the manifest lists, sorted; none is fine."""
    prefix = under.strip("/")
    return sorted(f for f in manifest()["files"] if not prefix or f == prefix or f.startswith(f"{prefix}/"))


def facts(name: str) -> dict[str, Any]:
    """What was recorded about an asset beside its files: {"seed": 0, "gates": {…}, …}."""
    sections = {key: value for key, value in manifest().items() if key != "files"}
    return {key: value[name] for key, value in sections.items() if isinstance(value, dict) and name in value}


def manifest() -> dict[str, Any]:
    """The whole manifest; without one, a manifest of no files."""
    file = ROOT / "manifest.json"
    return _read(file, file.stat().st_mtime_ns) if file.is_file() else {"files": {}}


def record(name: str | Path, **facts: Any) -> None:
    """Write a folder or file of the assets into the manifest, as it is now, with these facts about it.

    `record("model", seed=0, gates={…})` replaces what was listed below "model" and sets
    manifest["seed"]["model"] and manifest["gates"]["model"]. For build scripts: one process at a time.
    """
    place = ROOT / name
    if not place.exists():
        raise FileNotFoundError(f"{place} is not there: write the files first, then record them.")
    name = place.relative_to(ROOT).as_posix()
    new = json.loads(json.dumps(manifest()))
    for old in names(name):
        del new["files"][old]
    for file in [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]:
        new["files"][file.relative_to(ROOT).as_posix()] = {"sha256": _sha256(file), "bytes": file.stat().st_size}
    for section, fact in facts.items():
        new.setdefault(section, {})[name] = fact
    new["files"] = dict(sorted(new["files"].items()))
    write_atomically(ROOT / "manifest.json", json.dumps(new, indent=1, ensure_ascii=False) + "\n")
    _read.cache_clear()


@lru_cache(maxsize=1)
def _read(file: Path, _mtime: int) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        content["files"].keys()
    except (ValueError, KeyError, TypeError, AttributeError):
        told = f"{_shown('manifest.json')} can't be read as a list of files. {_how_to_restore()}"
        raise FileNotFoundError(told) from None
    return content


def _verify(name: str, listed: dict[str, Any]) -> None:
    file = ROOT / name
    if not file.is_file():
        raise FileNotFoundError(f"{_shown(name)} is missing. {_how_to_restore()}")
    state = (file.stat().st_size, file.stat().st_mtime_ns)
    if _verified.get(file) == state:
        return
    if state[0] != listed["bytes"]:
        how = "truncated" if state[0] < listed["bytes"] else "longer than it was"
        problem = f"{how}: {state[0]:,} of {listed['bytes']:,} bytes"
    elif _sha256(file) != listed["sha256"]:
        problem = "altered: the right length, another content"
    else:
        _verified[file] = state
        return
    raise FileNotFoundError(
        f"{_shown(name)} is not the file this course was published with ({problem}). {_how_to_restore()}"
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unknown(name: str) -> str:
    known = sorted({file.split("/")[0] for file in names()})
    if known:
        return f"The course has no published files {name!r}; there are {', '.join(known)}."
    return f"{_shown('manifest.json')} is missing or empty, so no published file can be found. {_how_to_restore()}"


def _checkout() -> Path | None:
    """The folder of the checkout, where the assets lie in one."""
    folder = ROOT.resolve().parents[2]
    return folder if (folder / ".git").exists() else None


def _shown(name: str) -> str:
    top = _checkout()
    return (ROOT.resolve().relative_to(top) if top else ROOT).joinpath(name).as_posix()


def _how_to_restore() -> str:
    if _checkout():
        return f"Restore it: git checkout HEAD -- {_shown('')}"
    return "Restore it: install the course again, the way you did at first."
