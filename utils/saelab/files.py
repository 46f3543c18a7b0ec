"""Files that are never half written, and what a student is told where one can't be."""

import errno
import os
import tempfile
from pathlib import Path

REMEDIES = {
    errno.ENOSPC: "{path} could not be written: the disk is full. Free some space and do it again.",
    errno.EDQUOT: "{path} could not be written: your quota is used up. Free some space and do it again.",
    errno.EROFS: "{path} lies where nothing can be written. Work in a folder of your own.",
    errno.EACCES: "{path} may not be read or written by you. Work in a folder of your own, or change its permissions.",
    errno.EPERM: "{path} may not be changed by you. Work in a folder of your own, or change its permissions.",
    errno.ENAMETOOLONG: "{path} is too long for a name. Choose a shorter one.",
    errno.ENOTDIR: "{path} can't be: a part of this path is a file, not a folder. Choose another one.",
    errno.EEXIST: "{path} is there already, and is a file. Choose another name.",
    errno.EISDIR: "{path} is a folder, where a file is needed.",
    errno.ENOENT: "There is no {path}.",
}


def write_atomically(path: Path, text: str | bytes) -> None:
    """Write to a temporary file beside `path`, then rename it over. Raises OSError that names `path`."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8") if isinstance(text, str) else text)
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise


def trouble(error: OSError) -> str:
    """One sentence about a file that can't be read or written, with what to do."""
    if error.filename is None and error.errno == errno.ENOENT:
        return "The folder you are in is gone. Go to another one: cd."
    path = str(error.filename if error.filename is not None else "A file")
    path = path if len(path) <= 120 else f"{path[:50]}…{path[-50:]}"
    return REMEDIES.get(error.errno or 0, f"{{path}}: {error.strerror or error}.").replace("{path}", path)
