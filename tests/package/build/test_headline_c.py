"""What later chapters rest on shows in the pocket model's dictionaries: the headline's analyses, made small."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from saelab.labs import assets, lab

HEADLINE = Path(__file__).parents[3] / "build" / "world" / "headline"
RESIDUAL = [f"dictionaries/blocks.{layer}.hook_resid_post/batchtopk" for layer in range(3)]


def needs(*names):
    missing = [name for name in names if not assets.names(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not among the assets yet: {', '.join(missing)}")


@pytest.fixture(scope="module")
def analysis():
    sys.path.insert(0, str(HEADLINE))
    yield importlib.import_module
    sys.path.remove(str(HEADLINE))


@pytest.fixture(scope="module")
def here():
    torch.set_num_threads(1)
    return lab("pocket")


@needs("model", "dictionaries/blocks.0.hook_resid_mid/batchtopk")
def test_a_third_of_the_factors_have_a_latent_and_hardly_any_in_a_random_dictionary(analysis, here):
    site = "blocks.0.hook_resid_mid"
    found = analysis("latents_match_factors").measure(here, n=60, sites=(site,))
    assert found["share"][0] > 0.25
    assert found["share"][0] > 3 * found["share_random"][0]


@needs("model", "dictionaries/blocks.0.hook_resid_mid/batchtopk")
def test_some_words_are_absorbed_and_tokens_at_random_are_not(analysis, here):
    found = analysis("absorption").measure(here, n=150, cases=(("blocks.0.hook_resid_mid", "batchtopk"),))
    assert found["clear"][0] >= 1
    assert found["absorbed"][0] > 5 * found["null"][0]


def test_the_union_of_latents_that_say_a_label_is_found(analysis):
    """Two latents that share a label are both main latents, unless one is barred; one that is on everywhere is none."""
    label = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0], dtype=torch.bool)
    on = torch.tensor([[1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 0, 0]]).float().T
    main_latents = analysis("latents").main_latents
    assert main_latents(on, label) == [0, 2]
    assert main_latents(on[:, [0, 2]], label, barred=[0]) == [1]


@needs("model", "dictionaries/blocks.2.hook_resid_post/batchtopk")
def test_shift_mends_a_biased_probe_and_random_latents_do_not(analysis, here):
    found = analysis("shift").measure(here, n=160, sites=("blocks.2.hook_resid_post",), general=60)
    worst = {name: row[0][1] for name, row in found.items() if isinstance(row[0], list)}
    assert worst["biased"] < 0.5
    assert worst["shift_retrained"] > worst["biased"] + 0.15
    assert abs(worst["random_retrained"] - worst["biased"]) < 0.1
    assert worst["balanced"] > 0.95


def test_every_lookup_has_an_answer_for_each_word(analysis, here):
    tables = analysis("deembedding").lookups(here.world)
    assert {name: len(words) for name, (words, _) in tables.items()}["capital"] == 28
    for words, answers in tables.values():
        assert len(words.unique()) == len(words) == len(answers)


@needs("model", "transcoders/blocks.0.mlp/transcoder")
def test_a_transcoder_holds_the_capitals(analysis, here):
    found = analysis("deembedding").measure(here, layers=(0,), times=4)
    assert found["capital_share"][0] > 2 * found["capital_null"][0]
    assert found["continent_share"][0] > found["continent_null"][0] + 0.2


@pytest.fixture(scope="module")
def spliced(analysis, here):
    circuit = analysis("sparse_circuit")
    return circuit.Spliced(here, circuit.with_attractor(here, 40, seed=3), circuit.SITES)


@needs("model", *RESIDUAL)
def test_with_all_latents_and_errors_the_splice_changes_nothing_and_with_none_it_is_the_twin(spliced):
    shape = spliced.changes().shape
    assert spliced.faithfulness(torch.ones(shape, dtype=torch.bool)) == pytest.approx(1, abs=1e-4)
    assert spliced.faithfulness(torch.zeros(shape, dtype=torch.bool)) == pytest.approx(0, abs=1e-4)


@needs("model", *RESIDUAL)
def test_attribution_is_the_gradient_through_a_splice_that_lets_the_error_pass(spliced):
    """x̂ + (x − x̂ held fixed), f a leaf at each site: as written out, so without the shortcut of W_dec."""
    leaves = {}

    def put(x, hook, site):
        dictionary = spliced.dictionaries[site]
        f = leaves[site] = dictionary.encode(x).detach().requires_grad_()
        x_hat = dictionary.decode(f)
        return x_hat + (x - x_hat.detach())

    from nodes import difference

    hooks = [(site, lambda x, hook, site=site: put(x, hook, site)) for site in spliced.sites]
    gradients = torch.autograd.grad(difference(spliced.model, spliced.prompts, hooks).mean(), list(leaves.values()))
    for i, (site, gradient) in enumerate(zip(spliced.sites, gradients)):
        by_hand = (gradient * (spliced.twin[site][0] - spliced.clean[site][0])).sum(0)
        assert (by_hand - spliced.attributions()[i, :, :-1]).abs().max() < 1e-3


@needs("model", *RESIDUAL)
def test_a_few_latents_carry_agreement(analysis, here):
    found = analysis("sparse_circuit").measure(here, n=60, times=3)
    nodes = found["differing_latents"] + found["differing_errors"]
    assert 0 < found["with_errors_sizes"][1] < nodes / 5
    assert max(found["with_errors_random"]) < 0.3
    assert found["with_errors_without"] < 0.25
    assert found["of_all_errors"] < 0.3 and found["of_all_latents"] > 0.6


@needs("model", RESIDUAL[2])
def test_a_topic_latent_steers_and_a_random_direction_does_not(analysis, here):
    found = analysis("steering").measure(here, n=4, general=120, others=1)
    at = found["doses"].index(2.0)
    gain = {name: found[f"{name}_share"][at] - found[f"{name}_share"][0] for name in ("latent", "random")}
    assert gain["latent"] > 0.2 and gain["latent"] > 3 * gain["random"]
    assert found["latent_loss"][at] < found["latent_loss"][0] + 0.5
