"""Does the contents page say what there is, what is passed and where to go on, and leave what is the student's?"""

import json

from saelab.answers import progress
from saelab.desk import contents, watching

RIGHT = "def double(x):\n    return x + x"


def page(folder) -> str:
    return "".join(json.loads((folder / contents.FILE).read_text())["cells"][0]["source"])


def test_start_writes_a_page_and_what_passes_is_on_it(folder, answer, told):
    assert "**Begin here:** [A small section](small/01_small.ipynb) (exercise 1.1, *Doubling*)" in page(folder)
    assert "0 of 3 exercises passed, 0 of 6 points." in page(folder)
    assert "| → | 1.1 Doubling `double` | 5 | ●○○○○ | 2 |" in page(folder)
    answer("double", RIGHT)
    told("check", "double")
    assert "| ✓ | 1.1 Doubling" in page(folder) and "| → | 1.2 Four times" in page(folder)
    assert "**Continue here:**" in page(folder) and "1 of 3 exercises passed, 2 of 6 points." in page(folder)
    told("reset", "double")
    assert "| → | 1.1 Doubling" in page(folder)


def test_status_keeps_the_page_true(folder, told):
    for name, command in (("double", "status"), ("quadruple", None)):
        progress.record(f"small/{name}", "passed", folder)
        told(*filter(None, [command]))
        assert f"✓ | {'1.1 Doubling' if command else '1.2 Four times'}" in page(folder)


def test_cells_that_a_student_adds_to_the_page_stay(folder, told):
    path = folder / contents.FILE
    kept = json.loads(path.read_text())
    kept["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": "ask Bob about 1.2"})
    path.write_text(json.dumps(kept))
    progress.record("small/double", "passed", folder)
    told("status")
    assert "1 of 3" in page(folder) and "ask Bob" in path.read_text()


def test_a_file_of_the_students_own_is_never_written_over(folder, told):
    path = folder / contents.FILE
    for theirs in ('{"cells": []}', "my notes"):
        path.write_text(theirs)
        assert "contents.ipynb in it is not the course's, so it stays." in told("start", str(folder))[1]
        assert told("status")[0] == 0 and path.read_text() == theirs
    path.unlink()
    assert told("status")[0] == 0 and not path.exists(), "whoever deletes it does not want it"


def test_what_has_no_notebook_does_not_appear_and_one_that_is_gone_has_no_link(folder, small_course, told):
    (small_course / "chapters/small/02_more.py").write_text("# %% [markdown]\n# # Still being written\n")
    (folder / "small/01_small.ipynb").unlink()
    told("status")
    assert "Still being written" not in page(folder) and "](small" not in page(folder)
    assert "`small/01_small.ipynb` is not here: `saelab start .` brings it back" in page(folder)


def test_once_the_course_has_an_address_each_section_has_a_link_for_colab(folder, small_course, told):
    colab = "https://colab.example/blob/v1/chapters"
    made = contents.notebook(contents.page({}, colab), {"repository": "https://github.com/o/n", "colab": colab})
    (small_course / "chapters" / contents.FILE).write_text(contents.dump(made))
    told("status")
    assert f"[Colab]({colab}/small/01_small.ipynb)" in page(folder)


def test_watching_takes_no_notice_of_the_page(folder):
    saved = watching.events(folder, pause=0.0)
    contents.refresh(folder)
    (folder / contents.FILE).write_text("{}")
    (folder / "small/01_small.ipynb").write_text("{}")
    assert next(saved) == [folder / "small/01_small.ipynb"]
