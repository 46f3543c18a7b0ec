"""build/world/pretrain.py: the same run gives the same weights, also when it was killed on the way."""

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

FILE = Path(__file__).parents[3] / "build" / "world" / "pretrain.py"


@pytest.fixture
def pretrain(monkeypatch):
    spec = importlib.util.spec_from_file_location("pretrain", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {"LENGTH": 24, "BATCH": 3, "BLOCK": 4, "SAVE_EVERY": 0}.items():
        monkeypatch.setattr(module, name, value)
    return module


def trained(module, out, steps=10, **more):
    run = module.Run(out, more.get("seed", 0), "cpu")
    run.train(steps, more.get("shuffled", False))
    run.publish(command="test")
    return load_file(out / "model.safetensors")


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(pretrain, tmp_path, monkeypatch):
    whole = trained(pretrain, tmp_path / "whole")
    loss_of, calls = pretrain.loss_of, []

    def killed(model, tokens):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return loss_of(model, tokens)

    monkeypatch.setattr(pretrain, "loss_of", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(pretrain, tmp_path / "killed")
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    monkeypatch.setattr(pretrain, "loss_of", loss_of)
    again = trained(pretrain, tmp_path / "killed")
    assert same(whole, again)
    assert not same(whole, trained(pretrain, tmp_path / "other", seed=1))


def test_training_text_is_never_held_out_text(pretrain, monkeypatch):
    seeds = []
    sample = pretrain.World.sample
    monkeypatch.setattr(pretrain.World, "sample", lambda w, n, t, seed: seeds.append(seed) or sample(w, n, t, seed))
    world = pretrain.World()
    for seed in (0, 1):
        for block in (0, 5):
            pretrain.text_block(world, seed, block, shuffled=False)
    assert min(seeds) >= 1_000_000 and len(set(seeds)) == 4


def test_the_shuffled_twin_reads_the_same_words_in_another_order(pretrain):
    world = pretrain.World()
    plain, shuffled = (pretrain.text_block(world, 0, 0, how) for how in (False, True))
    assert torch.equal(plain.sort(-1).values, shuffled.sort(-1).values)
    assert not torch.equal(plain, shuffled) and torch.equal(plain[..., 0], shuffled[..., 0])


def test_the_folder_opens_in_transformers_with_its_tokenizer(pretrain, tmp_path):
    from transformers import AutoTokenizer, GPT2LMHeadModel

    weights = trained(pretrain, tmp_path / "run", steps=2)
    model = GPT2LMHeadModel.from_pretrained(tmp_path / "run")
    assert torch.equal(model.transformer.wte.weight, weights["transformer.wte.weight"])
    assert AutoTokenizer.from_pretrained(tmp_path / "run")("Mary ran")["input_ids"][0] == 0
