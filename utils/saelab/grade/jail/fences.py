"""Two fences inside the kernel that need no privileges: Landlock (files, network, signals) and a seccomp filter."""

import errno
import os
import struct
from collections.abc import Iterable
from functools import cache

from . import system

# --- Landlock ------------------------------------------------------------------------------------------------------

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_WRITE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_FILE, _MAKE_LINK, _TRUNCATE = 1 << 7, 1 << 8, 1 << 12, 1 << 14
_ALL_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # version → number of rights over files; 16 from version 5 on
OWN_FOLDER = _WRITE | _READ_FILE | _READ_DIR | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _MAKE_LINK


def landlock(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Only these paths can be read, only those written to; no TCP; no signals or sockets out of here.

    Raises OSError where the kernel has no Landlock.
    """
    version = system.syscall(_CREATE, None, 0, 1)
    handled = (1 << _ALL_RIGHTS.get(version, 16)) - 1
    attributes = struct.pack("<QQQ", handled, 0b11, 0b11)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = system.syscall(_CREATE, attributes, len(attributes), 0)
    for paths, rights in ((readable, _READ_FILE | _READ_DIR), (writable, OWN_FOLDER | _TRUNCATE)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    system.syscall(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):
        rights &= _WRITE | _READ_FILE | _TRUNCATE
    try:
        system.syscall(_ADD, ruleset, 1, struct.pack("<Qi", rights, beneath), 0)
    finally:
        os.close(beneath)


# --- seccomp -------------------------------------------------------------------------------------------------------

# what a solution never needs: looking into processes, new processes and programs, mounts and namespaces, sockets to
# anywhere, keys, memory that no limit of the process counts, and the kernel's large machines; numbers on x86_64 and
# aarch64
_REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "socket": (41, 198), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "personality": (135, 92),
    # what the page cache, locks and watches on common files remember or show of another process
    "fadvise64": (221, 223), "readahead": (187, 213), "preadv2": (327, 286), "pwritev2": (328, 287),
    "mincore": (27, 232), "cachestat": (451, 451), "sync_file_range": (277, 84), "flock": (73, 32),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262),
}  # fmt: skip
_FCNTL, _ON_SHARED_FILES = {"x86_64": 72, "aarch64": 25}, (5, 6, 7, 36, 37, 38, 1024, 1025, 1026)  # locks, leases, news
_CLONE, _CLONE3 = {"x86_64": 56, "aarch64": 220}, 435
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE_THREAD = 0x10000
_LOAD, _EQUAL, _AT_LEAST, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # operations of classic BPF
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def seccomp() -> None:
    """Refuse the calls listed above with "not permitted"; threads can be started, processes can't.

    Raises OSError where the kernel has no seccomp or the machine is of another kind.
    """
    system.use_filter(program())


@cache  # the warm process has it made, so that no child has to
def program() -> bytes:
    """The filter in the kernel's own language; raises OSError where none is written for this kind of machine."""
    machine = system.MACHINE
    if machine not in _ARCHITECTURE:
        raise OSError(errno.ENOSYS, f"no filter is written for {machine}")
    architecture, clone, column = _ARCHITECTURE[machine], _CLONE[machine], 0 if machine == "x86_64" else 1
    refused = [number for numbers in _REFUSED.values() if (number := numbers[column]) is not None]
    not_permitted, not_there = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, not_permitted)]  # the other numbering of x86_64
    for number in refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, not_permitted)]
    locks = [step for n in _ON_SHARED_FILES for step in ((_EQUAL, 0, 1, n), (_RETURN, 0, 0, not_permitted))]
    steps += [(_EQUAL, 0, len(locks) + 2, _FCNTL[machine]), (_LOAD, 0, 0, 24), *locks, (_RETURN, 0, 0, _ALLOW)]
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, not_there)]  # its flags can't be seen; libc then uses clone
    steps += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, 16), (_SET, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, not_permitted)]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
