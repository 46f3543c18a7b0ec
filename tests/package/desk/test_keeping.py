"""Does progress come through a lost Colab runtime, by either way, and never get worse?"""

import sys
import types
from pathlib import Path

import pytest

import saelab
from saelab.answers import guesses, progress
from saelab.answers.progress import Entry
from saelab.desk import keeping

DONE = {"small/double": Entry("passed", 1, "2026-08-01")}


@pytest.fixture
def colab(tmp_path, monkeypatch):
    """Colab's modules, as far as they are used: a Drive that is a folder, a browser that keeps what it is given."""
    browser: dict[str, bytes] = {}
    drive = types.SimpleNamespace(mount=lambda place: (Path(place) / "MyDrive").mkdir(parents=True, exist_ok=True))
    files = types.SimpleNamespace(
        download=lambda path: browser.update({Path(path).name: Path(path).read_bytes()}), upload=lambda: dict(browser)
    )
    for name, module in {"": types.SimpleNamespace(), ".drive": drive, ".files": files}.items():
        monkeypatch.setitem(sys.modules, f"google.colab{name}", module)
    monkeypatch.setattr(keeping, "DRIVE", tmp_path / "drive")
    return browser


@pytest.fixture
def new_runtime(tmp_path, monkeypatch):
    """Begin again in an empty folder, as after a lost runtime."""

    def begin() -> Path:
        empty = tmp_path / f"runtime-{len(list(tmp_path.iterdir()))}"
        empty.mkdir()
        monkeypatch.chdir(empty)
        return empty

    return begin


def test_what_drive_keeps_is_there_again_in_a_new_runtime(colab, new_runtime, capsys):
    progress.save(new_runtime(), DONE)
    saelab.keep_in_drive()
    assert "1 exercise passed" in capsys.readouterr().out
    progress.record("small/quadruple", "passed", progress.folder())
    new_runtime()
    saelab.keep_in_drive()
    assert "2 exercises passed" in capsys.readouterr().out
    assert set(progress.load(progress.folder())[0]) == {"small/double", "small/quadruple"}


def test_guesses_made_before_go_to_drive_too_and_the_later_ones_stay(colab, new_runtime, monkeypatch):
    monkeypatch.delenv("SAELAB_PLAIN", raising=False)
    new_runtime()
    saelab.keep_in_drive()
    guesses.remember(guesses.Guess("one?", 1), Path.cwd())
    early = new_runtime()
    progress.save(early, {})
    for question in ("one?", "two?"):
        guesses.remember(guesses.Guess(question, 2), early)
    saelab.keep_in_drive()
    assert [(one.question, one.guess) for one in guesses.load(Path.cwd())] == [("one?", 1), ("two?", 2)]


def test_a_downloaded_file_can_be_put_back_in_a_new_runtime(colab, new_runtime, capsys):
    progress.save(new_runtime(), DONE)
    saelab.download_progress()
    assert list(colab) == [progress.FILE]
    empty = new_runtime()
    saelab.restore_progress()
    assert "Your progress is back: 1 exercise passed." in capsys.readouterr().out
    assert progress.load(empty)[0] == DONE


def test_a_refused_drive_loses_nothing_and_is_one_sentence(colab, new_runtime, monkeypatch, capsys):
    def refuse(place):
        raise ValueError("mount failed")

    monkeypatch.setattr(sys.modules["google.colab.drive"], "mount", refuse)
    home = new_runtime()
    progress.save(home, DONE)
    saelab.keep_in_drive()
    told = capsys.readouterr().out
    assert told.startswith("Drive can't be used (mount failed).") and told.count("\n") == 1
    assert progress.folder() == home and progress.load(home)[0] == DONE


def test_an_old_file_takes_no_pass_away_and_hints_seen_stay_seen(new_runtime, tmp_path):
    home = new_runtime()
    progress.save(home, {"a/x": Entry("passed", 0, "2026-08-02"), "a/y": Entry("started", 2, "2026-08-02")})
    (tmp_path / "old").mkdir()
    progress.save(tmp_path / "old", {"a/x": Entry("started", 3, "2026-08-01"), "a/y": Entry("passed", 1, "2026-08-01")})
    saelab.restore_progress(tmp_path / "old" / progress.FILE)
    x, y = (progress.load(home)[0][name] for name in ("a/x", "a/y"))
    assert (x.status, x.hints, y.status, y.hints) == ("passed", 3, "passed", 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    {
        None: "could not be restored (No such file or directory",
        b"": "No file was chosen",
        b"\x89PNG": "holds no progress",
        b"small/double passed hints=1 2026-08-01\nrubbish\n": "Some lines of that file could not be read",
    }.items(),
)
def test_a_file_that_is_none_changes_nothing_and_is_told(content, sentence, new_runtime, tmp_path, capsys):
    home = new_runtime()
    progress.save(home, DONE)
    if content is not None:
        (tmp_path / "given").write_bytes(content)
    saelab.restore_progress(tmp_path / "given")
    assert sentence in capsys.readouterr().out
    assert progress.load(home)[0] == DONE


def test_at_home_each_says_that_there_is_nothing_to_do(new_runtime, capsys):
    home = new_runtime()
    saelab.download_progress()
    assert "it begins with the first check" in capsys.readouterr().out
    progress.save(home, DONE)
    for keep in (saelab.keep_in_drive, saelab.download_progress, saelab.restore_progress):
        keep()
    told = capsys.readouterr().out
    assert "This is no Colab notebook" in told and "1 exercise passed" in told and "Say which file" in told
