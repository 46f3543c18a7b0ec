"""The labs of public models, tiny ones, fetched from a hub on this machine.

Run as a script this file is a student's session with them: a process of its own, in which the hub
is where HF_ENDPOINT says. It prints what it saw as JSON.
"""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from saelab.labs import hub, lab, models

sys.path.insert(0, str(Path(__file__).parent))
standin_hub = importlib.import_module("standin_hub")
SITE = {
    "gpt2-small": "blocks.1.hook_resid_pre",
    "gemma-2-2b": "blocks.0.hook_resid_post",
    "gemma-3-270m": "blocks.0.hook_resid_post",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the session below saw."""
    folder = tmp_path_factory.mktemp("hub")
    with standin_hub.serving(standin_hub.tiny_hub(folder / "hub")) as running:
        found = standin_hub.session(__file__, running, folder / "home")
        return found | {"unknown calls": running.unknown, "asked": running.asked}


def session() -> dict:
    """Both public labs from beginning to end, then without a hub."""
    seen: dict = {}
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        gpt2, gemma, gemma_3 = lab("gpt2-small"), lab("gemma-2-2b"), lab("gemma-3-270m")
        for here in (gpt2, gemma, gemma_3):
            seen[here.name] = standin_hub.ablate_the_loudest_latent(here, SITE[here.name])
        seen["mlp_out"] = standin_hub.ablate_the_loudest_latent(gpt2, "blocks.0.hook_mlp_out")
    seen["told"] = told.getvalue().splitlines()

    tokens = gpt2.tokens(6, 16, seed=5)
    seen["tokens"] = {
        "shape": list(tokens.shape),
        "first": tokens[:, 0].unique().tolist(),
        "again": torch.equal(tokens, gpt2.tokens(6, 16, seed=5)),
        "other seed": torch.equal(tokens, gpt2.tokens(6, 16, seed=6)),
        "text": gpt2.tokenizer.decode(tokens[0, 1:]),
        "too long": sentence(lambda: gpt2.tokens(1, 5000)),
        "longer than all": sentence(lambda: gpt2.tokens(1, 1024)),
    }
    seen["against transformers"] = against_transformers(gpt2, tokens)
    both = [gpt2.dictionary(site) for site in ("blocks.0.hook_resid_post", "blocks.1.hook_resid_pre")]
    seen["transcoders"] = [transcoded(gemma_3, skip) for skip in (False, True)]
    seen["same under both names"] = torch.equal(both[0].W_enc, both[1].W_enc)

    untrained, mixed = gpt2.control("random_weights"), gpt2.control("shuffled_tokens")
    seen["untrained differs"] = not torch.equal(untrained.model.W_E, gpt2.model.W_E)
    seen["untrained is repeatable"] = torch.equal(untrained.model.W_E, gpt2.control("random_weights").model.W_E)
    seen["mixed has the same words"] = torch.equal(mixed.tokens(6, 16, seed=5).sort().values, tokens.sort().values)
    seen["mixed has the same model"] = mixed.model is gpt2.model
    seen["second seed"] = sentence(lambda: gpt2.control("second_seed"))
    seen["no transcoder"] = sentence(lambda: gpt2.transcoder(1))
    seen["no such layer"] = sentence(lambda: gemma_3.transcoder(18))
    seen["no such architecture"] = sentence(lambda: gpt2.dictionary("blocks.0.hook_mlp_out", "topk"))
    seen["no world"] = sentence(lambda: gpt2.world)
    seen["no such site"] = sentence(lambda: gemma.dictionary("blocks.0.hook_mlp_out"))
    seen["not on the hub"] = sentence(lambda: gemma.dictionary("blocks.1.hook_resid_post"))
    seen["ids"] = ids_that_saelens_does_not_know()

    Path("/".join([os.environ["HF_HOME"], "book.txt"])).write_text("Tom went to the store . " * 50)
    book = lab("gpt2-small", text=os.environ["HF_HOME"] + "/book.txt")
    seen["book"] = book.tokenizer.decode(book.tokens(1, 30)[0])

    def too_big():
        memory_free, models.memory_free = models.memory_free, lambda device: 1000
        try:
            return lab("gemma-2-2b").model
        finally:
            models.memory_free = memory_free

    seen["too big"] = sentence(too_big)
    seen["gated"] = sentence(lambda: elsewhere("google/gemma-2-2b-it").tokenizer)

    seen["from_hub"] = type(models.from_hub("openai-community/gpt2")).__name__

    with contextlib.suppress(OSError):
        urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/offline/from/here")
    os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # nobody is there
    started = time.perf_counter()
    seen["offline, unknown"] = sentence(lambda: elsewhere("google/gemma-2-9b").tokenizer)
    seen["offline, seconds"] = time.perf_counter() - started
    with contextlib.redirect_stdout(told):
        seen["offline, from_hub"] = models.from_hub("google/gemma-2-9b")
        again = lab("gpt2-small")
        seen["offline, known"] = standin_hub.ablate_the_loudest_latent(again, SITE["gpt2-small"])
        seen["offline, gemma 3"] = sentence(lambda: lab("gemma-3-270m").dictionary(SITE["gemma-3-270m"]))
        seen["offline, tokens"] = torch.equal(again.tokens(6, 16, seed=5), tokens)
    return seen


def against_transformers(here, tokens) -> dict:
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(here.source.repository)
    with torch.no_grad():
        expected = plain(tokens, output_hidden_states=True)
        hidden = here.activations("blocks.1.hook_resid_pre", tokens)
        centred = expected.hidden_states[1] - expected.hidden_states[1].mean(-1, keepdim=True)
        return {
            "logits": (here.model(tokens) - expected.logits).abs().max().item(),
            "centred residual": (hidden - centred).abs().max().item(),
            "mean of theirs": expected.hidden_states[1].mean(-1).abs().max().item(),
        }


def ids_that_saelens_does_not_know() -> list[str]:
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    known, missing = get_pretrained_saes_directory(), []
    for source in hub.SOURCES.values():
        for release, name, _ in [*source.dictionaries.values(), *source.transcoders.values()]:
            missing += [name] * (name not in known[release].saes_map)
    return missing


def transcoded(here, skip: bool) -> dict:
    """A transcoder of layer 1 put in the place of the MLP: what it reads and says, and whether it has a way past."""
    plain, tokens = hub.models.from_hub(here.source.repository), here.tokens(2, 12)
    kept = {}
    norm = plain.model.layers[1].pre_feedforward_layernorm
    norm.register_forward_hook(lambda module, inputs, output: kept.update(x=output))
    with torch.no_grad():
        plain(tokens)
        transcoder = here.transcoder(1, skip)
        x = here.activations(transcoder.metadata["hook_name"], tokens)
        past = x @ transcoder.W_skip if skip else 0.0
        expected = transcoder.decode(transcoder.encode(x)) + past
        return {
            "reads": (x - kept["x"]).abs().max().item(),
            "says": (transcoder(x) - expected).abs().max().item(),
            "shape": list(here.activations(transcoder.metadata["hook_name_out"], tokens).shape),
        }


def elsewhere(repository: str):
    here = lab("gemma-2-2b")
    here.source = dataclasses.replace(here.source, repository=repository)
    return here


def sentence(action) -> str:
    """What the person is told when `action` can't be done."""
    try:
        action()
    except (ValueError, AttributeError, OSError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was wrong"


@pytest.mark.parametrize("name", SITE)
def test_the_analysis_that_runs_in_the_pocket_lab_runs_here(name, seen):
    d_in, d_sae = (2304, 16384) if name == "gemma-2-2b" else (32, 64)
    standin_hub.assert_complete(seen[name], SITE[name], d_in, d_sae)


def test_it_runs_on_what_the_mlp_writes_too(seen):
    standin_hub.assert_complete(seen["mlp_out"], "blocks.0.hook_mlp_out", 32, 64)


def test_transcoders_of_gemma_3_read_what_the_mlp_reads_and_have_a_way_past_where_asked(seen):
    for found in seen["transcoders"]:
        assert found["reads"] < 1e-5 and found["says"] < 1e-5 and found["shape"] == [2, 12, 32]


def test_memory_is_told_before_the_model_is_loaded_and_too_little_is_a_sentence(seen):
    assert [line.split(" needs about ")[0] for line in seen["told"]] == list(SITE)
    assert seen["too big"].startswith(
        "MemoryError: gemma-2-2b needs about 0.0 GB in float32, and 0.0 GB are free on cpu"
    )


def test_the_real_gemma_would_need_ten_and_a_half_gigabytes():
    """Its published sizes, on the meta device."""
    from transformers import AutoModelForCausalLM, Gemma2Config

    size = {"vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            Gemma2Config(**size, num_attention_heads=8, num_key_value_heads=4, head_dim=256)
        )
    assert round(4 * sum(p.numel() for p in model.parameters()) / 1e9, 1) == 10.5


def test_gpt2s_residual_stream_is_centred_and_its_logits_are_those_of_transformers(seen):
    found = seen["against transformers"]
    assert found["logits"] < 1e-4 and found["centred residual"] < 1e-4 < found["mean of theirs"]


def test_text_is_cut_from_documents_the_same_way_for_the_same_seed(seen):
    found = seen["tokens"]
    assert found["shape"] == [6, 16] and found["first"] == [0] and found["again"] and not found["other seed"]
    assert set(found["text"].split()) & {"Mary", "Paris", "Tom", "Anna", "James"}
    assert found["too long"].startswith("ValueError: gpt2-small reads 1 to 1024 tokens at a time, not 5000: ask for")
    assert found["longer than all"] == "ValueError: No document of this text has 1023 tokens: ask for a smaller length."
    assert seen["book"].startswith("<|endoftext|>") and "Tom went to the store" in seen["book"]


def test_controls_of_public_models(seen):
    assert seen["untrained differs"] and seen["untrained is repeatable"]
    assert seen["mixed has the same words"] and seen["mixed has the same model"]
    assert 'a second seed is there for lab("pocket") only' in seen["second seed"]


def test_public_labs_say_what_they_lack(seen):
    assert "gpt2-small has no transcoders; there are some in pocket, gemma-3-270m." in seen["no transcoder"]
    assert "gemma-3-270m has no layer 18: its transcoders are of 0 to 17." in seen["no such layer"]
    assert "one dictionary at blocks.0.hook_mlp_out, of architecture 'standard'" in seen["no such architecture"]
    assert seen["no world"].startswith("AttributeError: The factors of the text are known")
    assert "gemma-2-2b has no dictionary at 'blocks.0.hook_mlp_out'; there are blocks.0.hook" in seen["no such site"]
    assert "could not be fetched from the hub" in seen["not on the hub"]


def test_every_dictionary_is_in_saelens_directory_and_found_under_both_names(seen):
    assert seen["ids"] == [] and seen["same under both names"]
    assert len(hub.SOURCES["gpt2-small"].dictionaries) == 25


def test_a_licence_that_was_not_accepted_is_told_with_the_page_to_go_to(seen):
    assert "accepted its licence: do so at https://huggingface.co/google/gemma-2-2b-it" in seen["gated"]


def test_without_a_hub_what_is_here_still_works_and_what_is_not_is_told_at_once(seen):
    assert "google/gemma-2-9b is not on this machine and no model hub can be reached" in seen["offline, unknown"]
    assert seen["offline, seconds"] < 3 and seen["asked"][-1] == "GET offline/from/here", "nothing is tried"
    assert seen["from_hub"] == "GPT2LMHeadModel" and seen["offline, from_hub"] is None
    assert seen["offline, gemma 3"] == "nothing was wrong"
    assert seen["offline, known"] == seen["gpt2-small"] and seen["offline, tokens"]


def test_the_hub_knew_every_call(seen):
    assert [call for call in seen["unknown calls"] if "agent-harnesses" not in call] == []


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(session()))
