"""The jail that a student's code runs in: namespaces, Landlock, seccomp, limits. Linux, without being root.

Two moves. `enter` takes the warm process, before it imports anything large, into namespaces of its own, with a file
system that holds Python, its libraries and nothing else. `lock` closes the rest around each child forked from it.
Each layer holds by itself; `enter` and `lock` say which do.
"""

import os
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import fences, system

REQUIRED = ("user", "mount", "pid", "network", "ipc", "no new privileges", "limits")
LAYERS = (*REQUIRED, "landlock", "seccomp", "capabilities", "dies with parent", "not dumpable", "own folder")
NOBODY = 65534
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/localtime", *DEVICES)
PROCESSOR = ("/proc/cpuinfo", *(f"/sys/devices/system/cpu/{name}" for name in ("kernel_max", "possible", "present")))
OWN = "/own"  # inside the jail, a folder in memory that goes with the child


@dataclass(frozen=True)
class Limits:
    """What one child may use."""

    memory: int = 4 * 2**30  # bytes of address space beyond what the warm process has
    cpu: int = 900  # seconds, of all threads together
    file: int = 64 * 2**20  # bytes of one file
    files: int = 128  # open at once
    threads: int = 16  # more would take others' share of the processor


# --- the warm process ------------------------------------------------------------------------------------------------


def enter(visible: Iterable[str], hidden: Iterable[str], map_me: Callable[[], None], keep: int) -> None:
    """Go on, as the first process of a new pid namespace, in namespaces of one's own that show only `visible` paths.

    `map_me` has somebody outside write this process's uid and gid map ("0 UID 1"). What of `hidden` lies below
    visible paths is covered by empty folders and files; what of `visible` lies in a hidden folder stays.
    The calling process stays behind, waiting, without the descriptor `keep`.
    Raises OSError.
    """
    system.unshare(system.NEWUSER | system.NEWNS | system.NEWPID | system.NEWNET | system.NEWIPC | system.NEWUTS)
    map_me()
    system.make_mounts_private()
    outermost = _outermost([*SYSTEM, *visible])
    folders = {path for path in outermost if os.path.isdir(path)}  # asked before this user may no longer see it
    trees = {path: _copy(path) for path in outermost}
    hidden = sorted({os.path.realpath(path) for path in hidden})
    kept = [os.path.realpath(path) for path in visible if os.path.isdir(path)]
    covers = {path: _copies_below(path, kept) if os.path.isdir(path) else _tree("/dev/null") for path in hidden}
    texts = {path: Path(path).read_bytes() for path in PROCESSOR if os.path.exists(path)}
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _build(trees, folders, covers, texts)
    system.no_new_privileges()
    system.die_with_parent()
    child = os.fork()
    if child:
        os.close(keep)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    system.die_with_parent()


def _outermost(paths: Iterable[str]) -> list[str]:
    """Existing paths, links of the system's kept as links, without those that lie inside others."""
    found: list[str] = []
    for path in sorted({p if p in SYSTEM else os.path.realpath(p) for p in paths if os.path.exists(p)}):
        if not any(path.startswith(f"{outer}/") and not os.path.islink(outer) for outer in found):
            found.append(path)
    return found


def _copy(path: str) -> int | str:
    """A read-only copy of what is mounted there, or where a link points to."""
    if os.path.islink(path) and path != "/etc/localtime":
        return os.readlink(path)
    return _tree(path)


def _tree(path: str) -> int:
    tree = system.clone_tree(path)
    device = 0 if path in DEVICES else system.NODEV | system.RDONLY
    system.restrict_mount(tree, system.NOSUID | device)
    return tree


def _copies_below(folder: str, kept: list[str]) -> dict[str, int]:
    """Copies of the paths to be kept that lie below a folder to be hidden."""
    return {path: _tree(path) for path in kept if path.startswith(f"{folder}/")}


def _build(trees: dict[str, int | str], folders: set[str], covers: dict, texts: dict[str, bytes]) -> None:
    """The new root, in memory, and a move into it. `texts` are copied: torch asks them what the processor can do."""
    new = "/tmp"  # noqa: S108 – any folder will do to mount it on
    system.mount_tmpfs(new, "mode=755,size=4m")
    os.makedirs(new + OWN)
    for path, text in texts.items():
        os.makedirs(os.path.dirname(new + path), exist_ok=True)
        Path(new + path).write_bytes(text)
    for folder in {str(folder) for path in texts for folder in Path(path).parents} - {"/"}:
        os.chmod(new + folder, 0o111)  # there is nothing to list for who knows no name
    for path, tree in trees.items():
        os.makedirs(os.path.dirname(new + path), exist_ok=True)
        if isinstance(tree, str):
            os.symlink(tree, new + path)
            continue
        if path in folders:
            os.makedirs(new + path, exist_ok=True)
        else:
            Path(new + path).touch()
        system.attach(tree, new + path)
        os.close(tree)
    if not os.path.exists(new + "/tmp"):
        os.symlink(OWN, new + "/tmp")
    for path, cover in covers.items():  # outer folders before inner ones
        _cover(new, path, cover)
    system.enter_root(new)
    system.restrict_mount(-100, system.RDONLY | system.NOSUID | system.NODEV, "/")
    system.mount_tmpfs(OWN, "mode=700,size=64m")
    os.environ.update(HOME=OWN, TMPDIR=OWN)


def _cover(new: str, path: str, cover: dict[str, int] | int) -> None:
    """Hide a folder behind an empty one that has only what is kept of it, or a file behind an empty one."""
    if isinstance(cover, dict):
        if not os.path.isdir(new + path):
            return
        system.mount_tmpfs(new + path, "mode=755,size=64k")
        for inner, tree in cover.items():
            os.makedirs(new + inner, exist_ok=True)
            system.attach(tree, new + inner)
        system.restrict_mount(-100, system.RDONLY | system.NOSUID | system.NODEV, new + path)
    elif os.path.exists(new + path):
        system.attach(cover, new + path)


# --- a child ---------------------------------------------------------------------------------------------------


def fork(jailed: bool) -> int:
    """Like os.fork; the child of a jailed process is the first process of a pid namespace of its own."""
    if not jailed:
        return os.fork()
    system.unshare(system.NEWPID)
    try:
        child = os.fork()
    except BaseException:
        system.become_parent_of_own_kind()
        raise
    if child:
        system.become_parent_of_own_kind()
    return child


def lock(keep: int, visible: Iterable[str], limits: Limits, jailed: bool, size: int) -> dict[str, bool]:
    """Close everything around this process but the descriptor `keep`; says which layers hold.

    `size` is the address space in use already, in bytes. Nothing here can be undone.
    """
    held = dict.fromkeys(LAYERS, False)
    if jailed:
        held |= dict.fromkeys(("user", "mount", "pid", "network"), True)

    def layer(name: str, *steps: Callable[[], None]) -> None:
        try:
            for step in steps:
                step()
            held[name] = True
        except OSError:
            held[name] = False

    if jailed:
        layer("ipc", lambda: system.unshare(system.NEWNS | system.NEWIPC))
        layer("own folder", lambda: system.mount_tmpfs(OWN, "mode=700,size=64m,nr_inodes=4k"), lambda: os.chdir(OWN))
    _close_all_but(keep)
    if os.getpid() != os.getsid(0):
        os.setsid()
    layer("capabilities", system.drop_capabilities)
    layer("dies with parent", system.die_with_parent)
    layer("not dumpable", system.not_dumpable)
    layer("no new privileges", system.no_new_privileges)
    layer("limits", lambda: _limit(limits, size))
    layer("landlock", lambda: fences.landlock([*SYSTEM, *visible], [OWN, "/dev/null"]) if jailed else _absent())
    layer("seccomp", fences.seccomp if jailed else _absent)
    return held


def _absent() -> None:
    raise OSError("not without the rest of the jail")


def _close_all_but(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, 2**16)
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    if nothing > 2:
        os.close(nothing)


def _limit(limits: Limits, size: int) -> None:
    for what, amount in (
        (resource.RLIMIT_AS, size + limits.memory),
        (resource.RLIMIT_CPU, limits.cpu),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_NPROC, limits.threads),
        (resource.RLIMIT_CORE, 0),
    ):
        ceiling = resource.getrlimit(what)[1]
        amount = amount if ceiling == resource.RLIM_INFINITY else min(amount, ceiling)
        resource.setrlimit(what, (amount, amount))
