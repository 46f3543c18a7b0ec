"""What a prisoner would try. Run as a student's code is, it says what succeeded; nothing should."""

from pathlib import Path

from saelab.apart import Peer

ATTEMPTS = """
import ctypes, os, signal, socket

def attempts(paths, elsewhere):
    "Names of what could be done although it should not."
    def reads(path):
        with open(path, "rb") as file:
            if not file.read(1):  # hidden behind an empty one
                raise PermissionError

    def lists(path):
        os.listdir(path)

    def writes(folder):
        with open(os.path.join(folder, ".saelab-probe"), "w") as file:
            file.write("x")
        os.unlink(file.name)

    def connects():
        socket.create_connection(("127.0.0.1", 9), timeout=1)

    def opens_a_socket():
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))

    def forks():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

    def runs_a_program():
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)  # its end must not come while this one is traced

    def sees_its_parent():
        if os.getppid() == 0:
            raise PermissionError
        os.kill(os.getppid(), 0)

    def traces():
        if ctypes.CDLL(None).ptrace(0, 0, 0, 0) == -1:
            raise PermissionError

    def asks_the_page_cache():
        with open(os.__file__, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def locks():
        import fcntl
        with open(os.__file__, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)

    def mounts():
        if ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None) == -1:
            raise PermissionError

    def becomes_another_user():
        os.setuid(os.getuid() + 1)

    tries = [(f"read {p}", lambda p=p: reads(p)) for p in paths]
    tries += [(f"list {p}", lambda p=p: lists(p)) for p in ["/proc", "/home", "/var", "/sys"]]
    tries += [(f"write into {p}", lambda p=p: writes(p)) for p in elsewhere]
    tries += [("connect", connects), ("send a packet", opens_a_socket), ("start a process", forks)]
    tries += [("run a program", runs_a_program), ("see its parent", sees_its_parent), ("trace", traces)]
    tries += [("use the page cache", asks_the_page_cache), ("lock a file", locks)]
    tries += [("mount", mounts), ("become another user", becomes_another_user)]
    done = []
    for name, attempt in tries:
        try:
            attempt()
            done.append(name)
        except (OSError, ImportError):
            pass
    return done
"""


def escapes(peer: Peer, secrets: list[Path]) -> list[str]:
    """What code in this child could do although it should not; `secrets` are files that it must not read."""
    peer.ask(do="define", pieces=[["probe", ATTEMPTS]], parts=["attempts"], earlier=[])
    elsewhere = ["/", "/usr", "/var/tmp", str(Path(__file__).parent), *{str(p.parent) for p in secrets}]  # noqa: S108
    arguments = ([str(p) for p in secrets], elsewhere)
    reply = peer.ask(do="call", part="attempts", args=arguments, kwargs={})
    return [str(name) for name in reply["value"]]
