"""Limits of the grader's own processes: what was overlooked ends one submission, with a reason, and not the class.

They are soft limits, so that a process started from here can lift them and set its own.
"""

import contextlib
import mmap
import resource
from collections.abc import Iterator

MEMORY = 4 << 30  # bytes of address space that grading may take beyond what a grader process starts with
FINDING = 2 << 30  # the same for the command, which looks for whose is what
CPU = 300  # seconds of a grader process's own time for one submission, beyond what the children take; honest: 3


def address_space() -> int:
    """Bytes of address space in use, found as the least limit that lets one page more in: /proc may be out of sight."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 2**47 if hard == resource.RLIM_INFINITY else hard
    try:
        while high - low > 2**20:
            middle = (low + high) // 2
            resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
            try:
                mmap.mmap(-1, mmap.PAGESIZE).close()
                high = middle
            except (OSError, MemoryError):
                low = middle
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high


def limit_memory(more: int) -> None:
    """From now on this process may take so many bytes more; beyond that comes MemoryError."""
    _limit(resource.RLIMIT_AS, address_space() + more)


@contextlib.contextmanager
def memory(more: int) -> Iterator[None]:
    """The same for a while."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit_memory(more)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def limit_cpu(seconds: float) -> None:
    """After so many more seconds of its own time this process is ended by SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 1)
    _limit(resource.RLIMIT_CORE, 0)


def lift() -> None:
    """Take back what a parent has set here."""
    for what in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
        ceiling = resource.getrlimit(what)[1]
        resource.setrlimit(what, (ceiling, ceiling))


def _limit(what: int, amount: int) -> None:
    ceiling = resource.getrlimit(what)[1]
    amount = amount if ceiling == resource.RLIM_INFINITY else min(amount, ceiling)
    resource.setrlimit(what, (amount, ceiling))
