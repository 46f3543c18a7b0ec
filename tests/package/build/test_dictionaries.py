"""build/world/dictionaries.py: jobs that were killed go on, penalties hold L0, and what is done is left alone."""

import importlib.util
import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from saelab import sae as S

FILE = Path(__file__).parents[3] / "build" / "world" / "dictionaries.py"
SITE = "blocks.1.hook_resid_post"


@pytest.fixture
def dictionaries(monkeypatch, tmp_path):
    """The script at toy size, with activations that are sums of few of 64 features in its work folder."""
    spec = importlib.util.spec_from_file_location("dictionaries", FILE)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "dictionaries", module)
    spec.loader.exec_module(module)
    for name, value in {"D_SAE": 64, "K": 4, "BATCH": 256, "RESAMPLE": 50}.items():
        monkeypatch.setattr(module, name, value)
    generator = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(64, 128, generator=generator), dim=1)
    on = torch.rand(20_000, 64, generator=generator) < 4 / 64
    x = (on * (1 + torch.rand(20_000, 64, generator=generator))) @ features
    (tmp_path / "work" / "model").mkdir(parents=True)
    save_file({"x": x.half()}, tmp_path / "work" / "model" / f"{SITE}.safetensors")
    return module


def job_of(module, make, steps, resample=False, **penalty):
    return module.Job("a/b", make, (SITE,), steps=steps, resample=resample, more=penalty)


def weights(folder):
    return load_file(folder / "a" / "b" / "sae_weights.safetensors")


@pytest.mark.parametrize(
    "make, penalty", [(S.StandardSAE, {"l1": 3.0}), (S.GatedSAE, {"l1": 1.0}), (S.JumpReLUSAE, {"l0": 1.0})]
)
def test_a_penalty_that_was_set_wrongly_still_gives_K_latents_a_token(dictionaries, tmp_path, make, penalty):
    job = job_of(dictionaries, make, 1500, resample=make is not S.StandardSAE, **penalty)
    dictionaries.run(job, tmp_path / "work", tmp_path)
    dictionary = S.load(tmp_path / "a" / "b")
    l0 = dictionaries.l0_of(dictionary, dictionaries.Activations(tmp_path / "work", job))
    assert l0 == pytest.approx(4, rel=0.1)
    (name,) = penalty
    facts = json.loads((tmp_path / "a" / "b" / "history.json").read_text())["facts"]
    assert facts[name] == dictionary.config[name] != penalty[name]


def test_too_many_latents_a_token_are_refused(dictionaries, tmp_path):
    with pytest.raises(SystemExit, match=r"a/b has \d+\.\d latents a token, and should have 4\."):
        dictionaries.run(job_of(dictionaries, S.StandardSAE, 20, l1=1e-6), tmp_path / "work", tmp_path)
    assert not (tmp_path / "a" / "b" / "history.json").exists()


@pytest.mark.parametrize("make, more", [(S.StandardSAE, {"l1": 0.5}), (S.BatchTopKSAE, {"k": 4})])
def test_a_killed_job_ends_with_the_weights_of_an_undisturbed_one(dictionaries, tmp_path, monkeypatch, make, more):
    monkeypatch.setattr(S, "train", partial(S.train, checkpoint_every=60))
    monkeypatch.setattr(dictionaries, "l0_of", lambda *_: 4.0)
    job = job_of(dictionaries, make, 200, resample=True, **more)
    dictionaries.run(job, tmp_path / "work", tmp_path / "whole")
    call = dictionaries.Activations.__call__

    def killed(self, step):
        if step == 190:
            raise KeyboardInterrupt
        return call(self, step)

    monkeypatch.setattr(dictionaries.Activations, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        dictionaries.run(job, tmp_path / "work", tmp_path / "killed")
    assert (tmp_path / "killed" / "a" / "b" / "checkpoint.safetensors").exists()
    monkeypatch.setattr(dictionaries.Activations, "__call__", call)
    dictionaries.run(job, tmp_path / "work", tmp_path / "killed")
    whole, again = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert not (tmp_path / "killed" / "a" / "b" / "checkpoint.safetensors").exists()


def test_what_is_done_is_left_alone(dictionaries, tmp_path, monkeypatch):
    job = job_of(dictionaries, S.BatchTopKSAE, 20, k=4)
    dictionaries.run(job, tmp_path / "work", tmp_path)
    monkeypatch.setattr(S, "train", lambda *_, **__: pytest.fail("It was trained again."))
    dictionaries.run(job, tmp_path / "work", tmp_path)


def test_every_dictionary_has_a_place_of_its_own(dictionaries):
    folders = [job.folder for job in dictionaries.jobs()]
    assert len(set(folders)) == len(folders) > 40
