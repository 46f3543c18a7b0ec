"""Two processes train the dictionary that one trains; the command goes on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import distributed, multiprocessing

from saelab import sae as S

MAKE = {
    "standard": lambda: S.StandardSAE(10, 32, l1=0.5),
    "gated": lambda: S.GatedSAE(10, 32, l1=0.5),
    "jumprelu": lambda: S.JumpReLUSAE(10, 32, l0=0.5),
    "topk": lambda: S.TopKSAE(10, 32, k=2),
    "batchtopk": lambda: S.BatchTopKSAE(10, 32, k=2),
    "matryoshka": lambda: S.MatryoshkaSAE(10, 32, k=2),
}
STEPS, BATCH = 80, 128


def rows(step: int) -> torch.Tensor:
    """A batch of sparse mixtures, [BATCH, 10]."""
    generator = torch.Generator().manual_seed(step)
    W = torch.randn(20, 10, generator=torch.Generator().manual_seed(5))
    return (torch.rand(BATCH, 20, generator=generator) < 0.1).float() @ W + 0.3


def train(name: str, rank: int = 0, many: int = 1) -> tuple[S.SAE, S.History]:
    sae = MAKE[name]()
    options = {"dead_after": 5, "resample_every": 11, "log_every": 20, "progress": False}
    history = S.train(sae, lambda step: rows(step).chunk(many)[rank], STEPS, **options)
    return sae, history


def one_of_two(rank: int, folder: str) -> None:
    """A process of the pair: trains every kind on its half of the rows and writes what came out."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    for name in MAKE:
        sae, history = train(name, rank, many=2)
        torch.save({"state": sae.state_dict(), "curves": history.curves}, f"{folder}/{name}-{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    multiprocessing.spawn(one_of_two, (str(folder),), nprocs=2)
    return {name: [torch.load(folder / f"{name}-{rank}.pt") for rank in (0, 1)] for name in MAKE}


@pytest.mark.parametrize("name", MAKE)
def test_two_processes_end_with_the_dictionary_of_one(pair, name):
    torch.set_num_threads(1)
    alone, history = train(name)
    for value, (key, expected) in zip(pair[name][0]["state"].values(), alone.state_dict().items()):
        torch.testing.assert_close(value, expected, rtol=0.0, atol=1e-4, msg=lambda m, key=key: f"{key}: {m}")
    for key, curve in history.curves.items():
        assert pair[name][0]["curves"][key] == pytest.approx(curve, rel=1e-3, abs=1e-3), key


@pytest.mark.parametrize("name", MAKE)
def test_both_processes_hold_the_same_weights_to_the_last_bit(pair, name):
    first, second = (one["state"] for one in pair[name])
    assert all(torch.equal(first[key], second[key]) for key in first)


COMMAND = [sys.executable, "-m", "saelab.sae", "--sequences", "64", "--length", "32", "--d-sae", "64", "--batch", "256"]


def test_the_command_makes_a_dictionary_and_goes_on_after_a_kill(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*COMMAND, "--steps", "1500", "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=environment)
    process = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment)
    checkpoint, deadline = tmp_path / "killed" / "work" / "checkpoint.safetensors", time.monotonic() + 300
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists() and not (tmp_path / "killed" / "cfg.json").exists()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=environment)
    whole, killed = (S.load(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), killed.state_dict().values()))
    curves = [json.loads((tmp_path / name / "history.json").read_text()) for name in ("whole", "killed")]
    assert curves[0] == curves[1]
    again = subprocess.run([*command, str(tmp_path / "whole")], env=environment, capture_output=True, text=True)
    assert again.returncode == 2 and "holds a dictionary already" in again.stderr
