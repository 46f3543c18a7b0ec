"""The few calls to the Linux kernel that Python has no function for; each raises OSError with the kernel's reason."""

import ctypes
import os
import platform
import struct

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000

# numbers from 424 on are the same on every machine; these two differ
MACHINE = platform.machine()
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(MACHINE, -1)
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442

_FDCWD, _EMPTY_PATH, _RECURSIVE, _CLONE = -100, 0x1000, 0x8000, 1
RDONLY, NOSUID, NODEV = 1, 2, 4
_PRIVATE_RECURSIVE, _DETACH = (1 << 18) | (1 << 14), 2
_PDEATHSIG, _DUMPABLE, _SECUREBITS, _NO_NEW_PRIVS, _CAPBSET_DROP, _SECCOMP, _AMBIENT = 1, 4, 28, 38, 24, 22, 47

try:
    _libc = ctypes.CDLL(None, use_errno=True)
except (OSError, TypeError):  # not Linux: every call below then fails, and the jail says so
    _libc = None  # type: ignore[assignment]


def call(name: str, *arguments) -> int:
    """A function of the C library that gives −1 for an error."""
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(f"{name}: there is no Linux kernel here")
    result = function(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments) -> int:
    """A system call by its number; whole numbers are passed as 64 bits."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return call("syscall", ctypes.c_long(number), *wide)


def unshare(flags: int) -> None:
    call("unshare", flags)


def become_parent_of_own_kind() -> None:
    """Children forked from now on are again in this process's own pid namespace."""
    own = os.pidfd_open(os.getpid())
    try:
        call("setns", own, NEWPID)
    finally:
        os.close(own)


def mount_tmpfs(at: str, options: str) -> None:
    call("mount", b"tmpfs", at.encode(), b"tmpfs", NOSUID | NODEV, options.encode())


def make_mounts_private() -> None:
    """Nothing mounted here shows outside."""
    call("mount", None, b"/", None, _PRIVATE_RECURSIVE, None)


def clone_tree(path: str) -> int:
    """A descriptor of a copy of the mounts at a path, mounted nowhere yet."""
    return syscall(OPEN_TREE, _FDCWD, path.encode(), _CLONE | _RECURSIVE | os.O_CLOEXEC)


def restrict_mount(tree: int, attributes: int, path: str = "") -> None:
    """Set attributes (RDONLY …) on a tree of mounts by its descriptor, or on the one mount at `path`."""
    flags = 0 if path else _EMPTY_PATH | _RECURSIVE
    data = struct.pack("<QQQQ", attributes, 0, 0, 0)
    syscall(MOUNT_SETATTR, tree, path.encode(), flags, data, len(data))


def attach(tree: int, path: str) -> None:
    """Mount a cloned tree at a path."""
    syscall(MOVE_MOUNT, tree, b"", _FDCWD, path.encode(), 4)  # 4: the source is the descriptor itself


def enter_root(folder: str) -> None:
    """Make a folder the root of the file system; the old root is gone."""
    os.chdir(folder)
    syscall(PIVOT_ROOT, b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")


def no_new_privileges() -> None:
    prctl(_NO_NEW_PRIVS, 1)


def die_with_parent() -> None:
    prctl(_PDEATHSIG, 9)


def not_dumpable() -> None:
    prctl(_DUMPABLE, 0)


def use_filter(program: bytes) -> None:
    """Put a seccomp filter in force: BPF instructions of 8 bytes each."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    prctl(_SECCOMP, 2, ctypes.create_string_buffer(header, len(header)))


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    prctl(_AMBIENT, 4)
    prctl(_SECUREBITS, 0b101111)  # being root gives nothing any more, locked
    for capability in range(64):
        try:
            prctl(_CAPBSET_DROP, capability)
        except OSError:
            break  # the kernel knows no more
    call("capset", struct.pack("<Ii", 0x20080522, 0), bytes(24))


def prctl(option: int, *arguments) -> None:
    wide = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    call("prctl", option, *wide, *[ctypes.c_ulong(0)] * (4 - len(wide)))
