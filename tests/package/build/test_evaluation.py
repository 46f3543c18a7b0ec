"""Is the page about the pocket model what its manifest says, and are the figures what their names say?"""

import importlib
import json
import re
from pathlib import Path

import pytest
import torch

from saelab.labs import assets

ROOT = Path(__file__).parents[3]
AGAIN = "run python build/world/evaluation.py --page"
SITE = "blocks.1.hook_resid_post"
torch.set_num_threads(1)


@pytest.fixture
def build(monkeypatch):
    """A function that imports a module of build/world/."""
    monkeypatch.syspath_prepend(str(ROOT / "build/world"))
    return importlib.import_module


def factors(share: float) -> dict:
    """Factor figures in which every share is this one."""
    row = {"n": 10, "f1_0.8": share, "f1_0.9": share / 2, "mean_f1": share}
    tenth = [row | {"from": 0.01 * i, "to": 0.01 * i + 0.01} for i in range(1, 11)]
    kinds = {"token": row, "context": row}
    group = row | {"beyond": row, "by_kind": kinds}
    return {
        "frequent": group,
        "all": group,
        "deciles": {"all": tenth, "token": tenth, "beyond": tenth},
        "worst": [{"factor": "word: shell", "f1": 0.0625, "latent": 3}],
    }


def tiny() -> dict:
    """A manifest with one dictionary at one site, and no more."""
    loss = {"clean": 1.4, "spliced": 1.5, "zero": 9.0, "mean": 7.0, "against_zero": 0.98, "against_mean": None}
    null = {"fvu": 0.61, "l0": 12.0, "factors": factors(0.01)}
    one = {
        "fvu": 0.0675, "l0": 12.13, "dead": 0.25, "cosine": 0.95, "shrinkage": 1.0, "tokens": 1000,
        "cross_entropy": loss, "factors": factors(0.47), "random_dictionary": null,
    }  # fmt: skip
    return {"files": {}, "quality": {f"dictionaries/{SITE}/batchtopk": one}}


def test_the_page_is_what_the_manifest_generates(build):
    manifest = json.loads((assets.ROOT / "manifest.json").read_text(encoding="utf-8")) if assets.names() else {}
    if "gates" not in manifest:
        pytest.skip("the manifest has no figures yet; run python build/world/evaluation.py")
    page = (ROOT / "docs" / "pocket_model.md").read_text(encoding="utf-8")
    assert page == build("evaluation_page").page(manifest), AGAIN
    for plot in re.findall(r"\(plots/(\w+\.svg)\)", page):
        assert (ROOT / "docs" / "plots" / plot).is_file(), f"{plot} is missing: {AGAIN}"


def test_a_figure_of_the_manifest_stands_on_the_page(build):
    page = build("evaluation_page").page(tiny())
    row = next(line for line in page.splitlines() if line.startswith(f"| `{SITE}`"))
    assert row.split(" | ")[1:6] == ["0.068", "12.1", "25%", "0.950", "–"]
    assert "47%" in row and "0.610" in row
    assert "word: shell (0.06)" in page


def test_a_section_without_figures_is_left_out(build):
    page = build("evaluation_page").page(tiny())
    assert re.findall(r"^## (.*)", page, re.M) == [
        "A dictionary at every site", "Against the truth", "What these figures do not show",
    ]  # fmt: skip
    assert "](plots/loss.svg)" not in page and "](plots/by_site.svg)" in page
    assert re.findall(r"^## (.*)", build("evaluation_page").page({}), re.M) == ["What these figures do not show"]


def test_every_row_of_a_table_has_as_many_cells_as_its_head(build):
    tables = re.findall(r"(?:^\|.*\n?)+", build("evaluation_page").page(tiny()), re.M)
    assert len(tables) == 2
    for table in tables:
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1, table


def test_sites_come_in_the_order_in_which_the_model_reaches_them(build):
    names = ["blocks.1.hook_resid_mid", "blocks.0.hook_resid_post", "blocks.1.attn.hook_z", "blocks.0.hook_resid_pre"]
    manifest = {"quality": {f"dictionaries/{name}/batchtopk": {} for name in names}}
    assert build("evaluation_page").sites_of(manifest) == [names[3], names[1], names[2], names[0]]


def test_a_plot_is_the_same_bytes_every_time(build):
    pytest.importorskip("matplotlib", reason="the plots need matplotlib: pip install -e '.[author]'")
    plots = build("evaluation_plots")
    first, second = (plots.draw("by_site", tiny()) for _ in range(2))
    assert first == second and first.startswith(b"<?xml") and b"<dc:date>" not in first
    assert plots.draw("loss", tiny()) is None, "no losses in the manifest, no plot of them"


def test_what_is_measured_is_not_measured_again_until_its_files_change(build, tmp_path, monkeypatch):
    evaluation = build("evaluation")
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("first")
    assets.record("model")
    asked = []

    def figures() -> dict:
        asked.append(1)
        return {"fvu": float("nan"), "l0": 12.123456, "of": [1, 2.00004]}

    for _ in range(2):
        evaluation.keep("quality", "model", ["model"], figures, again=False)
    assert len(asked) == 1
    assert {k: v for k, v in assets.facts("model")["quality"].items() if k != "state"} == {
        "fvu": None, "l0": 12.12, "of": [1, 2.0],
    }  # fmt: skip
    (tmp_path / "model" / "weights").write_text("second")
    assets.record("model")
    evaluation.keep("quality", "model", ["model"], figures, again=False)
    evaluation.keep("quality", "model", ["model"], figures, again=True)
    assert len(asked) == 3


def test_an_absorbing_latent_is_told_from_a_good_one(build, monkeypatch):
    case = build("evaluation_absorption")._case
    truth = build("held_out").HeldOut(
        tokens=torch.zeros(0), names=["class: king", "word: king"], kinds=[], parents=[], labels=torch.zeros(0),
        asked=torch.zeros(0), fit=torch.zeros(0), frequency=torch.zeros(0),
    )  # fmt: skip
    monkeypatch.setattr(build("evaluation_absorption"), "held_out", lambda: truth)
    labels = torch.zeros(200, 2, dtype=torch.bool)
    labels[:100, 0] = labels[:40, 1] = True  # 40 of the parent's 100 tokens are the child's
    asked, direction = torch.ones(200, dtype=torch.bool), torch.eye(2)
    best = build("saelab.scores").FactorF1(torch.tensor([5, 7]), *(torch.ones(2) for _ in range(5)))
    faithful = case(0, 1, labels, asked, labels, best, direction)
    silent = labels.clone()
    silent[:40, 0] = False
    absorbing = case(0, 1, labels, asked, silent, best, direction)
    assert (faithful["absorbed"], faithful["silent"]) == (False, 0.0)
    assert (absorbing["absorbed"], absorbing["silent"], absorbing["instead"], absorbing["on_others"]) == (True, 1, 1, 1)
    same_latent = build("saelab.scores").FactorF1(torch.tensor([5, 5]), *(torch.ones(2) for _ in range(5)))
    assert not case(0, 1, labels, asked, silent, same_latent, direction)["absorbed"]
