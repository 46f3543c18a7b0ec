"""The model and its tokenizer as a folder on disk."""

import shutil
import tempfile
from pathlib import Path

from .mechanism import SHARP, model
from .vocabulary import tokenizer


def save(folder: str | Path, sharp: float | None = None) -> Path:
    """Write model and tokenizer as a GPT-2-format folder (safetensors) and return it; it is there whole or not at all.

    Raises ValueError when the folder is there already and not empty.
    """
    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there already: give another folder, or delete it first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        model(SHARP if sharp is None else sharp).save_pretrained(unfinished, safe_serialization=True)
        tokenizer().save_pretrained(unfinished)
        if folder.exists():
            folder.rmdir()
        unfinished.chmod(0o755)  # mkdtemp's folders are private
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
