"""Is every submission, however it was sent, found as its student's, and does none read or harm anything else's?"""

import io
import json
import os
import socket
import stat
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from saelab import content
from saelab.answers import progress
from saelab.grade.intake import archive, handed_in, reading
from saelab.grade.intake import folder as folders
from saelab.grade.intake.examiner import Examiner

RIGHT = "def double(x):\n    return x + x"
PROGRESS = (
    progress.HEADER + "small/double   passed   hints=1  2026-11-21\nsmall/Scale open hints=99 2026-11-21\nrubbish\n"
)


def text(code: str = RIGHT, exercise: str = "") -> str:
    cell = {"cell_type": "code", "source": code, "metadata": {"exercise": exercise} if exercise else {}}
    return json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def write(folder: Path, *names: str, **contents: str) -> Path:
    """A folder of files; a name alone gets a notebook, or a script for .py."""
    for name, text_of in [*((n, RIGHT if n.endswith(".py") else text()) for n in names), *contents.items()]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of)
    return folder


def zipped(path: Path, *names: str, contents: dict | None = None, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in {**{n: text() for n in names}, **(contents or {})}.items():
            file.writestr(name, content)
    return path


def found(*paths: Path) -> dict[str, list[str]]:
    """Student → names of their files."""
    return {e.student: [f.name for f in e.files] for e in handed_in.find(list(paths))[0]}


def only(*paths: Path) -> reading.Entry:
    (entry,) = handed_in.find(list(paths))[0]
    return entry


def codes(entry: reading.Entry) -> list[str]:
    return [cell.text for cell in reading.load(entry).submission.cells]


@pytest.fixture(autouse=True)
def course_of_one_chapter(small_course):
    return small_course


COURSE = "small/01_small.ipynb"


def test_one_students_folder_with_all_that_gathers_in_it(tmp_path):
    junk = [".ipynb_checkpoints/01_small-checkpoint.ipynb", "__MACOSX/small/._01_small.ipynb", ".hidden.ipynb"]
    junk += ["saelab-backups/01_small.1.ipynb", "venv/lib/x.py", "small/__pycache__/x.py"]
    home = write(tmp_path / "ada", COURSE, "helpers.py", *junk, **{progress.FILE: PROGRESS, "notes.txt": "hello"})
    entry = only(home)
    assert (entry.student, entry.name, entry.submitted) == ("ada", "ada", "")
    assert [f.name for f in entry.files] == ["helpers.py", progress.FILE, COURSE]
    work = reading.load(entry)
    assert work.hints == {"small/double": 1, "small/Scale": 1}, "no more hints than there are"
    assert not work.notes and not work.submission.answer(content.find("double")).problem
    assert (home / progress.FILE).read_text() == PROGRESS, "nothing is written"
    assert not list(home.glob("*broken*"))


@pytest.mark.parametrize("name", ["ada.ipynb", "ada.py"])
def test_a_file_is_known_by_its_name(name, tmp_path):
    entry = only(write(tmp_path, name) / name)
    assert entry.student == "ada" and codes(entry) == [RIGHT]


def test_the_courses_own_notebooks_given_one_by_one_are_one_student(course_of_one_chapter, tmp_path):
    (course_of_one_chapter / "chapters/small/02_more.py").write_text("# %% [markdown]\n# # More\n")
    home = write(tmp_path / "ada", COURSE, "small/02_more.ipynb")
    assert found(home / COURSE, home / "small/02_more.ipynb") == {"ada": ["01_small.ipynb", "02_more.ipynb"]}
    other = write(tmp_path / "bob", COURSE)
    assert list(found(home / COURSE, other / COURSE)) == ["ada", "bob"]


def test_a_class_folder_has_a_student_in_each_folder_file_and_zip(tmp_path):
    write(tmp_path / "class", f"ada/{COURSE}", "bob.ipynb", "carl.py", "dora/part1/lab.ipynb", "dora/part2/lab.ipynb")
    zipped(tmp_path / "class/eve.zip", "work/lab.ipynb", "work/more.ipynb")
    assert found(tmp_path / "class") == {
        "ada": [f"ada/{COURSE}"],
        "bob": ["bob.ipynb"],
        "carl": ["carl.py"],
        "dora": ["dora/part1/lab.ipynb", "dora/part2/lab.ipynb"],
        "eve": ["work/lab.ipynb", "work/more.ipynb"],
    }
    (only_ada,) = handed_in.find([write(tmp_path / "one", "ada/lab.ipynb")])[0]
    assert only_ada.student == "ada"


def test_a_zip_is_one_students_or_a_class(tmp_path):
    assert found(zipped(tmp_path / "ada.zip", f"hw/{COURSE}", "hw/x.py")) == {"ada": ["x.py", COURSE]}
    assert list(found(zipped(tmp_path / "bob.zip", "part1/lab.ipynb", "part2/more.ipynb"))) == ["bob"]
    assert list(found(zipped(tmp_path / "class.zip", "ada.ipynb", "bob.ipynb"))) == ["ada", "bob"]
    assert list(found(zipped(tmp_path / "class2.zip", f"all/ada/{COURSE}", f"all/bob/{COURSE}"))) == ["ada", "bob"]
    several = found(tmp_path / "ada.zip", zipped(tmp_path / "dora.zip", "lab1.ipynb", "lab2.ipynb"))
    assert several["dora"] == ["lab1.ipynb", "lab2.ipynb"], "of several zips each is one student's"
    nested = zipped(tmp_path / "n.zip", contents={"ada.zip": (tmp_path / "ada.zip").read_bytes(), "bob.ipynb": text()})
    assert found(nested) == {"ada": ["hw/x.py", f"hw/{COURSE}"], "bob": ["bob.ipynb"]}


CANVAS = [
    "lovelaceada_12345_67890_lab.ipynb",
    "lovelaceada_12345_67891_helpers.py",
    "bobson_LATE_777_67892_lab.ipynb",
    "bobson_LATE_777_67893_lab-1.ipynb",
    "bobson_LATE_777_67894_lab-2.ipynb",
    "carlson_888_1_part-1.ipynb",
    "carlson_888_2_part-2.ipynb",
]


@pytest.mark.parametrize("kind", ["folder", "zip", "files"])
def test_canvas_names(kind, tmp_path):
    folder = write(tmp_path / "dl", *CANVAS)
    paths = {"folder": [folder], "zip": [zipped(tmp_path / "s.zip", *CANVAS)], "files": sorted(folder.iterdir())}[kind]
    entries = {e.student: e for e in handed_in.find(paths)[0]}
    assert {e.student: e.name for e in entries.values()} == {"12345": "lovelaceada", "777": "bobson", "888": "carlson"}
    names = {student: sorted(f.name for f in e.files) for student, e in entries.items()}
    assert names == {
        "12345": ["helpers.py", "lab.ipynb"],
        "777": ["lab-2.ipynb"],
        "888": ["part-1.ipynb", "part-2.ipynb"],
    }
    assert "Canvas marks a file as late." in entries["777"].notes
    assert "lab-2.ipynb counts, not the older lab.ipynb." in entries["777"].notes


def test_a_zip_handed_in_through_canvas(tmp_path):
    inner = zipped(tmp_path / "i.zip", COURSE, "bob_777_1_forged.ipynb").read_bytes()
    bulk = zipped(tmp_path / "s.zip", "bob_777_67_lab.ipynb", contents={"eve_12_34_work.zip": inner})
    assert found(bulk) == {"12": ["bob_777_1_forged.ipynb", COURSE], "777": ["lab.ipynb"]}


MOODLE = [
    "Ada Lovelace_12345_assignsubmission_file_/lab.ipynb",
    "Ada Lovelace_12345_assignsubmission_file_/sub/helpers.py",
    "Bob_y Bobson_777_assignsubmission_file_lab.ipynb",
    "Carl_888_assignsubmission_file/bob_777_assignsubmission_file_/forged.ipynb",
]


@pytest.mark.parametrize("kind", ["folder", "zip", "wrapped"])
def test_moodle_names(kind, tmp_path):
    prefix = "export/" if kind == "wrapped" else ""
    names = [prefix + name for name in MOODLE]
    path = zipped(tmp_path / "s.zip", *names) if kind == "zip" else write(tmp_path / "dl", *names)
    entries = handed_in.find([path])[0]
    assert [(e.student, e.name, len(e.files)) for e in entries] == [
        ("12345", "Ada Lovelace", 2),
        ("777", "Bob_y Bobson", 1),
        ("888", "Carl", 1),
    ]


GRADESCOPE = """
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '4711'
    :email: ada@example.edu
  :created_at: 2026-11-30 22:23:45.678901 Z
  :score: 3
submission_12:
  :submitters:
  - :name: Bob
    :email: bob@example.edu
  :created_at: 2026-12-01 01:23:45.678901000 -07:00
submission_13:
  :submitters:
  - :name: Carl
    :sid: '1'
  - :name: Dora
    :sid: '2'
  :created_at: not a time
"""


def test_gradescope_export(tmp_path):
    names = [f"assignment_export/submission_{n}/lab.ipynb" for n in (11, 12, 13, 14)]
    folder = write(tmp_path / "dl", *names, **{"assignment_export/submission_metadata.yml": GRADESCOPE})
    write(folder, **{"assignment_export/submission_14/submission_metadata.yml": GRADESCOPE.replace("4711", "666")})
    entries = handed_in.find([folder])[0]
    assert [(e.student, e.name, e.submitted) for e in entries] == [
        ("13", "Carl, Dora", ""),
        ("14", "submission_14", ""),
        ("4711", "Ada Lovelace", "2026-11-30T22:23:45+00:00"),
        ("bob@example.edu", "Bob", "2026-12-01T01:23:45-07:00"),
    ]
    assert entries[0].notes == ["Handed in by a group: Carl, Dora."]


def test_the_newest_of_two_submissions_counts_and_a_note_says_so(tmp_path):
    folder = write(tmp_path / "class", f"ada/{COURSE}")
    os.utime(folder / "ada" / COURSE, (1, 1))
    with zipfile.ZipFile(folder / "ada.zip", "w") as file:
        file.writestr(zipfile.ZipInfo("lab.ipynb", (2026, 11, 1, 0, 0, 0)), text("newer"))
    entry = only(folder)
    assert codes(entry) == ["newer"]
    assert entry.notes == [f"Handed in more than once: the newest counts, not ada/{COURSE}."]


def test_students_of_one_name_in_different_places_are_never_merged(tmp_path):
    folders = [write(tmp_path / week, "ada.ipynb", "bob.ipynb") for week in ("week1", "week2")]
    assert list(found(*folders)) == ["ada (week1)", "ada (week2)", "bob (week1)", "bob (week2)"]
    assert "more than one submission by the name of ada" in handed_in.find(folders)[0][0].notes[0]


def test_a_class_within_a_class_is_refused_not_merged(tmp_path):
    folder = write(tmp_path / "all", *(f"section1/{name}/{COURSE}" for name in ("a", "b", "c")), "dora.ipynb")
    zipped(folder / "section2.zip", *CANVAS)
    entries = {e.student: e for e in handed_in.find([folder])[0]}
    for section in ("section1", "section2"):
        assert not entries[section].files and "looks like a whole class" in entries[section].notes[0]
    assert codes(entries["dora"]) == [RIGHT]


def test_names_that_are_all_but_alike(tmp_path):
    write(tmp_path / "c", "ada.ipynb", "Ada.ipynb", "zoe\u0308.ipynb")
    entries = handed_in.find([tmp_path / "c"])[0]
    assert [e.student for e in entries] == ["Ada", "ada", "zo\u00eb"]
    assert entries[0].notes == ["Not the same student as ada, though the names are all but alike."]
    write(tmp_path / "d", "zoe\u0308.ipynb", "zo\u00eb.ipynb")
    assert "Handed in more than once" in only(tmp_path / "d").notes[0]


@pytest.mark.parametrize("name", ["a\u202ebc.ipynb", "a\nb.ipynb", "a" * 240 + ".ipynb", "\udcff.ipynb", "....ipynb"])
def test_odd_names_become_harmless_labels(name, tmp_path):
    with open(os.fsencode(tmp_path) + b"/" + os.fsencode(name), "w") as file:
        file.write(text())
    (entry,) = handed_in.find([Path(os.fsdecode(os.fsencode(tmp_path / name)))])[0]
    assert entry.student.isprintable() and 0 < len(entry.student) <= 160 and entry.student.encode()
    assert codes(entry) == [RIGHT]
    assert all(label.isprintable() and label.encode() for label in entry.hashes)


def test_hashes_tell_whether_anything_changed(tmp_path):
    folder = write(tmp_path / "ada", COURSE, **{progress.FILE: PROGRESS})
    before = only(folder).sha256
    assert only(folder).sha256 == before and len(only(folder).hashes) == 2
    write(folder, **{COURSE: text("other")})
    changed = only(folder).sha256
    (folder / COURSE).rename(folder / "small/renamed.ipynb")
    assert len({before, changed, only(folder).sha256}) == 3


def test_the_same_file_twice_is_read_once(tmp_path):
    entry = only(write(tmp_path / "ada", COURSE, "small/copy.ipynb"))
    assert len(entry.files) == 2 and codes(entry) == [RIGHT]


def test_the_courses_own_file_counts_more_than_an_old_copy(tmp_path):
    files = {COURSE: text(RIGHT, "double"), "small/old/01_small.ipynb": text("def double(x):\n    return 0", "double")}
    work = reading.load(only(write(tmp_path / "ada", **files)))
    assert RIGHT in work.submission.answer(content.find("double")).pieces[-1].code


# What was handed in and can't be graded: never nothing at all.

INSTEAD = {
    "eve.pdf": "eve.pdf is a PDF, which can't be run. Hand in the notebook itself (.ipynb).",
    "eve.docx": "eve.docx is a Word document, which can't be run.",
    "eve.html": "eve.html is a web page, which can't be run.",
    "eve.txt": "eve.txt is a plain text, which can't be run.",
    "eve.tar.gz": "eve.tar.gz is a tar archive, which is not opened here. Hand in a zip, or the notebooks themselves.",
    "eve.tgz": "eve.tgz is a tar archive",
    "eve.rar": "eve.rar is a RAR archive",
    "eve.7z": "eve.7z is a 7-Zip archive",
    "eve.ipynb.gz": "eve.ipynb.gz is a compressed file",
    "eve.xyz": "eve.xyz is no notebook, script or zip. Hand in the notebook itself",
    "eve": "eve is no notebook, script or zip.",
    "eve/report.pdf": "eve/report.pdf is a PDF",
    "eve/plot.png": "eve/plot.png is no notebook, script or zip.",
    "eve/deep/er/1.pdf eve/2.docx": "There is no notebook or script in it, only eve/2.docx, eve/deep/er/1.pdf.",
    "eve/.ipynb_checkpoints/lab.ipynb": "eve is an empty folder.",
}


@pytest.mark.parametrize("names", INSTEAD)
@pytest.mark.parametrize("kind", ["folder", "wrapped", "paths", "zip"])
def test_who_hands_in_something_else_has_an_entry_that_says_what_is_the_matter(kind, names, tmp_path):
    made = names.split()
    folder = write(tmp_path / "dl/class", "ada.ipynb", "bob.ipynb", *made)
    if kind == "zip":
        paths = [zipped(tmp_path / "c.zip", *(f"class/{name}" for name in ("ada.ipynb", "bob.ipynb", *made)))]
    else:
        paths = {"folder": [folder], "wrapped": [tmp_path / "dl"], "paths": sorted(folder.iterdir())}[kind]
    entries, left_out = handed_in.find(paths)
    if kind == "zip" and "checkpoints" in names:  # a zip says nothing of empty folders
        assert [e.student for e in entries] == ["ada", "bob"]
        return
    stem = "eve.ipynb" if names.endswith("ipynb.gz") else "eve"
    assert [e.student for e in entries] == ["ada", "bob", stem] and not left_out
    work = reading.load(entries[2])
    told = INSTEAD[names]
    told = told.replace("eve/", "") if kind == "paths" else told
    told = "There is no notebook or script in it" if kind == "paths" and "checkpoints" in names else told
    assert work.problems[0].startswith(told) and len(work.problems) == 1 and work.notes == work.problems
    assert work.may_be_unread(content.find("double")) and entries[2].sha256 != entries[1].sha256
    assert [e.problems for e in entries[:2]] == [[], []]


@pytest.mark.parametrize(
    "names",
    [
        ["bobson_777_1_lab.ipynb", "eve_12_2_essay.docx"],
        ["Bob_777_assignsubmission_file_/lab.ipynb", "Eve_12_assignsubmission_onlinetext/onlinetext.html"],
        ["submission_777/lab.ipynb", "submission_12/readme.md"],
    ],
)
def test_a_system_s_download_has_everybody_who_handed_in_anything(names, tmp_path):
    for path in (write(tmp_path / "dl", *names), zipped(tmp_path / "dl.zip", *names)):
        eve, bob = handed_in.find([path])[0]
        assert (eve.student, bob.student) == ("12", "777") and not bob.problems
        assert "Hand in the notebook itself" in eve.problems[0] and eve.system


def test_what_lies_beside_a_notebook_is_no_problem_and_no_student(tmp_path):
    write(tmp_path / "one/ada", "lab.ipynb", "report.pdf", "plots/fig.png", "data.csv", "old/essay.docx")
    assert found(tmp_path / "one") == {"ada": ["ada/lab.ipynb"]} and not only(tmp_path / "one").problems
    write(tmp_path / "two", "ada.ipynb", "ada.pdf", "bob.ipynb", "roster.csv", "README.md", "policy.toml", "plot.png")
    assert [(e.student, e.problems) for e in handed_in.find([tmp_path / "two"])[0]] == [("ada", []), ("bob", [])]


def test_an_archive_beside_a_notebook_is_told_since_answers_may_be_in_it(tmp_path):
    work = reading.load(only(write(tmp_path / "ada", COURSE, "rest.rar", "essay.docx")))
    assert [problem.partition(",")[0] for problem in work.problems] == ["rest.rar is a RAR archive"]


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    folder, opened = write(tmp_path / "class", "ada.ipynb", "eve.ipynb", "max/lab.ipynb"), os.open
    listed = os.scandir

    def refuse(path, *more, **named):
        if str(path).endswith(("eve.ipynb", "class/max")):
            raise PermissionError(13, "Permission denied")
        return (opened if more or named else listed)(path, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse)
    told = {e.student: reading.load(e).problems for e in handed_in.find([folder])[0]}
    assert told["ada"] == [] and "eve.ipynb can't be read (Permission denied)" in told["eve"][0]
    assert told["max"] == ["max can't be opened (Permission denied)."]


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    folder = write(tmp_path / "class", "ada.ipynb")
    (folder / "eve").symlink_to("/nowhere/at/all")
    eve = handed_in.find([folder])[0][1]
    assert eve.student == "eve" and "is a link, and links are not followed" in reading.load(eve).problems[0]


BROKEN = {
    "": "is not a notebook: it is empty. Download or save it again.",
    " \n": "is not a notebook: it is empty.",
    "%PDF-1.7": "is a PDF, in spite of its name.",
    "<!DOCTYPE html><html>": "is a web page, in spite of its name. Download the notebook itself (.ipynb).",
    "PK\x03\x04": "is a zip, or made of one, in spite of its name.",
    '{"cells": [': "is not a notebook: it is no JSON",
    '{"cells": 3}': "is not a notebook: it has no list of cells",
    "<<<<<<< HEAD": "is not a notebook: it is no JSON",
}


@pytest.mark.parametrize("data", BROKEN)
def test_a_notebook_that_is_none_is_told_in_words_that_help(data, tmp_path):
    work = reading.load(only(write(tmp_path / "class", **{"eve/01_small.ipynb": data, "eve/02_x.ipynb": text()})))
    assert len(work.problems) == 1 and work.problems[0].startswith(f"01_small.ipynb {BROKEN[data]}")
    assert work.may_be_unread(content.find("double")), "it is the section's own notebook"


def test_another_section_s_broken_notebook_hides_no_answer(course_of_one_chapter, tmp_path):
    (course_of_one_chapter / "chapters/small/02_more.py").write_text("# %% [markdown]\n# # More\n")
    work = reading.load(only(write(tmp_path / "ada", COURSE, **{"small/02_more.ipynb": "{"})))
    assert work.problems and not work.may_be_unread(content.find("double"))


@pytest.mark.parametrize("name", ["ada.py", "ada.ipynb"])
def test_a_file_with_no_code_in_it_is_told(name, tmp_path):
    write(tmp_path, **{name: "" if name.endswith(".py") else text("")})
    assert reading.load(only(tmp_path / name)).problems == [f"There is no code in it ({name}). Is it the right file?"]


def test_of_two_submissions_one_that_can_be_read_counts_and_the_other_is_told(tmp_path):
    folder = write(tmp_path / "class", f"ada/{COURSE}", "bob.ipynb")
    os.utime(folder / "ada" / COURSE, (1, 1))
    (folder / "ada.zip").write_bytes(b"Rar!")
    ada = handed_in.find([folder])[0][0]
    assert codes(ada) == [RIGHT] and ada.problems == ["ada.zip is no zip, or a damaged one. Make it again."]


def test_results_within_the_folder_are_nobody_s_work(tmp_path):
    folder = write(tmp_path / "class", "ada.ipynb", "bob.ipynb", "results/grading.json", "results/records/ada.json")
    write(folder, "results/nbgrader/source/small/01_small.ipynb", "results/feedback/ada.html", "new/lab.ipynb")
    assert list(found(folder)) == ["ada", "bob", "new"], "an earlier grading's"
    assert [e.student for e in handed_in.find([folder], folder / "new")[0]] == ["ada", "bob"], "and this one's"
    assert list(found(*sorted(folder.iterdir()))) == ["ada", "bob", "new"]


# What is refused. Each is one sentence, and bob beside it is as he would be alone.


def member(name: str, mode: int = 0, **fields) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2026, 11, 1, 0, 0, 0))
    info.external_attr = mode << 16
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def zip_of(path: Path, *members) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for info, content in members:
            file.writestr(info, content)


def a_link(folder: Path) -> None:
    (folder / "eve.ipynb").symlink_to(folder / "bob.ipynb")


def a_link_to_a_folder(folder: Path) -> None:
    (folder / "eve").mkdir()
    (folder / "eve/all").symlink_to(folder)


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "eve.ipynb")


def a_socket(folder: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)  # its path may be too long for a socket
    try:
        socket.socket(socket.AF_UNIX).bind("eve.ipynb")
    finally:
        os.chdir(here)


def a_folder_called_as_a_notebook(folder: Path) -> None:
    (folder / "eve.ipynb").mkdir()
    os.mkfifo(folder / "eve.ipynb/x.ipynb")


def a_name_that_leads_out(folder: Path) -> None:
    zip_of(folder / "eve.zip", *((member(n), text()) for n in ("../bob.ipynb", "/etc/x.py", "C:/x.py", "..\\..\\y.py")))


def a_link_in_a_zip(folder: Path) -> None:
    zip_of(folder / "eve.zip", (member("lab.ipynb", stat.S_IFLNK | 0o777), "../bob.ipynb"))


def a_device_in_a_zip(folder: Path) -> None:
    zip_of(folder / "eve.zip", (member("lab.ipynb", stat.S_IFCHR | 0o666), text()))


def a_bomb(folder: Path) -> None:
    zipped(folder / "eve.zip", contents={f"{n}.ipynb": b"0" * 30_000_000 for n in range(3)})


def a_bomb_in_a_bomb(folder: Path) -> None:
    data = zipped(folder / "eve.zip", contents={"x.ipynb": b"0" * 1_000_000}).read_bytes()
    for _ in range(4):
        data = zipped(folder / "eve.zip", contents={f"{n}.zip": data for n in range(8)}).read_bytes()


def a_bomb_of_another_method(folder: Path) -> None:
    zipped(folder / "eve.zip", contents={"x.ipynb": b"0" * 50_000_000}, method=zipfile.ZIP_BZIP2)


def a_size_that_lies(folder: Path) -> None:
    data = bytearray(zipped(folder / "eve.zip", contents={"x.ipynb": b"0" * 1_000_000}).read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (100).to_bytes(4, "little")
    (folder / "eve.zip").write_bytes(data)


def too_many_members(folder: Path) -> None:
    zipped(folder / "eve.zip", contents={f"{n}.ipynb": "" for n in range(10_000)})


def locked(folder: Path) -> None:
    data = bytearray(zipped(folder / "eve.zip", "lab.ipynb").read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (folder / "eve.zip").write_bytes(data)


def half_a_zip(folder: Path) -> None:
    path = zipped(folder / "eve.zip", "lab.ipynb")
    path.write_bytes(path.read_bytes()[:-30])


def a_damaged_member(folder: Path) -> None:
    data = bytearray(zipped(folder / "eve.zip", contents={"lab.ipynb": os.urandom(5_000)}).read_bytes())
    data[2_000] ^= 255
    (folder / "eve.zip").write_bytes(data)


def no_zip(folder: Path) -> None:
    (folder / "eve.zip").write_bytes(b"Rar!")


def a_huge_file(folder: Path) -> None:
    with open(folder / "eve.ipynb", "wb") as file:
        file.truncate(archive.FILE_BYTES + 1)


def deep_folders(folder: Path) -> None:
    write(folder, "eve/" + "a/" * 30 + "lab.ipynb")


def a_document_only(folder: Path) -> None:
    write(folder, "eve/lab.pdf", "eve/submission_metadata.yml")


def deep_json(folder: Path) -> None:
    (folder / "eve.ipynb").write_text('{"cells":' * 100_000)


def a_swarm_of_lists(folder: Path) -> None:
    (folder / "eve.ipynb").write_text('{"cells": [' + "[]," * 3_000_000 + "[]]}")


def much_code(folder: Path) -> None:
    write(folder, **{f"eve/{n}.py": "#" * 400_000 + f"\nx = {n}" for n in range(6)})


REFUSED = {
    a_link: "is a link, and links are not followed",
    a_link_to_a_folder: None,
    a_pipe: "is no ordinary file",
    a_socket: "is no ordinary file",
    a_folder_called_as_a_notebook: "is no ordinary file",
    a_name_that_leads_out: "leads out of the archive",
    a_link_in_a_zip: "is a link, and links are not followed",
    a_device_in_a_zip: "is no ordinary file",
    a_bomb: "unpacks to more than 300 times its size",
    a_bomb_in_a_bomb: "is a zip in a zip in a zip",
    a_bomb_of_another_method: "is compressed in an unusual way",
    a_size_that_lies: "is damaged",
    too_many_members: "More than 500 files",
    locked: "is locked with a password",
    half_a_zip: "is no zip, or a damaged one",
    a_damaged_member: "is damaged",
    no_zip: "is no zip, or a damaged one",
    a_huge_file: "is larger than 100 MB",
    deep_folders: "folders deep",
    a_document_only: "is a PDF, which can't be run. Hand in the notebook itself",
    deep_json: "nested too deeply",
    a_swarm_of_lists: "too many outputs",
    much_code: "more than 2,000,000 characters of code",
}


@pytest.mark.parametrize("attack", REFUSED, ids=lambda attack: attack.__name__)
def test_what_is_refused_is_told_in_a_sentence_and_bob_is_untouched(attack, tmp_path, at_most):
    folder = write(tmp_path / "class", "bob.ipynb")
    alone = only(folder)
    attack(folder)
    before = sorted(p for p in tmp_path.rglob("*"))
    with at_most(200):
        entries, notes = handed_in.find([folder])
        works = {e.student: reading.load(e) for e in entries}
        for entry in entries:
            assert entry.sha256
    assert not notes and list(works) == ["bob", "eve"]
    assert entries[0].sha256 == alone.sha256 and [c.text for c in works["bob"].submission.cells] == [RIGHT]
    assert not works["eve"].submission.cells
    told = " ".join(works["eve"].notes)
    assert (REFUSED[attack] or "is a link") in told and "Traceback" not in told
    assert any((REFUSED[attack] or "is a link") in problem for problem in works["eve"].problems), "a person is told"
    assert works["eve"].may_be_unread(content.find("double"))
    assert sorted(p for p in tmp_path.rglob("*")) == before, "nothing was unpacked"


def test_a_bomb_takes_no_memory(tmp_path):
    folder = write(tmp_path / "class", "bob.ipynb")
    a_bomb(folder), a_bomb_in_a_bomb(folder)
    tracemalloc.start()
    for entry in handed_in.find([folder])[0]:
        reading.load(entry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_zip_of_very_many_members_is_not_even_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MEMBERS", 50)
    path = zipped(tmp_path / "x.zip", *(f"{n}.txt" for n in range(60)))
    assert handed_in.find([path]) == ([], ["x.zip has more than 50 files. Send only the notebooks."])
    many = write(tmp_path / "many", *(f"{n}.txt" for n in range(60)))
    assert "has more than 50 files" in handed_in.find([many])[1][0]


def test_paths_that_are_nothing_to_grade_are_told_and_the_rest_is_found(tmp_path):
    write(tmp_path, "ada.ipynb", "x.pdf")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "ada.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "no.zip").write_text("")
    names = ["none.ipynb", "x.pdf", "link.ipynb", "pipe.ipynb", "no.zip", "ada.ipynb"]
    entries, notes = handed_in.find([tmp_path / name for name in names])
    assert "nothing called" in notes[0] and len(notes) == 1
    told = {"ada": "", "link": "is a link", "no": "is no zip", "pipe": "is no notebook", "x": "is a PDF"}
    assert [e.student for e in entries] == list(told), "each has a row, that of a file that can't be read as well"
    for entry in entries:
        assert told[entry.student] in (entry.problems or [""])[0] and entry.problems == entry.notes
    assert handed_in.find([tmp_path / "x.pdf"])[1][0].startswith("x.pdf is a PDF, which can't be run. Hand in the")


def test_every_entry_of_one_zip_can_be_read_in_any_order(tmp_path):
    inner = [zipped(tmp_path / f"{n}.zip", contents={"lab.ipynb": text(f"x = {n}")}).read_bytes() for n in range(3)]
    bulk = zipped(tmp_path / "class.zip", contents={f"s{n}.zip": data for n, data in enumerate(inner)})
    entries = handed_in.find([bulk])[0]
    assert [codes(e) for e in reversed(entries)] == [["x = 2"], ["x = 1"], ["x = 0"]]
    assert [codes(e) for e in entries] == [["x = 0"], ["x = 1"], ["x = 2"]]


def test_a_zip_member_by_the_same_name_twice_is_two_files(tmp_path):
    buffer = io.BytesIO()
    with pytest.warns(UserWarning), zipfile.ZipFile(buffer, "w") as file:
        file.writestr("lab.ipynb", text("x = 1"))
        file.writestr("lab.ipynb", text("x = 2"))
    (tmp_path / "ada.zip").write_bytes(buffer.getvalue())
    entry = only(tmp_path / "ada.zip")
    assert sorted(codes(entry)) == ["x = 1", "x = 2"] and list(entry.hashes) == ["lab.ipynb", "lab.ipynb (2)"]


def test_code_that_hangs_the_parser_costs_its_cell_only(tmp_path):
    cells = [RIGHT, 'x = f"' + "{1}" * 160_000 + '"', "y = 2", "z = ("]
    notebook = {"cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    with Examiner(cpu_seconds=1) as examine:
        first = reading.load(only(write(tmp_path, **{"ada.ipynb": json.dumps(notebook)}) / "ada.ipynb"), examine)
        again = reading.load(only(write(tmp_path, "bob.ipynb") / "bob.ipynb"), examine)
    problems = [cell.digest.problem for cell in first.submission.cells]
    assert problems[:3] == ["", "it takes Python too long to read it", ""] and "never closed" in problems[3]
    assert first.submission.answer(content.find("double")).pieces[-1].code == RIGHT
    assert again.submission.cells[0].digest.statements[0].binds == {"double"}


def test_after_three_cells_that_hang_the_rest_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(Examiner, "_line", lambda *_: None)
    write(tmp_path, **{"ada.py": "".join(f"# %%\nx = {n}\n" for n in range(5))})
    with Examiner() as examine:
        work = reading.load(only(tmp_path / "ada.py"), examine)
    assert [("too long to read" in c.digest.problem) for c in work.submission.cells] == [True] * 3 + [False] * 2
    assert all("too long" in cell.digest.problem for cell in work.submission.cells)


def test_the_examiner_sees_what_is_seen_here(tmp_path):
    code = "import a.b, c as d\nfrom e import *\nX['k'] = y\nX += 1\nif __name__ == '__main__':\n    check(X)\n" + RIGHT
    with Examiner() as examine:
        (there,) = reading.load(
            only(write(tmp_path, **{"ada.py": f"# %%\n{code}"}) / "ada.py"), examine
        ).submission.cells
    (here,) = reading.load(only(tmp_path / "ada.py")).submission.cells
    assert there.digest == here.digest and len(here.digest.statements) == 6


def test_three_hundred_students_are_sorted_quickly(tmp_path):
    names = [f"student{n}_{n}_{n}{k}_lab{k}.ipynb" for n in range(300) for k in range(10)]
    path = zipped(tmp_path / "class.zip", *names)
    began = time.process_time()
    entries = handed_in.find([path])[0]
    assert time.process_time() - began < 3
    assert len(entries) == 300 and all(len(e.files) == 10 for e in entries)


def test_an_examiner_that_is_killed_from_outside_blames_nobody(tmp_path, monkeypatch):
    sent, send = [], Examiner._send

    def send_and_kill_once(self, line):
        send(self, b"" if not sent else line)  # the first time it never hears the question
        sent.append(line)
        if len(sent) == 1:
            self._process.kill()

    monkeypatch.setattr(Examiner, "_send", send_and_kill_once)
    with Examiner() as examine:
        (cell,) = reading.load(only(write(tmp_path, **{"ada.py": RIGHT}) / "ada.py"), examine).submission.cells
    assert len(sent) == 2 and "double" in cell.digest.defines and not cell.digest.problem


# Bounds that hold before anything is expanded.


def zip_bytes(tmp_path: Path, contents: dict) -> bytes:
    return zipped(tmp_path / "made.zip", contents=contents).read_bytes()


def test_zips_in_a_zip_are_listed_up_to_a_limit_for_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MEMBERS", 250)
    opened, real = [], zipfile.ZipFile
    inner = zip_bytes(tmp_path, {f"{n}.txt": "" for n in range(100)})
    write(tmp_path / "class", "bob.ipynb")
    zipped(tmp_path / "class/eve.zip", contents={f"{n}.zip": inner for n in range(9)})
    monkeypatch.setattr(zipfile, "ZipFile", lambda *a, **k: opened.append(1) or real(*a, **k))
    entries = {e.student: e for e in handed_in.find([tmp_path / "class"])[0]}
    assert len(opened) == 3, "eve.zip and two of those in it"
    assert "7.zip has more than 41 files" in " ".join(entries["eve"].problems) and not entries["bob"].problems


def test_zips_in_a_zip_are_unpacked_up_to_a_limit_for_all_of_them(tmp_path, monkeypatch):
    inner = zip_bytes(tmp_path, {"x.bin": os.urandom(5_000)})
    monkeypatch.setattr(handed_in, "TOTAL", 12_000)
    write(tmp_path / "class", "bob.ipynb")
    zipped(tmp_path / "class/eve.zip", contents={f"{n}.zip": inner for n in range(5)})
    (eve,) = [e for e in handed_in.find([tmp_path / "class"])[0] if e.student == "eve"]
    assert [p for p in eve.problems if "all zips come to more than" in p]


def test_of_one_students_many_files_no_more_are_kept_than_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "FILES", 20)
    monkeypatch.setattr(handed_in, "FILES", 20)
    monkeypatch.setattr(archive, "OTHERS", 10)
    monkeypatch.setattr(archive, "MEMBERS", 60)
    many = [f"eve/{n % 9}/{n}.{kind}" for n in range(50) for kind in ("py", "dat")]
    for folder in (tmp_path / "class", tmp_path / "wrapped/class"):
        write(folder, "bob.ipynb", *many)
        assert len(folders.of_folder(folder)) == 1 + 21 + 10
    for path in (tmp_path / "class", tmp_path / "wrapped"):
        entries = {e.student: e for e in handed_in.find([path])[0]}
        assert codes(entries["bob"]) == [RIGHT]
        assert "More than 20 files" in entries["eve"].problems[0] and not entries["eve"].files
    zipped(tmp_path / "class/max.zip", *(name for name in many if name.endswith("py")))
    (listed,) = [f for f in folders.of_folder(tmp_path / "class") if f.suffix == ".zip"]
    monkeypatch.setattr(archive, "MEMBERS", 100)
    assert len(archive.of_zip(listed, 100)) == 21


def test_a_zip_that_takes_too_much_memory_costs_its_student_only(tmp_path, monkeypatch):
    write(tmp_path / "class", "bob.ipynb")
    zipped(tmp_path / "class/eve.zip", "lab.ipynb")

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(zipfile, "ZipFile", no_memory)
    eve = next(e for e in handed_in.find([tmp_path / "class"])[0] if e.student == "eve")
    assert "is no zip, or a damaged one" in eve.problems[0]


# Whose is what: guesses are told, contradictions are not settled in silence.


def doubts(*paths: Path) -> dict[str, str]:
    """Student → what a person has to look at, of those of whom there is anything."""
    return {e.student: " ".join(e.problems) for e in handed_in.find(list(paths))[0] if e.problems}


STRAY = ["01_small.ipynb", "01_small.py", progress.FILE, COURSE, "small/old.ipynb"]


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("kind", ["folder", "zip", "wrapped"])
@pytest.mark.parametrize("each", [f"{{}}/{COURSE}", "{}/lab.ipynb", "{}/small/x.py"])
def test_a_stray_file_of_the_course_does_not_make_a_class_one_student(stray, kind, each, tmp_path):
    names = [each.format(name) for name in ("ada", "bob", "carl", "dora")] + [stray]
    names = [f"dl/{name}" for name in names] if kind == "wrapped" else names
    path = zipped(tmp_path / "s.zip", *names) if kind == "zip" else write(tmp_path / "class", *names)
    entries = [e.student for e in handed_in.find([path])[0]]
    ((odd, told),) = doubts(path).items()
    assert set(entries) - {odd} == {"ada", "bob", "carl", "dora"} and "Whose is it?" in told


@pytest.mark.parametrize("stray", [COURSE, "01_small.ipynb", progress.FILE])
@pytest.mark.parametrize(
    "names",
    [
        ["ada.ipynb", "bob.ipynb"],
        ["ada.zip", "bob.zip"],
        [f"ada/{COURSE}", f"bob/{COURSE}"],
        ["ada/lab.ipynb", "bob/lab.ipynb"],
        ["ada.ipynb", "bob/lab.ipynb", "carl.zip"],
    ],
)
def test_what_can_be_one_student_or_a_class_is_graded_as_neither(names, stray, tmp_path):
    folder = write(tmp_path / "class", *(name for name in names if not name.endswith("zip")), stray)
    for name in names:
        if name.endswith("zip"):
            zipped(folder / name, "lab.ipynb")
    entry = only(folder)
    assert "can be one student's work" in entry.problems[0] and not entry.files
    assert reading.load(entry).may_be_unread(content.find("double"))


@pytest.mark.parametrize(
    "names",
    [
        [COURSE, progress.FILE, "scratch.ipynb", "more.ipynb"],
        [COURSE, "helpers.py", "plots.py", "data.py"],
        ["01_small.ipynb", "helpers.py", "tools/a.py"],
        [COURSE, progress.FILE, "old/01_small.ipynb"],
        [COURSE, "saelab.zip"],
        ["01_small.ipynb", "scratch.ipynb"],
    ],
)
def test_one_students_folder_stays_one_however_much_lies_in_it(names, tmp_path):
    folder = write(tmp_path / "ada", *names)
    assert found(folder).keys() == {"ada"} and "ada" not in doubts(folder) or "zip" in str(doubts(folder))


def test_forty_notebooks_beside_one_of_the_courses_are_a_class(tmp_path):
    folder = write(tmp_path / "class", "01_small.ipynb", *(f"student{n}.ipynb" for n in range(40)))
    assert len(handed_in.find([folder])[0]) == 41 and list(doubts(folder)) == ["01_small"]


MOODLE_TRICKS = {
    "Eve_777_assignsubmission_file_ x_12345_assignsubmission_file_/lab.ipynb": "12345",
    "Eve_777_assignsubmission_file_x_12345_assignsubmission_file_lab.ipynb": "12345",
    "Eve_777_assignsubmission_onlinetext_x_12345_assignsubmission_file/lab.ipynb": "12345",
    "777_assignsubmission_file_ _12345_assignsubmission_file_/lab.ipynb": "12345",
}


@pytest.mark.parametrize("name", MOODLE_TRICKS)
def test_the_last_of_several_numbers_in_a_moodle_name_counts_and_is_told(name, tmp_path):
    bob = "Bob_777_assignsubmission_file_/lab.ipynb"
    folder = write(tmp_path / "dl", name, bob, **{bob: text("bob's")})
    entries = {e.student: e for e in handed_in.find([folder])[0]}
    assert list(entries) == [MOODLE_TRICKS[name], "777"] and codes(entries["777"]) == ["bob's"]
    assert list(doubts(folder)) == ([MOODLE_TRICKS[name]] if name[:3] == "Eve" else list(doubts(folder)))


def test_a_moodle_file_that_is_called_as_another_students_replaces_nobodys(tmp_path):
    """Without folders, the file's own name comes last, and that is the student's to choose."""
    bob, eve = (
        "Bob_777_assignsubmission_file_lab.ipynb",
        "Eve_12_assignsubmission_file_x_777_assignsubmission_file_l.ipynb",
    )
    folder = write(tmp_path / "dl", **{bob: text("bob's"), eve: text("eve's")})
    entries = {e.student: e for e in handed_in.find([folder])[0]}
    assert codes(entries["777"]) == ["bob's"] and not entries["777"].problems
    (other,) = set(entries) - {"777"}
    assert not entries[other].files and "more than one number" in entries[other].problems[0]


def test_files_that_only_look_like_canvas_are_not_one_student(tmp_path):
    folder = write(tmp_path / "class", "lab_1_2_ada.ipynb", "lab_1_2_bob.ipynb", "lab_1_2_carl.ipynb")
    assert list(found(folder)) == ["lab_1_2_ada", "lab_1_2_bob", "lab_1_2_carl"]
    mixed = write(tmp_path / "mixed", "ada.ipynb", "bob.ipynb", "dora_1_2_final.ipynb")
    assert "named as Canvas names files" in doubts(mixed)["1"]
    two = write(tmp_path / "two", "ada_12_1_lab.ipynb", "bob_12_2_lab.ipynb", "carl_13_3_lab.ipynb")
    assert {e.name for e in handed_in.find([two])[0]} == {"ada", "bob", "carl"}
    assert all("beside several names: ada, bob" in said for said in doubts(two).values()) and len(doubts(two)) == 2


OUTPUT = GRADESCOPE.replace(
    "  :score: 3\n",
    "  :score: 3\n  :results:\n    output: |\n      :submitters:\n      - :name: Eve\n        :sid: '666'\n"
    "      submission_12:\n"
    "      :email: eve@example.edu\n    more: \"\n\n      :sid: '667'\n\n      submission_12:\n\n      \"\n",
)


def test_what_stands_in_a_students_output_is_no_metadata_of_gradescopes(tmp_path):
    names = [f"submission_{n}/lab.ipynb" for n in (11, 12, 13)]
    folder = write(tmp_path / "dl", *names, **{"submission_metadata.yml": OUTPUT})
    assert [e.student for e in handed_in.find([folder])[0]] == ["13", "4711", "bob@example.edu"] and not doubts(folder)


GRADESCOPES = {
    "not YAML": ("submission_11: [", "can't be read"),
    "a tab": ("submission_11:\n\t:sid: 3", "can't be read"),
    "very deep": ("a: " + "[" * 1_000, "nested too deeply"),
    "a key that is a list": ("? [a, b]\n: 1", "a key is no text"),
    "somebody else": ("submission_99:\n  :submitters:\n  - :sid: '4'\n", "says nothing of it"),
}


@pytest.mark.parametrize("what", GRADESCOPES)
def test_metadata_that_does_not_tell_is_a_doubt_about_everybody(what, tmp_path):
    words, sentence = GRADESCOPES[what]
    folder = write(
        tmp_path / "dl", "submission_11/lab.ipynb", "submission_12/l.ipynb", **{"submission_metadata.yml": words}
    )
    told = doubts(folder)
    assert list(told) == ["11", "12"] and all(sentence in said for said in told.values())


def test_metadata_with_names_of_its_own_and_repeated_values_is_read(tmp_path):
    words = (
        "submission_11:\n  :submitters:\n  - !ruby/x &a\n    :name: &n Ada\n    ':sid': &s 0815\nsubmission_12: &b\n"
    )
    words += "  :submitters: [{':name': *n, ':email': x@y}]\n  <<: *a\n  :created_at: 2026-11-30 22:23:45 Z\n"
    folder = write(
        tmp_path / "dl", "submission_11/lab.ipynb", "submission_12/l.ipynb", **{"submission_metadata.yml": words}
    )
    entries = handed_in.find([folder])[0]
    assert [(e.student, e.name, e.submitted) for e in entries] == [
        ("0815", "Ada", ""),
        ("x@y", "Ada", "2026-11-30T22:23:45+00:00"),
    ]


def test_one_number_beside_two_submissions_of_gradescopes_puts_nobody_together(tmp_path):
    folder = write(
        tmp_path / "dl", *(f"submission_{n}/lab.ipynb" for n in (11, 12)), **{"submission_metadata.yml": GRADESCOPE}
    )
    text_of = (folder / "submission_metadata.yml").read_text().replace("bob@example.edu", "4711")
    (folder / "submission_metadata.yml").write_text(text_of)
    told = doubts(folder)
    assert len(told) == 2 and all("4711 stands beside more than one submission" in said for said in told.values())


def test_nbgraders_folders_and_names(tmp_path):
    course = write(
        tmp_path / "course", "source/hw/lab.ipynb", "release/hw/lab.ipynb", "autograded/ada/hw/lab.ipynb",
        "submitted/ada/hw/lab.ipynb", "submitted/bob/hw/lab.ipynb", "gradebook.db",
    )  # fmt: skip
    assert list(found(course)) == ["ada", "bob"] and list(found(course / "submitted")) == ["ada", "bob"]
    late = "ada+hw1+2026-11-30 23:00:00.123456 UTC+a1b2"
    inbound = write(
        tmp_path / "inbound", f"{late}/lab.ipynb", "ada+hw1+2026-11-29 23:00:00.1 UTC+zz/lab.ipynb",
        "bob+hw1+2026-11-29 23:00:00 UTC+c/lab.ipynb", **{f"{late}/lab.ipynb": text("newer")},
    )  # fmt: skip
    ada, bob = handed_in.find([inbound])[0]
    assert (ada.student, bob.student, ada.submitted) == ("ada", "bob", "2026-11-30T23:00:00+00:00")
    assert codes(ada) == ["newer"] and "Handed in more than once" in ada.notes[0]


OTHER = "def double(x):\n    return 2 * x"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("ada.ipynb", "bob.ipynb"), True),
        (("ada/lab.ipynb", "bob/lab.ipynb"), True),
        (("ada/01_small.ipynb", "bob/01_small.ipynb"), True),
        (("lab.ipynb", "lab-Copy1.ipynb"), False),
        (("lab.ipynb", "old/lab.ipynb"), False),
        ((COURSE, "small/01_small (1).ipynb"), False),
    ],
)
def test_two_students_in_one_folder_of_a_class_are_not_put_together_in_silence(names, told, tmp_path):
    one, other = (f"section1/{name}" for name in names)
    folder = write(tmp_path / "class", "carl.ipynb", **{one: text(RIGHT, "double"), other: text(OTHER, "double")})
    entry = next(e for e in handed_in.find([folder])[0] if e.student == "section1")
    said = [p for p in reading.load(entry).problems if "Are these two students' notebooks?" in p]
    assert len(said) == told
    same = write(tmp_path / "same", "carl.ipynb", f"section1/{names[0]}", f"section1/{names[1]}")
    entry = next(e for e in handed_in.find([same])[0] if e.student == "section1")
    assert not reading.load(entry).problems, "the same answer twice is no doubt"


def test_every_identity_says_what_it_was_guessed_from(tmp_path):
    def kinds(*paths):
        return {e.student: e.known_by for e in handed_in.find(list(paths))[0]}

    folder = write(tmp_path / "class", "bob.ipynb", f"ada/{COURSE}")
    zipped(folder / "eve.zip", "lab.ipynb")
    assert kinds(folder) == {
        "ada": "the name of the folder", "bob": "the name of the file", "eve": "the name of the zip",
    }  # fmt: skip
    assert kinds(folder / "bob.ipynb", folder / "ada" / COURSE) == {
        "ada": "the folder around the course's notebooks", "bob": "the name of the file",
    }  # fmt: skip
    systems = write(tmp_path / "canvas", *CANVAS[:3]), write(tmp_path / "moodle", *MOODLE[:1])
    assert set(kinds(*systems).values()) == {"Canvas's number in the name", "Moodle's number in the name"}


def test_more_statements_than_a_submission_may_have_are_left_out(tmp_path, monkeypatch):
    cells = ["a\n" * 4_900] * 14 + [RIGHT]
    (tmp_path / "eve.py").write_text("# %%\n".join(["", *cells]))
    (tmp_path / "bob.py").write_text("# %%\n".join(["", *reversed(cells)]))
    with Examiner() as examine:
        eve, bob = (reading.load(only(tmp_path / f"{name}.py"), examine).submission for name in ("eve", "bob"))
    assert sum(len(cell.digest.statements) for cell in eve.cells) <= 60_000
    assert "more than 60,000 statements" in eve.cells[-1].digest.problem and not bob.cells[0].digest.problem
