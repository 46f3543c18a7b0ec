"""What a cell shows, in a real kernel: at once and once; and code that never ends is stopped."""

import os
import threading
import time

import nbformat
import pytest
from nbclient import NotebookClient

from saelab.answers import progress
from saelab.desk import patience

HEAD = "from saelab import check, hint, predict\ndef double(x):\n    return x * x\n"


@pytest.fixture
def run(small_course, tmp_path, monkeypatch):
    """Run cells in a kernel in a student's folder; gives for each its outputs as text."""
    monkeypatch.delenv("SAELAB_PLAIN", raising=False)
    progress.save(tmp_path, {})

    def outputs(*cells: str) -> list[list[str]]:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        env = {**os.environ, "SAELAB_COURSE": str(small_course)}
        NotebookClient(notebook, allow_errors=True, timeout=120, resources={"metadata": {"path": tmp_path}}).execute(
            env=env
        )
        return [[_text(output) for output in cell.outputs] for cell in notebook.cells]

    return outputs


def _text(output) -> str:
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return output["text"] if output.output_type == "stream" else output["data"].get("text/plain", "")


def test_a_report_is_shown_once_wherever_in_the_cell_it_stands(run):
    _, last, middle, loop, again, hinted = run(
        HEAD, "check(double)", "report = check(double)\n1 + 1", "for _ in range(2):\n    check(double)", "report",
        "hint('double')\nNone",
    )  # fmt: skip
    assert len(last) == 1 and "1 of 3 checks pass" in last[0]
    assert len(middle) == 2 and "checks pass" in middle[0] and middle[1] == "2"
    assert len(loop) == 2 and all("checks pass" in shown for shown in loop)
    assert len(again) == 1 and "checks pass" in again[0]
    assert len(hinted) == 1 and "Hint 1 of 2" in hinted[0]


def test_an_interrupt_says_where_their_code_was_in_one_line(run):
    endless = "import _thread, threading, time\ndef double(x):\n    while True:\n        time.sleep(0.01)\n"
    ring = "threading.Timer(2, _thread.interrupt_main).start()\ncheck(double)"
    *_, (shown,) = run(HEAD, "check(double)", endless, ring)
    assert shown == "You stopped the check. It was in line 4 of double: time.sleep(0.01)"


def forever() -> None:
    while True:
        time.sleep(0.01)


def test_what_never_ends_is_stopped_with_a_sentence():
    with pytest.raises(
        patience.TooLong, match=r"had not ended after 0 s, so it was stopped\. It was in line \d+ of forever"
    ):
        with patience.patient(0.3):
            forever()


def test_what_ends_is_left_alone_and_other_threads_too():
    with patience.patient(30):
        pass
    ran = []

    def elsewhere():
        with patience.patient(0.01):
            time.sleep(0.1)
            ran.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert ran
