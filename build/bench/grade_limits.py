"""What can a hostile file cost the grader's own processes? `python build/bench/grade_limits.py [NAME …]`

Each submission below is graded by the real command beside an honest one, in a class of two. Printed for each: wall
seconds, the most resident memory of the command, of its grader process and of the process that reads files for it
(MB), and what the record says. The first row is the honest student alone.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import psutil
from small_course import CHAPTER, TENSORS, answer, notebook, write

MB = 2**20
HEAD = '# %% exercise="lengths"\n'
RETURNS = HEAD + "import collections, itertools\n\ndef lengths(*args):\n    return {value}\n"


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def zips_in_a_zip() -> bytes:
    inner = zipped({f"{n}.py": b"" for n in range(95_000)})
    return zipped({f"{n}.zip": inner for n in range(9)})


def colliding_keys() -> str:
    """Tuples that Python's hash puts into one place, which makes a dictionary of them slow."""
    return RETURNS.format(value="made()") + (
        "\ndef made():\n"
        "    p1, p2, p5, m = 11400714785074694791, 14029467366897019727, 2870177450012600261, 2**64\n"
        "    turned = lambda x: ((x << 31) | (x >> 33)) % m\n"
        "    back, found = pow(p2, -1, m), {}\n"
        "    for a in itertools.count(1):\n"
        "        b = (12345 - turned((p5 + a * p2) % m) * p1) * back % m\n"
        "        if b < 2**61 - 1:\n"
        "            found[(a, b)] = 0\n"
        "        if len(found) == 20_000:\n"
        "            return found\n"
    )


ATTACKS = {
    "honest alone": None,
    "1 MB of lines": lambda: {"eve.py": b"1\n" * 500_000},
    "2 MB of statements in cells": lambda: {"eve.py": (b"# %%\n" + b"a\n" * 4_900) * 190},
    "zips in a zip": lambda: {"eve.zip": zips_in_a_zip()},
    "many notebooks of zeros": lambda: {"eve.zip": zipped({f"{n}.ipynb": b"0" * 2_000_000 for n in range(490)})},
    "190 MB of text": lambda: {"eve.ipynb": b'{"cells": [], "x": "\xf0\x9f\x98\x80' + b"a" * 190_000_000 + b'"}'},
    "a swarm of objects": lambda: {"eve.ipynb": b'{"cells": [' + b'{"a":1},' * 2_400_000 + b"1]}"},
    "brackets": lambda: {"eve.ipynb": b'{"cells": [' + b"[[]]," * 1_600_000 + b"1]}"},
    "empty tensors": lambda: {"eve.py": RETURNS.format(value="[torch.empty(0)] * 80_000").encode()},
    "truth values": lambda: {"eve.py": RETURNS.format(value="[[True] * 90_000] * 3").encode()},
    "named tuples": lambda: {
        "eve.py": RETURNS.format(
            value="[collections.namedtuple('T', f'x{n}')(0) for n in range(20_000)]"
        ).encode()
    },
    "keys that collide": lambda: {"eve.py": colliding_keys().encode()},
}  # fmt: skip


def main() -> None:
    """Measure those asked for, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("?")[0])
    parser.add_argument("names", nargs="*", help="only these")
    names = parser.parse_args().names or list(ATTACKS)
    print(f"{'':<28}{'seconds':>8}{'command':>9}{'grader':>8}{'reader':>8}   said")
    with tempfile.TemporaryDirectory(prefix="saelab-limits-") as name:
        write(Path(name, "course"), TENSORS)
        os.environ["SAELAB_COURSE"] = str(Path(name, "course"))
        for number, attack in enumerate(names):
            measure(attack, Path(name, str(number)))


def measure(attack: str, folder: Path) -> None:
    """One row."""
    room = folder / "class"
    room.mkdir(parents=True)
    (room / "bob.ipynb").write_text(notebook([answer(question, "right") for question in TENSORS]))
    made = ATTACKS[attack]
    for name, content in made().items() if made else ():
        (room / name).write_bytes(content)
    command = [sys.executable, "-m", "saelab.cli", "grade", str(room), "--out", str(folder / "out")]
    started = time.perf_counter()
    with (
        open(folder / "said", "w") as said,
        subprocess.Popen([*command, "--chapter", CHAPTER, "--jobs", "1"], stdout=said, stderr=said) as office,
    ):
        peaks = watch(office)
    seconds = time.perf_counter() - started
    record = (folder / "out/records").joinpath("eve.json" if made else "bob.json")
    bob = json.loads((folder / "out/records/bob.json").read_text())["total"]
    print(
        f"{attack:<28}{seconds:>8.1f}{peaks[0]:>9.0f}{peaks[1]:>8.0f}{peaks[2]:>8.0f}   {told(record, bob)}", flush=True
    )


def watch(office: subprocess.Popen) -> list[float]:
    """Peak resident MB of the command, its grader process and that one's reader, until the command ends."""
    peaks = [0.0, 0.0, 0.0]
    while office.poll() is None:
        for depth, process in family(office.pid):
            if depth < 2 or "examiner" in " ".join(command_of(process)):
                peaks[depth] = max(peaks[depth], peak(process.pid))
        time.sleep(0.02)
    return peaks


def family(pid: int) -> list[tuple[int, psutil.Process]]:
    """(0 for the command, 1 for a grader, 2 for its children, process)."""
    try:
        top = psutil.Process(pid)
        graders = top.children()
        return [(0, top), *((1, p) for p in graders), *((2, c) for p in graders for c in p.children())]
    except psutil.Error:
        return []


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def peak(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def told(path: Path, bob: float) -> str:
    if not path.exists():
        return "no record"
    record = json.loads(path.read_text())
    words = [*record["notes"], *(g["message"] for g in record["grades"] if g["message"])]
    return f"{record['total']:g} points ({bob:g} for bob); {' '.join(words)[:110]!r}"


if __name__ == "__main__":
    main()
