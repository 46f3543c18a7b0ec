"""`saelab.lab` on a tiny model in the pocket's place. The public labs: test_hub.py."""

import functools
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from saelab.labs import assets, lab
from saelab.labs import hub_prompts as prompts
from saelab.labs.base import same_activation, shuffled
from saelab.labs.pocket import PocketLab

sys.path.insert(0, str(Path(__file__).parent))
standin_hub = importlib.import_module("standin_hub")


class TinyWorld:
    """What `saelab.world.World` promises, as far as the lab knows it."""

    def __init__(self, tokenizer):
        ioi, facts = functools.partial(prompts.ioi, tokenizer), functools.partial(prompts.facts, tokenizer)
        self.prompts, self._size = SimpleNamespace(ioi=ioi, facts=facts), len(tokenizer)

    def sample(self, n, length, seed):
        draw = torch.Generator().manual_seed(seed)
        tokens = torch.randint(1, self._size, (n, length), generator=draw)
        return SimpleNamespace(tokens=tokens.index_fill(1, torch.tensor(0), 0).numpy())


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Assets as the course has them: a model stored in half precision, dictionaries, a control, a transcoder."""
    from saelab import sae

    root = tmp_path_factory.mktemp("assets")
    tokenizer = standin_hub.tokenizer("<bos>")
    standin_hub.tiny_gpt2(root / "model", tokenizer, dtype=torch.float16)
    standin_hub.tiny_gpt2(root / "controls/second_seed/model", tokenizer, layers=4, dtype=torch.bfloat16)
    for name in (
        "dictionaries/blocks.10.hook_resid_post/topk",
        "dictionaries/blocks.2.hook_mlp_out/topk",
        "dictionaries/blocks.1.hook_resid_post/standard",
        "dictionaries/blocks.1.hook_resid_post/topk",
        "dictionaries/blocks.1.hook_resid_post/topk-seed2",
        "dictionaries/blocks.1.attn.hook_z/topk",
        "controls/second_seed/dictionaries/blocks.0.hook_resid_post/topk",
    ):
        site, architecture = name.split("/")[-2:]
        kind = sae.StandardSAE if architecture == "standard" else functools.partial(sae.TopKSAE, k=4)
        seed = int(architecture.partition("-seed")[2] or 0)
        sae.save(kind(d_in=32, d_sae=64, seed=seed, metadata={"hook_name": site}), root / name, dtype=torch.float16)
    patched = pytest.MonkeyPatch()
    patched.setattr(assets, "ROOT", root)
    patched.setattr("saelab.labs.pocket._world", lambda: TinyWorld(tokenizer))
    for folder in ("model", "controls", "dictionaries"):
        assets.record(folder)
    yield root
    patched.undo()


@pytest.fixture
def pocket(published):
    return lab("pocket")


def test_the_pocket_lab_is_ready_at_once_after_the_imports(pocket, at_most):
    from transformer_lens.model_bridge import TransformerBridge  # noqa: F401

    with at_most(200):
        here = lab("pocket")
        assert here.activations(here.sites[0], here.tokens(2, 8)).shape == (2, 8, 32)


def test_stored_in_half_precision_the_model_comes_back_in_float32(pocket):
    assert {p.dtype for p in pocket.model.parameters()} == {torch.float32}


def test_the_pocket_labs_activations_are_those_of_transformers(pocket, published):
    from transformers import AutoModelForCausalLM

    tokens = pocket.tokens(3, 10)
    plain = AutoModelForCausalLM.from_pretrained(published / "model", dtype=torch.float32)
    with torch.no_grad():
        expected = plain(tokens, output_hidden_states=True)
    hidden = pocket.activations("blocks.1.hook_resid_post", tokens)
    assert_close(hidden, expected.hidden_states[2], rtol=1e-4, atol=1e-5)
    assert hidden.mean(-1).abs().max() > 0.01, "nothing is centred"
    assert_close(pocket.model(tokens).detach(), expected.logits, rtol=1e-4, atol=1e-5)


def test_sites_are_sorted_by_depth_and_layer_10_comes_after_layer_2(pocket):
    in_order = [
        "blocks.1.attn.hook_z",
        "blocks.1.hook_resid_post",
        "blocks.2.hook_mlp_out",
        "blocks.10.hook_resid_post",
    ]
    assert list(pocket.sites) == in_order


def test_a_dictionary_is_found_under_both_names_of_its_activation(pocket):
    stored, other = (pocket.dictionary(site) for site in ("blocks.1.hook_resid_post", "blocks.2.hook_resid_pre"))
    assert_close(stored.W_enc, other.W_enc)
    assert same_activation("blocks.0.hook_resid_pre") == ("blocks.0.hook_resid_pre",)
    assert same_activation("blocks.1.hook_resid_mid") == ("blocks.1.hook_resid_mid",)


def test_architecture_and_seed_choose_the_dictionary(pocket):
    site = "blocks.1.hook_resid_post"
    assert type(pocket.dictionary(site)).__name__ == "StandardSAE", "the first in the alphabet, where none is preferred"
    first, second = pocket.dictionary(site, "topk"), pocket.dictionary(site, "topk", seed=2)
    assert type(first).__name__ == "TopKSAE" and not torch.equal(first.W_enc, second.W_enc)
    with pytest.raises(ValueError, match=r"no dictionary 'topk-seed1' at .*; there are standard, topk, topk-seed2\."):
        pocket.dictionary(site, "topk", seed=1)


def test_a_site_without_a_dictionary_is_answered_with_those_that_have_one(pocket):
    with pytest.raises(ValueError, match=r"no dictionary at 'blocks\.3\.hook_mlp_out'; there are blocks\.1\.attn"):
        pocket.dictionary("blocks.3.hook_mlp_out")


def test_an_unknown_hook_point_is_no_silent_nothing(pocket):
    with pytest.raises(ValueError, match="no hook point 'blocks.1.hook_resid_pots'"):
        pocket.activations("blocks.1.hook_resid_pots", pocket.tokens(1, 4))


@pytest.mark.parametrize("length", [65, 5000, 0, -1])
def test_more_tokens_than_the_model_reads_are_a_sentence(pocket, length):
    with pytest.raises(ValueError, match=f"pocket reads 1 to 64 tokens at a time, not {length}: ask for shorter seq"):
        pocket.tokens(1, length)
    assert pocket.tokens(1, 64).shape == (1, 64) and pocket.tokens(0, 1).shape == (0, 1)
    with pytest.raises(ValueError, match="n is how many sequences you want, 0 or more, not -1"):
        pocket.tokens(-1, 8)


def test_activations_of_more_tokens_than_the_model_reads_are_a_sentence(pocket):
    with pytest.raises(ValueError, match="pocket reads up to 64 tokens at a time, not 65"):
        pocket.activations(pocket.sites[0], torch.zeros(1, 65, dtype=torch.long))


def test_a_lab_says_which_weights_it_has(pocket):
    assert len({pocket.origin, pocket.control("second_seed").origin}) == 2


def test_what_is_not_published_is_said_so(pocket):
    with pytest.raises(ValueError, match=r"no transcoders/blocks\.1\.mlp/skip_transcoder; there are none"):
        pocket.transcoder(1, skip=True)
    with pytest.raises(ValueError, match="no crosscoder 'layers'; there are none"):
        pocket.crosscoder("layers")
    with pytest.raises(ValueError, match="'random_weights' is not among the course's files"):
        pocket.control("random_weights")
    with pytest.raises(ValueError, match=r"no prompts 'iio'; there are .*ioi"):
        pocket.prompts("iio")


def test_a_control_has_its_own_model_and_dictionaries(pocket):
    control = pocket.control("second_seed")
    assert isinstance(control, PocketLab) and control.model.cfg.n_layers == 4
    assert control.sites == ("blocks.0.hook_resid_post",)
    assert control.dictionary("blocks.1.hook_resid_pre").d_sae == 64
    with pytest.raises(ValueError, match=r"no control 'shuffled'; choose one of random_weights, shuffled_tokens"):
        pocket.control("shuffled")


def test_the_wrong_answer_to_a_fact_is_right_for_its_twin_of_the_same_length(pocket):
    facts, capitals = pocket.prompts("facts", 40), dict(pair.split() for pair in prompts.CAPITALS.split(", "))
    decode = pocket.tokenizer.decode
    for i in range(40):
        end = facts.last[i] + 1
        for tokens, answer in ((facts.tokens, facts.answers), (facts.twin, facts.wrong)):
            country = next(name for name in capitals if name in decode(tokens[i, 1:end]))
            assert decode(answer[i]).strip() == capitals[country]
        assert len(set(tokens[i, end:].tolist())) <= 1, "only filling after the question"
    with pytest.raises(ValueError, match=r"allows \d+ facts; ask for n ≤ \d+"):
        pocket.prompts("facts", 1000)


def test_shuffling_keeps_bos_and_the_words_and_follows_the_seed():
    tokens = torch.arange(40).reshape(2, 20)
    mixed = shuffled(tokens, seed=1)
    assert_close(mixed[:, 0], tokens[:, 0])
    assert_close(mixed.sort(1).values, tokens)
    assert not torch.equal(mixed, tokens) and torch.equal(mixed, shuffled(tokens, seed=1))
    assert not torch.equal(mixed[0, 1:], mixed[1, 1:] - 20), "each row has its own order"


@pytest.mark.parametrize("name", ["gpt2-smal", "gpt2", ""])
def test_a_mistyped_name_gets_the_choices(name):
    choices = r"pocket, gpt2-small, gemma-3-270m, gemma-2-2b\."
    with pytest.raises(ValueError, match=rf"no lab '{name}'; choose one of {choices}"):
        lab(name)


def test_options_that_a_lab_does_not_have_are_refused(tmp_path):
    with pytest.raises(ValueError, match="takes no text"):
        lab("pocket", text="book.txt")
    with pytest.raises(FileNotFoundError, match="no text file .*book.txt"):
        lab("gpt2-small", text=tmp_path / "book.txt")
    with pytest.raises(ValueError, match='dtype must be "float32" or "bfloat16"'):
        lab("gpt2-small", dtype="float8")


def test_importing_saelab_does_not_import_torch():
    code = "import sys, saelab, saelab.labs.assets, saelab.labs.models; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_analysis_that_runs_in_public_labs_runs_here(pocket):
    site = "blocks.1.attn.hook_z"
    standin_hub.assert_complete(standin_hub.ablate_the_loudest_latent(pocket, site), site, d_in=32, d_sae=64)
