"""File names made of students' identities."""

import hashlib
import re
import unicodedata

PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,58}[a-z0-9]|[a-z0-9]")
LOOKS_HASHED = re.compile(r".*-[0-9a-f]{12}")
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # no file may be called so on Windows


def safe_name(student: str) -> str:
    """A name for a file or folder: ASCII, lower case, at most 73 characters, one for each identity.

    An identity that is such a name already stays as it is; any other is cleaned and gets a hash of the original
    behind it, so that two identities never share a file, whether or not the file system tells a from A.
    """
    if PLAIN.fullmatch(student) and not LOOKS_HASHED.fullmatch(student) and not DEVICES.fullmatch(student):
        return student
    ascii_only = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    cleaned = re.sub(r"[^a-z0-9_-]+", "_", ascii_only)[:60].strip("_-") or "student"
    digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{cleaned}-{digest}"
