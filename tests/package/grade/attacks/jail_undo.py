"""Tries to take the bars down: limits, namespaces, mounts, dumpability, Landlock, seccomp, the user."""
# ruff: noqa

# %% exercise="double"
import ctypes, os, resource


def double(x):
    libc = ctypes.CDLL(None, use_errno=True)
    done = [flag for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000) if libc.unshare(flag) == 0]
    done += ["mount"] * (libc.mount(b"none", b"/", b"tmpfs", 32 | 4096, None) == 0)
    done += ["umount"] * (libc.umount2(b"/tmp", 2) == 0) + ["chroot"] * (libc.chroot(b"/") == 0)
    done += ["privileges"] * (libc.prctl(38, 0, 0, 0, 0) == 0) + ["seccomp"] * (libc.prctl(22, 0, 0, 0, 0) == 0)
    done += ["personality"] * (libc.personality(0x0040000) != -1)
    for what in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):
        try:
            resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            done.append(what)
        except (OSError, ValueError):
            pass
    for change in (lambda: os.setuid(0), lambda: os.setuid(1000), lambda: os.setgroups([0]), lambda: os.nice(-5)):
        try:
            change()
            done.append("user") if change() else None
        except OSError:
            pass
    if done:
        raise ValueError(f"LEAK {done}")
    return x
