"""What people hand in instead of a notebook, judged by its name: what it is, whose it is, and what to do."""

import os
import re
from pathlib import Path

from . import owners
from .archive import File
from .owners import Owner, Parcel

PAPER = {
    ".pdf": "a PDF",
    ".docx": "a Word document",
    ".doc": "a Word document",
    ".odt": "a text document",
    ".rtf": "a text document",
    ".pages": "a Pages document",
    ".html": "a web page",
    ".htm": "a web page",
    ".mhtml": "a web page",
    ".txt": "a plain text",
    ".json": "a JSON file",
    ".pptx": "a presentation",
    ".gdoc": "a link to Google Drive",
    ".webloc": "a link to a web page",
    ".url": "a link to a web page",
}
PACKED = {
    ".tar": "a tar archive",
    ".tar.gz": "a tar archive",
    ".tgz": "a tar archive",
    ".tar.bz2": "a tar archive",
    ".tar.xz": "a tar archive",
    ".rar": "a RAR archive",
    ".7z": "a 7-Zip archive",
    ".gz": "a compressed file",
    ".bz2": "a compressed file",
    ".xz": "a compressed file",
    ".zst": "a compressed file",
    ".dmg": "a disk image",
}
CLUTTER = re.compile(  # what lies about in the folder of a class and is nobody's work
    r"(readme|requirements|constraints|licen[cs]e|makefile|containerfile)(\..*)?"
    r"|.*\.(csv|tsv|xlsx?|ods|toml|ya?ml|ini|cfg|log|md|sh|lock|png|jpe?g|gif|svg|npy|npz|pt|pth|safetensors)",
    re.I,
)
SUFFIXES = sorted((*PAPER, *PACKED), key=len, reverse=True)


def suffix(name: str) -> str:
    """`.tar.gz` of `ada.tar.gz`; of what is not known here the last one."""
    return next((s for s in SUFFIXES if name.lower().endswith(s)), os.path.splitext(name)[1].lower())


def stem(name: str) -> str:
    return name[: len(name) - len(suffix(name))] or name


def is_document(name: str) -> bool:
    """Is it something that is handed in for its own sake, as a text or an archive is, and a picture is not?"""
    return suffix(name) in PAPER or suffix(name) in PACKED


def is_packed(name: str) -> bool:
    return suffix(name) in PACKED


def sentence(name: str) -> str:
    """What is the matter with a file that is no notebook, script or zip, and what to do."""
    end = suffix(name)
    if name.endswith("/"):
        return f"{name.rstrip('/')} is an empty folder. Hand in the notebook itself (.ipynb)."
    if end in PACKED:
        return f"{name} is {PACKED[end]}, which is not opened here. Hand in a zip, or the notebooks themselves."
    if end in PAPER:
        return f"{name} is {PAPER[end]}, which can't be run. Hand in the notebook itself (.ipynb)."
    return f"{name} is no notebook, script or zip. Hand in the notebook itself (.ipynb)."


def no_work(others: list[str]) -> str:
    """A sentence about a submission that has nothing to be run in it, only these files."""
    if len(others) == 1:
        return sentence(others[0])
    only = f", only {', '.join(others[:4])}{' …' * (len(others) > 4)}" if others else ""
    return f"There is no notebook or script in it{only}. Hand in the notebook itself (.ipynb)."


def others(
    parcels: list[Parcel], rest: dict[str, list[File]], systems: dict[str, Owner], root: Path, order: int
) -> list[Parcel]:
    """Puts files that are not looked into beside those of the same student, or else a parcel of their own.

    A single notebook may be anybody's work with pictures beside it, so that only documents are somebody else's then.
    """
    is_class = bool(systems) or len(parcels) > 1 or not parcels
    found: list[Parcel] = []
    for item, members in rest.items():
        loose = len(members[0].parts) == 1
        known_by = stem(item) if loose else item
        owner = systems.get(item) or Owner(("name", str(root), owners.nfc(known_by)), known_by, known_by)
        same = [parcel for parcel in [*parcels, *found] if parcel.owner.key == owner.key]
        clutter = loose and CLUTTER.fullmatch(item)
        documents = any(is_document(file.parts[-1]) for file in members)
        if not same and (item in systems or ((is_class or documents) and not clutter)):
            same = [Parcel(owner, root.name, order)]
            found += same
        for parcel in same:
            parcel.others += [file.name for file in members]
    return found


def telling(files: list[File]) -> list[File]:
    """The files that tell whether a folder is a class: those looked into, and documents in inner folders."""
    wanted = [file for file in files if file.wanted]
    if any(len(file.parts) == 2 for file in wanted):
        return wanted
    return wanted + [f for f in files if not f.wanted and len(f.parts) > 2 and is_document(f.parts[-1])]
