"""saelab: a course on sparse autoencoders whose every exercise is checked.

In a notebook: `from saelab import check, hint, lab, plots, reference`. The names below are imported
when they are first used, so that the command line answers without importing torch.
"""

import importlib
import warnings

__version__ = "0.1.0"
_KEEPING = ("download_progress", "keep_in_drive", "restore_progress")
_HOMES = {
    "check": "desk.notebook",
    "hint": "desk.notebook",
    "solution": "desk.notebook",
    "dispute": "desk.notebook",
    "predict": "desk.predictions",
    "reference": "content",
    "lab": "labs",
    "dashboard": "viewers",
    "highlight": "viewers",
}
_HOMES |= dict.fromkeys(_KEEPING, "desk.keeping")
__all__ = ["check", "dispute", "hint", "lab", "predict", "reference", "solution", "plots", "models", "viewers"]
__all__ += ["dashboard", "highlight", *_KEEPING, "__version__"]

# Libraries that this course imports ask for Jupyter's widgets; without them their progress bars are plain, and as good.
warnings.filterwarnings("ignore", "IProgress not found")


def __getattr__(name: str):
    if name in _HOMES:
        value = getattr(importlib.import_module(f"saelab.{_HOMES[name]}"), name)
        globals()[name] = value  # a module of the same name (saelab.check) must not hide it
        return value
    if name == "models":
        return importlib.import_module("saelab.labs.models")
    if name in ("plots", "viewers"):
        return importlib.import_module(f"saelab.{name}")
    raise AttributeError(f"module 'saelab' has no attribute {name!r}")
