"""IOI, facts, agreement and two hops on the pocket model: identities that hold exactly, and the headline figures.

The nodes' arithmetic is tried on a small linear model first, where attribution has to be exact.
"""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from saelab import lab
from saelab.labs import assets
from saelab.prompts import Prompts

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "build/world/headline"))
nodes = importlib.import_module("nodes")


class Linear:
    """Two layers of three heads and an MLP, each a linear map of the token, whose sum gives the logits."""

    cfg = SimpleNamespace(n_layers=2, n_heads=3)

    def __init__(self):
        draw = torch.Generator().manual_seed(0)
        self.heads, self.mlps = torch.randn(2, 20, 3, 4, generator=draw), torch.randn(2, 20, 5, generator=draw)
        self.read = [torch.randn(12, 20, generator=draw), torch.randn(5, 20, generator=draw)]

    def run_with_hooks(self, tokens, fwd_hooks):
        logits = torch.zeros(*tokens.shape, 20)
        for layer in range(2):
            for name, table, read in zip(("attn.hook_z", "hook_mlp_out"), (self.heads, self.mlps), self.read):
                x = table[layer][tokens].requires_grad_()
                for at, hook in fwd_hooks:
                    if at == f"blocks.{layer}.{name}":
                        x = hook(x, None)
                logits = logits + x.flatten(2) @ read
        return logits

    def run_with_cache(self, tokens, names_filter):
        at = {"attn.hook_z": self.heads, "hook_mlp_out": self.mlps}
        return None, {f"blocks.{i}.{name}": table[i][tokens] for i in range(2) for name, table in at.items()}


@pytest.fixture
def linear():
    """A linear model, prompts of different lengths, all nodes, and the twins' values."""
    model, draw = Linear(), torch.Generator().manual_seed(1)
    tokens, twin = torch.randint(0, 20, (2, 6, 4), generator=draw)
    prompts = Prompts([], tokens, torch.tensor([3, 3, 2, 3, 1, 3]), torch.arange(6), torch.arange(6, 12), twin)
    return model, prompts, nodes.heads(model) + nodes.mlps(model), nodes.values(model, twin)


def test_attribution_is_the_effect_where_the_model_is_linear(linear):
    model, prompts, every, by = linear
    effects = nodes.effects(model, prompts, every, by)
    assert effects.shape == (8,) and effects.abs().min() > 1e-3
    assert_close(nodes.attributions(model, prompts, every, by), effects, rtol=1e-4, atol=1e-5)


def test_faithfulness_adds_up_where_the_model_is_linear(linear):
    model, prompts, every, by = linear
    circuits = nodes.Circuits(model, prompts, every, by)
    assert circuits.faithfulness(every) == pytest.approx(1) and circuits.faithfulness([]) == pytest.approx(0)
    shares = [circuits.faithfulness([node]) for node in every]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    small = circuits.smallest(sorted(every, key=lambda node: -shares[every.index(node)]))
    assert circuits.faithfulness(small) >= 0.9
    for node in small:
        assert circuits.faithfulness([other for other in small if other != node]) < 0.9, "none is superfluous"


def test_random_circuits_have_as_many_heads_and_mlps(linear, monkeypatch):
    model, prompts, every, by = linear
    circuits, seen = nodes.Circuits(model, prompts, every, by), []
    monkeypatch.setattr(circuits, "faithfulness", lambda circuit: seen.append(list(circuit)) or 0.0)
    circuits.random([(0, 1), (1, 2), (1, None)], times=5)
    assert [(len(c), sum(node[1] is None for node in c), len(set(c))) for c in seen] == [(3, 1, 3)] * 5


def test_means_are_taken_within_a_template():
    clean = {"x": torch.tensor([0.0, 10, 2, 30])[:, None]}
    assert nodes.averaged(clean, 2)["x"].flatten().tolist() == [1, 20, 1, 20]


@pytest.fixture(scope="module")
def pocket():
    if not (assets.ROOT / "model").is_dir():
        pytest.skip("The pocket model is not here yet: utils/saelab/assets/model comes with the build.")
    torch.set_num_threads(1)
    return lab("pocket")


def figures(pocket, name: str, n: int, **more) -> dict:
    return importlib.import_module(name).measure(pocket, n, **more)


@torch.no_grad()
def test_replacing_nothing_or_everything_by_itself_changes_nothing(pocket):
    model, prompts = pocket.model, pocket.prompts("ioi", 6)
    clean, full = nodes.values(model, prompts.tokens), nodes.difference(model, prompts)
    every = nodes.heads(model) + nodes.mlps(model)
    for hooks in (nodes.replace([], clean), nodes.replace(every, clean)):
        assert_close(nodes.difference(model, prompts, hooks), full, rtol=0, atol=1e-4)
    twin = nodes.replace(every, nodes.values(model, prompts.twin))
    assert nodes.difference(model, prompts, twin).max() < -2, "every node from the twin: the twin's answer"


def test_two_heads_suppress_the_name_that_acts_and_no_duplicate_is_looked_for(pocket):
    found = figures(pocket, "ioi_heads", 24, draws=6)
    assert sorted(found["mean_circuit"]) == found["suppressors"]
    assert len(found["suppressors"]) == 2 and found["finders_of_the_duplicate"] == []
    assert found["mean_faithfulness"] >= 0.9 and abs(found["mean_faithfulness_of_the_rest"]) < 0.4
    assert found["mean_faithfulness_of_random_circuits"][2] < 0.2, "half of the random pairs do nothing"
    io, s = found["io_and_s_without_suppressors"]
    assert io > 8 and io - s < 0.5 * found["logit_difference"], "without them both names are likely"
    assert found["io_over_s_without_duplicate"] > 10, "avoided though it is no duplicate"
    assert found["io_over_third_without_duplicate"] < 0.25 * found["io_over_s_without_duplicate"]
    assert found["twin_correlation"] > 0.97
    assert -0.5 < found["main_through_later_queries"] / found["logit_difference"] < -0.05, "a small part by inhibition"


def test_the_terms_of_a_fact_add_up_and_the_lookup_is_at_the_end(pocket):
    found = figures(pocket, "fact_dla", 12)
    assert found["largest_deviation"] < 1e-3
    assert sum(found["mean"]) == pytest.approx(found["logit_difference"], abs=1e-3)
    assert sum(found["example"]) == pytest.approx(found["example_logit_difference"], abs=1e-3)
    assert len(found["terms"]) == 2 + 4 * (8 + 3) + 2 and found["mlps_share"] > 0.7
    end, last_name = found["places"].index("end"), found["places"].index("last name")
    for changed in ("first_name", "last_name"):
        denoised, noised = (found[f"{changed}_{way}_residual"] for way in ("denoise", "noise"))
        assert denoised[end][0] == pytest.approx(0, abs=1e-3) and denoised[end][-1] == pytest.approx(1, abs=1e-3)
        assert noised[end][0] == pytest.approx(1, abs=1e-3) and noised[end][-1] == pytest.approx(0, abs=1e-3)
        assert found[f"{changed}_noise_mlps"][end][-1] < 0.5, "without the MLPs at the end the fact is lost"
    assert max(found["first_name_denoise_residual"][last_name]) < 0.1, "the first name never comes to the last name"


def test_a_tenth_of_the_heads_carries_agreement(pocket):
    found = figures(pocket, "agreement_circuit", 40, draws=6)
    assert found["accuracy"] == 1 and found["correlation"] > 0.9
    assert len(found["circuit"]) <= 14 and found["circuit_faithfulness"] >= 0.9
    assert found["faithfulness_of_random_circuits"][2] < 0.4 and found["faithfulness_of_the_rest"] < 0.1
    assert found["faithfulness_by_size"][0] == pytest.approx(0, abs=1e-5)


def test_a_capital_is_read_from_a_code_of_the_country_not_from_the_country_word(pocket):
    found = figures(pocket, "two_hop", 1)
    assert found["accuracy"] > 0.95
    assert found["decoded_across"][2] > 0.3 and found["decoded_shuffled"][2] < 0.2
    assert max(found["swap_across"][:3]) > 0.5 and max(found["swap_random"]) < 0.2
    assert found["swap_across"][1] > found["swap_across_after_the_last_layer"][1] + 0.1, "later layers work on it"
    assert all(country < capital for country, capital in zip(found["country_lead"], found["capital_lead"]))
    full = found["capital_lead"][-1]
    assert min(found["capital_lead_without_countries"]) > 0.9 * full > min(found["capital_lead_without_capitals"])
