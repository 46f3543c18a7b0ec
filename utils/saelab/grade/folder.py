"""The folder of results: what it was begun with, and that only one grading at a time is at work in it."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from saelab.files import write_atomically

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SETTINGS, LOCK = "grading.json", ".lock"
NOTE = "Keep this file to yourself."


class FolderError(Exception):
    """These results can't be gone on with: one sentence with what to do."""


def settings(out: Path) -> dict:
    """What the folder was begun with: `seed`, `exercises`, and the `policy` last given; {} of a new one.

    Raises FolderError where the file is damaged.
    """
    path = out / SETTINGS
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kinds = {"seed": str, "exercises": list, "policy": str}
        if all(type(found.get(key, kind())) is kind for key, kind in kinds.items()) and found["seed"]:
            return found
    except (ValueError, KeyError, AttributeError, RecursionError):
        pass
    raise FolderError(
        f"{path} is damaged, and it holds the secret seed of these grades. Put back a copy of it; or delete it, and "
        "everything is graded again with other numbers."
    )


def remember(out: Path, **more) -> None:
    """Write these settings beside those that are there."""
    known = settings(out)
    wanted = known | more | {"note": NOTE}
    if wanted != known:
        write_atomically(out / SETTINGS, json.dumps(wanted, indent=1) + "\n")
        (out / SETTINGS).chmod(0o600)


def begin(out: Path, seed: str | None, exercises: tuple[str, ...], replace: bool) -> str:
    """The seed of this folder: the one asked for, or the one it was begun with, or a new secret one.

    Raises FolderError where there are grades of exercises that would be lost, unless `replace`.
    """
    known = settings(out)
    lost = [name for name in known.get("exercises", []) if name not in exercises]
    if lost and not replace:
        raise FolderError(
            f"{out} has grades of {len(lost)} other exercise{'s' * (len(lost) != 1)} ({', '.join(lost[:3])}"
            f"{' …' * (len(lost) > 3)}), which would be lost. Give another folder (--out DIR), or --regrade to replace "
            "them."
        )
    seed = seed or known.get("seed") or secrets.token_hex(16)
    remember(out, seed=seed, exercises=list(exercises))
    return seed


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Nobody else grades into the folder meanwhile. Raises FolderError where somebody does."""
    with open(out / LOCK, "w") as file:
        try:
            if fcntl:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not passed on to processes forked from this one
        except (BlockingIOError, PermissionError):
            raise FolderError(
                f"Another `saelab grade` is at work in {out}. Wait until it is done, or give another folder: --out DIR."
            ) from None
        except OSError:
            pass  # a file system that has no locks
        yield
