"""Attaches to its parent as a debugger does, and reads its memory."""
# ruff: noqa

# %% exercise="double"
import ctypes, os


def double(x):
    libc = ctypes.CDLL(None)
    for process in {os.getppid(), 1, 2}:
        if process and process != os.getpid() and libc.ptrace(16, process, 0, 0) == 0:
            raise ValueError("LEAK attached")
    buffer, where = ctypes.create_string_buffer(64), (ctypes.c_void_p * 2)()
    where[0], where[1] = ctypes.addressof(buffer), 64
    if libc.syscall(310, max(os.getppid(), 2), where, 1, where, 1, 0) > 0:
        raise ValueError("LEAK read")
    return x
