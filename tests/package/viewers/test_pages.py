"""Dashboards, the index, the comparison, the neuroscope and the export, on the pocket lab."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from saelab import sae
from saelab.labs import lab
from saelab.viewers import _describing as describing
from saelab.viewers import (
    compare,
    dashboard,
    dashboards,
    export_neuronpedia,
    heads_and_sources,
    latent_activations,
    latent_statistics,
    logit_lens,
    matched_latents,
    neuronpedia_link,
    neuronpedia_page,
    neuroscope,
    neuroscope_app,
    neuroscope_box,
)
from saelab.viewers._compare import random_directions
from saelab.viewers._dashboard import middle
from saelab.viewers._neuroscope import answer

sys.path.insert(0, str(Path(__file__).parent))
from pages import Reader  # noqa: E402

EXAMPLE = "When Mary and John went to the church, John gave a bottle to"


@pytest.fixture(scope="module")
def here():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(describing, "SEQUENCES", 64)
        yield lab("pocket")


@pytest.fixture(scope="module")
def tokens(here):
    return here.tokens(48, 32, seed=5)


@pytest.fixture(scope="module")
def frequent(here, tokens):
    """A latent that fires now and then at the middle site, and a dead one if there is one."""
    return int(latent_statistics(here, middle(here), tokens).density.argsort(descending=True)[10])


def test_a_dashboard_has_all_its_parts_and_needs_neither_script_nor_network(here, tokens, frequent):
    read = Reader(dashboard(here, frequent, tokens=tokens).html)
    for part in (
        "Promoted",
        "Suppressed",
        "Top contexts",
        "Interval 1",
        "Random contexts",
        "fire with it",
        "precision",
    ):
        assert part in read.text
    assert not read.dangers and not read.scripts and "svg" in read.tags


def test_an_attention_latent_shows_heads_and_source_tokens(here, tokens):
    site = next(site for site in here.sites if site.endswith("hook_z"))
    latent = int(latent_statistics(here, site, tokens).density.argmax())
    assert "head 0" in Reader(dashboard(here, latent, site, tokens=tokens).html).text


def test_a_dead_latent_has_a_page_too(here, tokens, frequent):
    one = here.dictionary(middle(here))
    one.W_enc.data[:, frequent], one.b_enc.data[frequent] = 0, -1
    from saelab.viewers._dashboard import Dictionary

    side = Dictionary(here, middle(here), given=tokens)
    side.sae = one
    page = side.page(frequent, latent_statistics(here, side.site, tokens, one, [frequent]), None)
    assert "never fired" in Reader(page.html).text


def test_a_latent_that_is_not_there_is_told(here):
    for latent in (-1, 10**6, "3"):
        with pytest.raises(ValueError, match="choose one of those"):
            dashboard(here, latent)


def test_head_and_source_shares_add_up_to_the_pre_activation(here, tokens):
    site = next(site for site in here.sites if site.endswith("hook_z"))
    one, at = here.dictionary(site), torch.tensor([9, 20])
    heads, sources = heads_and_sources(here, site, tokens[:2], at, one, 3)
    exact = (here.activations(site, tokens[:2]) @ one.W_enc[:, 3])[torch.arange(2), at]
    torch.testing.assert_close(heads.sum(1), exact, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sources.sum(1), exact, rtol=1e-4, atol=1e-4)


def test_the_logit_lens_is_the_models_own_last_step(here, tokens):
    site = f"blocks.{here.model.cfg.n_layers - 1}.hook_resid_post"
    x = here.activations(site, tokens[:1])[0]
    logits = here.model(tokens[:1])[0]
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.pow(2).mean(-1, keepdim=True) + here.model.cfg.eps).sqrt()
    zero = logit_lens(here, site, torch.zeros(1, x.shape[1]))
    assert (zero == 0).all()
    one = logit_lens(here, site, x[5:6] / scale[5:6]) - logit_lens(here, site, x[9:10] / scale[9:10])
    other = logits[5] - logits[9]
    torch.testing.assert_close(one[0], other - other.mean(), rtol=1e-3, atol=1e-3)


def test_matches_have_the_precision_and_recall_of_their_own_f1(here, frequent):
    found = describing.matches(here, middle(here), here.dictionary(middle(here)))
    assert found.best
    for said, precision, recall, f1 in found.best.values():
        assert said and abs(f1 - 2 * precision * recall / max(precision + recall, 1e-9)) < 1e-4


def test_no_factors_are_claimed_where_the_text_is_shuffled(here, tokens):
    control = here.control("shuffled_tokens")
    assert describing.matches(control, middle(control), control.dictionary(middle(control))) is None


def test_the_index_is_resumed_and_made_anew_for_another_text(here, tokens, frequent, tmp_path):
    chosen = [frequent, frequent + 1]
    index = dashboards(here, tmp_path, tokens=tokens, latents=chosen)
    read = Reader(index.read_text(encoding="utf-8").split("-->\n", 2)[-1])
    assert str(frequent) in read.text and "Search" in read.text and not read.dangers
    pages = [tmp_path / "latents" / f"{i}.html" for i in chosen]
    pages[0].write_text("broken off")
    kept = pages[1].stat().st_mtime_ns
    dashboards(here, tmp_path, tokens=tokens, latents=chosen)
    assert pages[1].stat().st_mtime_ns == kept, "a finished page is not made again"
    assert "Latent" in pages[0].read_text(encoding="utf-8")
    before = pages[1].read_text(encoding="utf-8")
    dashboards(here, tmp_path, tokens=tokens[:40], latents=chosen)
    assert pages[1].read_text(encoding="utf-8").split("\n")[0] != before.split("\n")[0]


def test_matched_latents_find_a_permutation_and_a_flipped_sign():
    W = torch.eye(6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    best, partner = matched_latents(W, -2 * W[order])
    assert (best == 1).all() and (order[partner] == torch.arange(6)).all()
    with pytest.raises(ValueError, match="6 and 5 dimensions"):
        matched_latents(W, torch.eye(5))


def test_the_null_of_a_comparison_is_not_what_a_dictionary_began_with():
    for seed in range(5):
        start = sae.TopKSAE(d_in=64, d_sae=256, k=4, seed=seed).W_dec.detach()
        assert matched_latents(start, random_directions(256, 64))[0].max() < 0.7


def test_a_dictionary_compared_with_itself_has_every_live_latent_in_both(here, tokens):
    site = middle(here)
    read = Reader(compare(here, site, (site,), tokens=tokens).html)
    assert "100%" in read.text and "Only in A" in read.text and not read.dangers


def test_the_neuroscope_reads_what_is_typed(here):
    read = Reader(neuroscope(here, EXAMPLE, [0, 1]).html)
    assert "Latent 0" in read.text and "bottle" in read.text
    assert "doesn't know" in Reader(neuroscope(here, "Mary met zzyzx").html).text
    for typed, chosen, told in (
        ("", "", "type a few words"),
        ("the " * 500, "", "shorten it"),
        (EXAMPLE, "1, x", "with commas"),
        (EXAMPLE, "999999", "has latents 0 to"),
    ):
        assert told in answer(here, typed, chosen, middle(here), here.dictionary(middle(here))).body


def test_the_box_falls_back_to_a_page_without_ipywidgets(here, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "No ipywidgets" in neuroscope_box(here).body


def test_the_application_needs_gradio(here):
    pytest.importorskip("gradio")
    assert neuroscope_app(here).title == "Neuroscope"


def test_without_gradio_one_sentence_says_what_to_install(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ImportError, match="pip install"):
        neuroscope_app(here)


def test_the_export_has_the_keys_of_the_uploader_and_finite_numbers(here, tokens, frequent, tmp_path):
    files = export_neuronpedia(here, tmp_path, middle(here), "res-x", tokens=tokens, latents=[frequent])
    assert [file.name for file in files] == ["batch-0.json", "skipped_indexes.json"]
    batch = json.loads(files[0].read_text(encoding="utf-8"))
    assert set(batch) == {"model_id", "layer", "sae_set", "sae_id_suffix", "features"}
    feature = batch["features"][0]
    assert feature["feature_index"] == frequent and len(feature["pos_str"]) == len(feature["pos_values"]) > 0
    assert len(feature["freq_hist_data_bar_values"]) == len(feature["freq_hist_data_bar_heights"])
    for one in feature["activations"]:
        assert set(one) == {"bin_min", "bin_max", "bin_contains", "tokens", "values"}
        assert len(one["tokens"]) == len(one["values"])


def test_links_lead_to_neuronpedia_and_the_pocket_model_has_none(here):
    assert neuronpedia_link("gpt2-small/8-res-jb", 650) == "https://www.neuronpedia.org/gpt2-small/8-res-jb/650"
    assert "embed=true" in neuronpedia_page("gpt2-small/8-res-jb", 650).body
    with pytest.raises(ValueError, match="pocket model isn't there"):
        neuronpedia_link(here.dictionary(middle(here)), 3)


def test_activations_of_some_latents_are_columns_of_all(here, tokens):
    every = latent_activations(here, middle(here), tokens[:2])
    torch.testing.assert_close(latent_activations(here, middle(here), tokens[:2], latents=[5, 2]), every[..., [5, 2]])


def test_saelens_splices_our_dictionary_as_we_do(here, tokens):
    """The ecosystem's own bridge, its dictionary read from our file: logits equal to 1e-5 of their size."""
    pytest.importorskip("sae_lens")
    from sae_lens import SAE
    from sae_lens.analysis.sae_transformer_bridge import SAETransformerBridge

    from saelab.labs import assets

    site = next(site for site in here.sites if site.endswith("hook_resid_post"))
    name = assets.names(f"dictionaries/{site}")[0].rsplit("/", 1)[0]
    architecture = name.split("/")[-1]
    theirs = SAE.load_from_disk(assets.path(name))
    ours = here.dictionary(site, architecture)
    spliced = here.model.run_with_hooks(tokens[:4], fwd_hooks=[(site, lambda x, hook: ours(x))])
    bridge = SAETransformerBridge.boot_transformers(str(assets.path("model")), device="cpu")
    bridge.tokenizer = here.tokenizer
    bridge.enable_compatibility_mode(disable_warnings=True, no_processing=True)
    found = bridge.run_with_saes(tokens[:4], saes=[theirs])
    assert not torch.allclose(found, here.model(tokens[:4]), atol=1e-2), "the dictionary was not spliced in"
    torch.testing.assert_close(found, spliced, rtol=1e-5, atol=1e-5 * float(spliced.detach().abs().max()))


def test_the_command_line_and_the_package_come_without_torch():
    told = "import sys, saelab; assert 'torch' not in sys.modules; saelab.dashboard; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
