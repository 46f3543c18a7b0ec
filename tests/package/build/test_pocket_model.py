"""The pocket model meets its gates, on text and pairs of names that it was not trained on; so does a second seed."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from saelab.labs import assets
from saelab.world import World

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "build/world"))
gates = importlib.import_module("gates")
pytestmark = pytest.mark.skipif(not assets.names("model"), reason="the pocket model is not built yet")


@pytest.fixture(scope="module")
def world():
    return World()


def opened(name):
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(assets.path(name), dtype=torch.float32).eval()


@pytest.fixture(scope="module", params=["model", "controls/second_seed/model"])
def figures(request, world):
    model = opened(request.param)
    figures = gates.behaviour(model, world, n=400, seed=17) | gates.loss_over_entropy(model, world, n=500, seed=18)
    return figures | gates.context_factors(model, world, n=500, seed=19)


@pytest.mark.parametrize("gate", gates.GATES)
def test_a_gate_is_met(figures, gate):
    least, most = gates.GATES[gate]
    assert least <= figures[gate] <= most


def test_no_gate_is_met_by_chance(world):
    """A model that never learned, and one that never saw an order, fail all gates of behaviour."""
    for control in ("random_weights", "shuffled_tokens"):
        figures = gates.behaviour(opened(f"controls/{control}/model"), world, n=100)
        for gate in ("ioi_accuracy", "facts_accuracy", "agreement_accuracy_across_attractors", "induction_accuracy"):
            assert figures[gate] < 0.6, (control, gate)


def test_the_gates_say_which_of_them_fails():
    figures = {gate: least for gate, (least, _) in gates.GATES.items()}
    assert gates.failures(figures) == []
    assert gates.failures(figures | {"facts_accuracy": 0.94}) == [
        "facts accuracy is 0.940; it must be from 0.95 to 1.0."
    ]
    assert len(gates.failures({})) == len(gates.GATES)


def test_float16_files_cost_less_than_half_a_percent_of_any_gate():
    for name in ("model", "controls/second_seed/model"):
        figures = assets.facts(name)["training"]["float32_and_float16"]
        assert set(figures) == set(gates.GATES)
        for gate, (trained, stored) in figures.items():
            assert abs(stored - trained) <= 0.005 * abs(trained), (name, gate)


def test_transformer_lens_gives_the_logits_of_transformers(world):
    from saelab.labs import lab

    tokens = torch.from_numpy(world.sample(2, 40, seed=3).tokens)
    here = gates.logits_of(lab("pocket").model, tokens)
    there = gates.logits_of(opened("model"), tokens)
    assert (here - there).abs().max() < 1e-4


needs_dictionaries = pytest.mark.skipif(not assets.names("dictionaries"), reason="no dictionaries are published yet")


@needs_dictionaries
def test_activations_are_those_that_the_dictionaries_were_trained_on(world):
    """FVU on the lab's activations is what the manifest says: so hook points and scales are the same."""
    from saelab.labs import lab
    from saelab.scores import quality

    here = lab("pocket")
    tokens = here.tokens(60, 128, seed=5)
    for site in ("blocks.1.hook_resid_post", "blocks.2.attn.hook_z", "blocks.3.hook_mlp_out"):
        x = here.activations(site, tokens)[:, 1:].flatten(0, 1)
        recorded = assets.facts(f"dictionaries/{site}/batchtopk")["quality"]["fvu"]
        assert quality(here.dictionary(site), x).fvu == pytest.approx(recorded, abs=0.02)


@needs_dictionaries
def test_saelens_opens_a_dictionary_and_agrees(world):
    from sae_lens import SAE

    from saelab.labs import lab

    here, site = lab("pocket"), "blocks.1.hook_resid_post"
    x = here.activations(site, here.tokens(2, 30))[:, 1:].flatten(0, 1)
    theirs = SAE.load_from_disk(assets.path(f"dictionaries/{site}/batchtopk"), device="cpu")
    assert (theirs.encode(x) - here.dictionary(site).encode(x)).abs().max() < 1e-4


def test_all_assets_are_small_and_safe():
    assert sum(file["bytes"] for file in assets.manifest()["files"].values()) < 40 * 2**20
    assert {file.rsplit(".", 1)[-1] for file in assets.names()} <= {"safetensors", "json"}
