"""Does each layer of the jail hold by itself, and would the probe say so if it did not?

The probe is what a prisoner would try. It must come back empty-handed, and it must come back with something as soon as
the layers against it are taken down: a check that can't fail is none.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from saelab import content
from saelab.checking import Gone
from saelab.grade import jail
from saelab.grade.grader import Grader
from saelab.grade.jail import Limits, keeper
from saelab.grade.jail.keeper import JailError, Warm
from saelab.grade.jail.probe import escapes
from saelab.grade.jail.warm import Control
from saelab.grade.settings import Settings

SMALL = Limits(memory=2**28, cpu=1, file=2**16, files=32, threads=8)
SECRET = "a line that must stay secret"


@pytest.fixture(scope="module")
def warm():
    """One warm process with tight limits, for everything here that doesn't need another one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        without(monkeypatch)
        warm = Warm([], False, [], SMALL)
    with contextlib.closing(warm):
        yield warm


def in_child(warm: Warm, code: str, seconds: float = 20.0):
    """What `answer()`, defined by this code, returns in a fresh child."""
    child = warm.child(seconds)
    child.ask(do="define", pieces=[["cell 1", code]], parts=["answer"], earlier=[])
    return child.ask(do="call", part="answer", args=(), kwargs={})["value"]


def without(monkeypatch, *changes: str) -> None:
    """Warm processes that are started from now on have these changes made in them first."""
    start = subprocess.Popen

    def patched(command, **options):
        names = "import saelab.grade.jail as jail\nfrom saelab.grade.jail import fences, system, warm"
        code = "\n".join([names, LIGHT, *changes, f"warm.main({command[-1]})"])
        return start([*command[:-3], "-c", code], **options)

    monkeypatch.setattr(keeper.subprocess, "Popen", patched)


LIGHT = (
    "warm.warm_up = lambda *_: warm.importlib.import_module('saelab.apart.worker')"  # without what only speeds it up
)
NO_LANDLOCK = "fences.landlock = lambda *_: None"
NO_SECCOMP = "fences.seccomp = lambda: None"
MORE_MOUNTED = "outermost = jail._outermost\njail._outermost = lambda paths: outermost([*paths, '/var'])"


def test_a_prisoner_can_do_nothing(warm, tmp_path):
    child = warm.child(20)
    assert (
        escapes(child, [tmp_path / "secret", content.PACKAGE.parent / "nothing", content.find("dimensionality").path])
        == []
    )
    assert child.layers == dict.fromkeys(jail.LAYERS, True)


@pytest.mark.parametrize("changes", [[NO_LANDLOCK], [MORE_MOUNTED], [NO_SECCOMP]], ids=["landlock", "root", "seccomp"])
def test_no_file_is_seen_where_one_layer_is_missing(changes, monkeypatch):
    without(monkeypatch, *changes)
    with contextlib.closing(Warm([], False, [], SMALL)) as warm:
        found = escapes(warm.child(20), [content.find("dimensionality").path])
    assert not [what for what in found if what.startswith(("read", "list", "write"))]


@pytest.mark.parametrize(
    ("changes", "hole"),
    [
        ([NO_SECCOMP], "start a process"),
        ([MORE_MOUNTED, NO_LANDLOCK], "list /var"),
        ([NO_SECCOMP, "system.NEWNET = 0"], "send a packet"),
        ([NO_SECCOMP, NO_LANDLOCK, "jail.fork = lambda _: jail.os.fork()"], "see its parent"),
        ([NO_SECCOMP, NO_LANDLOCK, "system.drop_capabilities = lambda: None"], "mount"),
    ],
    ids=["seccomp", "files", "network", "pids", "capabilities"],
)
def test_the_probe_tells_of_a_hole(changes, hole, monkeypatch):
    without(monkeypatch, *changes)
    with contextlib.closing(Warm([], False, [], SMALL)) as warm:
        assert hole in escapes(warm.child(20), [])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("jail._limit = jail._absent", "The jail has no limits here."),
        (
            "def refused(_): raise OSError('unshare: not permitted')\nsystem.unshare = refused",
            "The jail can't be built",
        ),
        (NO_SECCOMP, "The jail has holes here: code in it could start a process."),
    ],
    ids=["limits", "namespaces", "hole"],
)
def test_there_is_no_grading_in_a_jail_with_a_hole(change, sentence, small_course, monkeypatch, tmp_path):
    change = change.replace("jail._absent", "lambda *_: jail._absent()")
    without(monkeypatch, change)
    with Grader(Settings("seed", ("small/double",)), []) as grader:
        with pytest.raises(JailError, match=sentence.replace("(", r"\(")):
            grader.probe([])


def command(small_course, tmp_path, *more: str, patch: str = "") -> subprocess.CompletedProcess:
    """The real command on one right answer."""
    (tmp_path / "class").mkdir()
    (tmp_path / "class/ada.py").write_text("def double(x):\n    return x + x\n")
    code = f"import sys\n{patch}\nfrom saelab.cli import main\nsys.exit(main(sys.argv[1:]))"
    arguments = ["grade", str(tmp_path / "class"), "--out", str(tmp_path / "out"), "--exercise", "double", *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = [sys.executable, "-c", code, *arguments]
    return subprocess.run(started, env=environment, capture_output=True, text=True, timeout=120)


NO_MAPS = """
import saelab.grade.jail.keeper as keeper
def refused(_): raise PermissionError("uid_map: not permitted")
keeper._write_maps = refused
"""


def test_the_command_refuses_without_a_jail_and_says_what_to_do(small_course, tmp_path):
    run = command(small_course, tmp_path, patch=NO_MAPS)
    assert run.returncode != 0 and "Traceback" not in run.stderr
    assert "--unsafe-no-sandbox" in run.stderr and "docs/grading.md" in run.stderr
    assert not list((tmp_path / "out").rglob("ada*"))


def test_without_a_jail_it_grades_only_when_told_to_and_says_so(small_course, tmp_path):
    run = command(small_course, tmp_path, "--unsafe-no-sandbox", patch=NO_MAPS)
    assert run.returncode == 0, run.stderr[-1500:]
    assert "No jail" in run.stdout
    record = json.loads((tmp_path / "out/records/ada.json").read_text())
    assert record["total"] == 2 and not any(record["jail"][layer] for layer in ("user", "mount", "pid", "network"))


ORDINARY = """
set -e
mount --bind "$PYTHON" "$AT/python"
for closed in $CLOSED; do mount -t tmpfs -o mode=755 none "$closed"; done
mkdir -p "$PYTHON"
mount --move "$AT/python" "$PYTHON"
cd "$AT"
exec setpriv --reuid=65533 --regid=65533 --clear-groups "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every test here asks this already")
@pytest.mark.skipif(not (shutil.which("setpriv") and shutil.which("unshare")), reason="needs util-linux")
def test_an_ordinary_user_gets_the_whole_jail(small_course):
    """Started by root as somebody else, who may at least see Python itself (a folder closed to others is replaced)."""
    with tempfile.TemporaryDirectory() as at:
        room = Path(at)
        shutil.copytree(small_course, room / "course")
        (room / "python").mkdir(), (room / "class").mkdir(), (room / "out").mkdir()
        (room / "class/ada.py").write_text("def double(x):\n    return x + x\n")
        room.chmod(0o755), (room / "out").chmod(0o777)
        needed = [sys.prefix, sys.base_prefix, str(content.PACKAGE)]
        closed = {str(p) for path in needed for p in Path(path).parents if not p.stat().st_mode & 0o001}
        if any(path.startswith(f"{folder}/") for path in needed if path != sys.base_prefix for folder in closed):
            pytest.skip("the package lies in a folder that others may not enter")
        arguments = [sys.executable, "-m", "saelab.cli", "grade", f"{at}/class", "--out", f"{at}/out"]
        told = {"AT": at, "PYTHON": sys.base_prefix, "CLOSED": " ".join(closed), "SAELAB_COURSE": f"{at}/course"}
        run = subprocess.run(
            ["unshare", "-m", "sh", "-c", ORDINARY, "sh", *arguments, "--exercise", "double", "--seed", "x"],
            env=os.environ | {"OMP_NUM_THREADS": "1", "HOME": at} | told, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-1500:]
        record = json.loads((room / "out/records/ada.json").read_text())
        assert (room / "out/records/ada.json").stat().st_uid == 65533
        assert record["total"] == 2 and all(record["jail"].values())


# --- limits ----------------------------------------------------------------------------------------------------------


def test_memory_is_limited(warm):
    code = (
        "def answer():\n    bytearray(2**26)\n    try:\n        return len(bytearray(2**29))\n    except MemoryError:\n"
    )
    assert in_child(warm, code + "        return 'none left'\n") == "none left"


@pytest.mark.parametrize(
    "way",
    [
        "libc.shmget(0, ctypes.c_size_t(2**20), 0o1600)",
        "libc.syscall(319 if platform.machine() == 'x86_64' else 279, b'x', 0)",
        "libc.mq_open(b'/x', 0o102, 0o600, None)",
    ],
    ids=["shared segments", "files in memory", "queues"],
)
def test_no_memory_outlives_its_mapping(warm, way):
    code = f"import ctypes, platform\ndef answer():\n    libc = ctypes.CDLL(None)\n    return {way}\n"
    assert in_child(warm, code) == -1


def test_time_on_the_processor_is_limited(warm):
    started = time.monotonic()
    with pytest.raises(Gone) as gone:
        in_child(warm, "def answer():\n    while True: pass\n", seconds=60)
    assert gone.value.kind == "ended" and time.monotonic() - started < 55


def test_files_are_limited_in_size_number_and_altogether(warm):
    code = """
import os
def answer():
    found = []
    try:
        with open('large', 'wb') as file:
            file.write(bytes(2**17))
    except OSError as error:
        found.append(error.strerror)
    found.append(os.path.getsize('large'))
    kept = []
    try:
        while True:
            kept.append(os.open('/dev/null', 0))
    except OSError as error:
        found.append(error.strerror)
    found.append(len(kept) < 32)
    for number in kept:
        os.close(number)
    try:
        for number in range(5000):
            open(f'{number}', 'w').close()
    except OSError as error:
        found.append(error.strerror)
    return found
"""
    assert in_child(warm, code) == ["File too large", 2**16, "Too many open files", True, "No space left on device"]


def test_threads_are_limited_and_processes_forbidden(warm):
    code = """
import os, threading, time
def answer():
    started = 0
    try:
        while started < 100:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    try:
        return os.fork()
    except PermissionError:
        return started
"""
    assert 0 < in_child(warm, code) < 8


# --- nothing stays, nothing is known ---------------------------------------------------------------------------------


def test_a_child_finds_nothing_of_the_one_before(warm):
    code = "import os, torch\ndef answer():\n    found = [os.listdir('.'), hasattr(torch, 'mark')]\n"
    code += "    torch.mark = open('mark', 'w').write('x')\n    return found\n"
    assert in_child(warm, code) == in_child(warm, code) == [[], False]


def test_the_warm_process_knows_no_check_no_solution_and_no_seed(small_course):
    """Looked for from inside, by a child, and from outside, in its memory."""
    look = """
import gc, sys
def answer():
    gc.unfreeze()
    words = [t for thing in gc.get_objects() if isinstance(thing, dict) for t in thing if type(t) is str]
    return [sorted(n for n in sys.modules if 'saelab_' in n or n.startswith(('pytest', '_pytest'))),
            '_'.join(['test', 'three', 'becomes', 'six']) in words, 'do_define' in words]
"""
    with Grader(Settings("the-secret-seed", ("small/double", "small/Scale")), []) as grader:
        grader.probe([content.find("double").path])
        assert in_child(grader.warm, look) == [[], False, True]
        memory = b"".join(map(memory_of, family(grader.warm.pid)[:2]))  # without the child
    assert b"do_define" in memory  # this would be found
    for secret in (SECRET.encode(), b"the-secret-seed", b"test_three_becomes_six"):
        assert secret not in memory


def family(pid: int) -> list[int]:
    """A process and all below it, as far as they can be seen."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(p for child in children for p in family(int(child)))]


def memory_of(pid: int) -> bytes:
    """What a process has written to its own memory; skips the test where that can't be read."""
    found = []
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                addresses, rights, *_ = line.split()
                start, end = (int(a, 16) for a in addresses.split("-"))
                if rights.startswith("rw"):
                    memory.seek(start)
                    with contextlib.suppress(OSError):
                        found.append(memory.read(end - start))
    except PermissionError:
        pytest.skip("the memory of the warm process can't be read here")
    return b"".join(found)


def test_a_child_that_wants_to_live_on_ends_with_the_warm_process(monkeypatch):
    without(monkeypatch)
    warm = Warm([], False, [], Limits())
    child = warm.child(60)
    stubborn = "import ctypes, time\ndef answer():\n    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\n    time.sleep(600)\n"
    child.ask(do="define", pieces=[["cell 1", stubborn]], parts=["answer"], earlier=[])
    child.seconds = 1
    with pytest.raises(Gone, match="longer than"):
        child.ask(do="call", part="answer", args=(), kwargs={})
    pids = family(warm.pid)
    assert len(pids) == 4  # the one that waits, the warm process, the child, a spare one
    os.kill(warm.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in pids if alive(pid)]
    warm.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_descriptor_that_comes_with_a_later_message_is_kept_for_it():
    """The order to stop a child that had ended by itself and the order to fork the next one arrive as one."""
    ours, theirs = socket.socketpair()
    ours.sendall(b'{"do": "stop"}\n')
    socket.send_fds(ours, [b'{"do": "fork"}\n'], [ours.fileno()])
    control = Control(theirs)
    assert [control.hear()["do"], control.hear()["do"]] == ["stop", "fork"]
    assert len(control.descriptors) == 1
    for descriptor in control.descriptors:
        os.close(descriptor)
    ours.close(), theirs.close()


def test_who_killed_a_child_is_told_however_soon_it_is_asked():
    "Its socket closes some time before its end can be seen; in between it must not be taken for stopped by the grader."
    with contextlib.closing(Warm([], False, [], SMALL)) as warm:
        for _ in range(15):
            child = warm.child(20)
            inside = family(warm.pid)[2]  # behind the one that waits and the warm process; then comes the spare one
            os.kill(inside, signal.SIGKILL)
            with pytest.raises(Gone):
                child.ask(do="define", pieces=[["cell 1", "def answer(): ..."]], parts=["answer"], earlier=[])
            child.close()
            assert child.ended == "killed"
        child = warm.child(20)
        child.ask(do="define", pieces=[["cell 1", "def answer(): ..."]], parts=["answer"], earlier=[])
        child.close()
        assert child.ended in ("itself", "stopped")  # it ends when nobody is there any more, or when it is told to


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_handed_in_is_hidden_even_below_a_folder_of_pythons_own(kind, small_course):
    """A class in /usr/src, or in the environment's folder, lies where the child may otherwise read."""
    try:
        folder = Path(tempfile.mkdtemp(dir="/usr/local"))
    except OSError:
        pytest.skip("nothing can be written below /usr/local here")
    try:
        folder.chmod(0o755)
        ada = folder / "ada.py"
        ada.write_text("def double(x):\n    return 2 * x\n")
        hidden = [folder] if kind == "folder" else [ada]
        with Grader(Settings("seed", ("small/double",)), []) as grader:
            with pytest.raises(JailError, match="ada.py"):
                grader.probe([ada])
        with Grader(Settings("seed", ("small/double",)), hidden) as grader:
            assert grader.probe([ada])["mount"]
    finally:
        shutil.rmtree(folder)
