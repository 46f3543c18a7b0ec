"""The manifest of published files: what is whole is found, what is not is named."""

import json

import pytest

from saelab.labs import assets


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A model and one dictionary, recorded, as seen from a process that hasn't looked at them yet."""
    monkeypatch.setattr(assets, "ROOT", tmp_path / "assets")
    for name in ("model/model.safetensors", "model/config.json", "dictionaries/blocks.0.hook_resid_post/topk/cfg.json"):
        file = tmp_path / "assets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode() * 100)
    assets.record("model", seed=3, gates={"ioi": 0.97})
    assets.record("dictionaries/blocks.0.hook_resid_post/topk", seed=0)
    return tmp_path / "assets"


def test_a_whole_folder_is_found_and_its_facts_are_told(published):
    assert assets.path("model") == published / "model"
    assert assets.path("dictionaries/blocks.0.hook_resid_post/topk/cfg.json").is_file()
    assert assets.facts("model") == {"seed": 3, "gates": {"ioi": 0.97}}
    assert assets.facts("dictionaries/blocks.0.hook_resid_post/topk") == {"seed": 0}


def test_a_truncated_file_is_named_with_both_sizes(published):
    (published / "model/model.safetensors").write_bytes(b"short")
    with pytest.raises(
        FileNotFoundError, match=r"model/model\.safetensors is not the file .*truncated: 5 of 2,300 bytes"
    ):
        assets.path("model")


def test_an_altered_file_of_the_same_length_is_found_even_after_it_was_verified(published):
    assets.path("model")
    file = published / "model/config.json"
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(FileNotFoundError, match=r"config\.json is not the file .*altered"):
        assets.path("model")


def test_a_missing_file_says_how_to_restore_it(published):
    (published / "model/config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing\. Restore it: install the course again"):
        assets.path("model")


def test_in_a_checkout_git_restores_it(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(assets, "ROOT", tmp_path / "utils/saelab/assets")
    with pytest.raises(
        ValueError, match=r"^utils/saelab/assets/manifest\.json .* git checkout HEAD -- utils/saelab/assets$"
    ):
        assets.path("model")


def test_a_damaged_file_leaves_other_folders_usable(published):
    (published / "model/model.safetensors").write_bytes(b"short")
    assert assets.path("dictionaries").is_dir()


def test_an_unknown_name_is_answered_with_the_choices_and_a_prefix_is_no_name(published):
    for name in ("modle", "mod"):
        with pytest.raises(ValueError, match=rf"no published files '{name}'; there are dictionaries, model\."):
            assets.path(name)


def test_a_manifest_that_is_no_manifest_is_one_sentence(published):
    for content in ("{half", "[]", '{"files": []}'):
        (published / "manifest.json").write_text(content)
        with pytest.raises(FileNotFoundError, match=r"manifest\.json can't be read as a list of files\. Restore it"):
            assets.path("model")


def test_recording_again_forgets_deleted_files_and_keeps_the_rest(published):
    (published / "model/config.json").unlink()
    assets.record("model", seed=4)
    assert assets.names("model") == ["model/model.safetensors"]
    assert assets.names("dictionaries") == ["dictionaries/blocks.0.hook_resid_post/topk/cfg.json"]
    assert assets.facts("model") == {"seed": 4, "gates": {"ioi": 0.97}}
    assert not list(published.glob("*.tmp"))
    assert json.loads((published / "manifest.json").read_text())["files"]["model/model.safetensors"]["bytes"] == 2300


def test_recording_what_is_not_there_is_refused(published):
    with pytest.raises(FileNotFoundError, match="write the files first"):
        assets.record("controls/second_seed")


def test_forty_megabytes_are_verified_at_once_and_then_remembered(published, at_most, monkeypatch):
    (published / "model/model.safetensors").write_bytes(bytes(40_000_000))
    assets.record("model")
    with at_most(100):
        assets.path("model")
    monkeypatch.setattr(assets, "_sha256", lambda file: pytest.fail(f"{file.name} was read again"))
    assets.path("model")
