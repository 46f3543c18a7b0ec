"""Can a student who finds the check wrong say so, with a file that holds all that is needed and no more?"""

import getpass
import json
import platform
import re
from pathlib import Path

import saelab
from saelab import content, report
from saelab.answers import progress
from saelab.desk import dispute

WRONG = "import math\n\n\nK = 3\n\n\ndef double(x):\n    return K * x  # see /home/ada/notes, ```"
LINE = "Is the check wrong? `saelab dispute double` writes a report to give to whoever teaches the course."


def test_a_failed_report_ends_in_one_line_and_no_other_does(folder, answer, told):
    assert "dispute" not in told("check", "double")[1], "it isn't written yet"
    answer("double", WRONG)
    assert told("check", "double")[1].rstrip().endswith(LINE)
    assert "`saelab dispute double --seed 7` writes" in told("check", "double", "--seed", "7")[1]
    assert "dispute" not in told("check", "double", "--json")[1]
    assert "dispute" not in told("check", "double", "--submission", "small/01_small.ipynb")[1]
    answer("double", "def double(x):\n    return x.nonsense")
    assert "dispute" not in told("check", "double")[1], "every check stops at the same exception of theirs"
    answer("double", "def double(x):\n    return x + x")
    assert "dispute" not in told("check", "double")[1]


def test_the_file_has_all_that_is_needed_to_check_it_again(folder, answer, told, tmp_path):
    notebook = json.loads((folder / "small/01_small.ipynb").read_text())
    helper = {"cell_type": "code", "id": "h", "metadata": {}, "source": "def three():\n    return 3", "outputs": []}
    notebook["cells"].insert(0, helper)
    (folder / "small/01_small.ipynb").write_text(json.dumps(notebook))
    answer("double", "def double(x):\n    return three() * x  # `````")
    status, text = told("dispute", "double", "--seed", "7")
    assert status == 0 and "Wrote saelab-dispute-double.md" in text and "Nothing was sent." in text
    assert "give this file to whoever teaches the course." in text
    page = (folder / "saelab-dispute-double.md").read_text()
    for part in ("# small/double: is the check wrong?", "with seed 7", "three becomes six", "torch ", "(Write here.)"):
        assert part in page
    (tmp_path / "answer.py").write_text(re.search(r"``````python\n(.*)\n``````", page, re.S)[1])
    status, again = told("check", "double", "--submission", str(tmp_path / "answer.py"), "--seed", "7")
    assert status == 1 and again.splitlines()[0] in page
    assert told("dispute", "double")[0] == 0
    assert (folder / "saelab-dispute-double-2.md").exists(), "what was written into the first one stays"


def test_no_path_and_no_name_of_the_machine_gets_in(folder, answer, told, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "Grace")
    monkeypatch.setattr(platform, "node", lambda: "vassar")
    monkeypatch.setattr(Path, "home", lambda: Path("/homes/grace"))
    places = f"{folder} /homes/grace/x C:\\Users\\Eve\\y /Users/eve/z {content.root()}"
    answer("double", f"def double(x):  # by grace on vassar, gracefully; {places}\n    return 3 * x")
    told("dispute", "double")
    page = (folder / "saelab-dispute-double.md").read_text()
    assert "by USER on MACHINE, gracefully; COURSE HOME/x HOME" in page
    for name in (str(folder), "/homes", "Eve", "/eve", "grace ", "vassar", str(content.root())):
        assert name not in page, name


def test_a_variable_that_is_called_as_the_user_is_stays_one(tmp_path, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert dispute.nameless("ada = 3", tmp_path, {"ada"}) == "ada = 3"
    assert dispute.nameless("# ada", tmp_path) == "# USER"
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    assert dispute.nameless("the square root", tmp_path) == "the square root"


def test_what_passes_or_is_not_there_gives_nothing_to_dispute(folder, answer, told):
    status, text = told("dispute", "double")
    assert status == 2 and "not written yet. Write your answer first" in text
    answer("double", "def double(x):\n    return x + x")
    status, text = told("dispute", "double")
    assert status == 2 and "There is nothing to dispute, so nothing was written." in text
    assert not list(folder.glob("saelab-dispute*"))


def test_a_check_that_broke_can_be_disputed_too():
    broken = report.Report("small/double", "error", 2, notes=[f"It fell over. {dispute.OURS}"])
    assert dispute.offer(broken, "x") and not dispute.offer(report.Report("small/double", "error", 2), "x")
    assert dispute.offer(
        report.Report("small/double", "failed", 2, [report.TestResult("test_a", "failed", "Called f")]), "x"
    )


def test_a_notebook_writes_it_from_the_cells_that_ran(small_course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress.save(tmp_path, {})
    cells = ["", "K = 3", "def double(x):\n    return K * x"]
    names = {"check": saelab.check, "dispute": saelab.dispute, "In": cells}
    for cell in cells:
        exec(cell, names)
    assert 'Is the check wrong? `from saelab import dispute; dispute("double")` writes' in str(
        eval("check(double)", names)
    )
    assert "Wrote saelab-dispute-double.md" in str(eval("dispute(double)", names))
    page = (tmp_path / "saelab-dispute-double.md").read_text()
    assert "K = 3" in page and "return K * x" in page and "three becomes six" in page
    assert "There is no exercise 'print'." in str(eval("dispute(print)", names))
