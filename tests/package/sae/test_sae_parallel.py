"""Two processes train the dictionary that one trains; the command goes on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


# what is wrong with a command


def run(monkeypatch, *options: str) -> None:
    """`python -m saelab.sae`, in this process."""
    from saelab.sae import __main__ as command

    small = ["--sequences", "16", "--length", "16", "--d-sae", "32", "--batch", "64", "--steps", "60"]
    monkeypatch.setattr(sys, "argv", ["saelab.sae", *small, *options])
    command.main()


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run that was stopped before its last step: OUT, with activations and a checkpoint in OUT/work."""
    from saelab.sae import run as its_run

    out = tmp_path / "out"

    replace, checkpoint = os.replace, out / "work" / "checkpoint.safetensors"

    def full(source, target):
        if Path(target) == checkpoint:
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("saelab.sae.checkpoints.os.replace", full)
        with pytest.raises(
            SystemExit, match="checkpoint.safetensors: No space left on device. Once that is mended, the"
        ):
            run(patched, "--out", str(out))
    with monkeypatch.context() as patched:
        patched.setattr(its_run, "numbers", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(SystemExit, match="Stopped; the same command goes on"):
            run(patched, "--out", str(out))
    return out


OTHERS = ["--site blocks.1.hook_mlp_out", "--seed 1", "--batch 32", "--lr 0.01", "--sequences 32", "--length 8"]
OTHERS += ["--steps 70", "--d-sae 64", "--sparsity 4", "--architecture topk"]


def test_another_command_does_not_go_on_with_what_it_finds(begun, monkeypatch):
    files = {file: file.read_bytes() for file in (begun / "work").iterdir()}
    assert {file.name for file in files} >= {"run.json", "16x16-1-of-1.npy"}
    for other in OTHERS:
        name = other.split()[0].strip("-").replace("-", "_")
        told = rf"work holds the beginning of another run \({name} .* there, .* here\)\. Give that command again"
        with pytest.raises(SystemExit, match=told):
            run(monkeypatch, "--out", str(begun), *other.split())
        assert {file: file.read_bytes() for file in (begun / "work").iterdir()} == files
    monkeypatch.setattr("saelab.labs.pocket.PocketLab.origin", "other weights")
    with pytest.raises(SystemExit, match=r"weights \w+ there, other weights here"):
        run(monkeypatch, "--out", str(begun))
    (begun / "work" / "run.json").unlink()
    with pytest.raises(SystemExit, match="whose settings aren't known"):
        run(monkeypatch, "--out", str(begun))


def test_the_same_command_goes_on(begun, monkeypatch, capsys):
    monkeypatch.setattr("saelab.labs.base.Lab.activations", lambda *_: pytest.fail("they are there already"))
    run(monkeypatch, "--out", str(begun))
    assert "BatchTopKSAE, 60 steps at blocks.1.hook_resid_post" in capsys.readouterr().out
    assert not (begun / "work").exists() and S.load(begun).d_sae == 32


@pytest.mark.parametrize(
    "options, sentence",
    [
        ("--sparsity 1.5", "--sparsity is k for batchtopk: a whole number, not 1.5"),
        ("--sparsity 64", "With --architecture batchtopk: k must be between 1 and d_sae = 32, not 64"),
        (
            "--architecture standard --sparsity -1",
            "With --architecture standard: l1 must be a number, 0 or more, not -1",
        ),
        ("--steps 0", "--steps: invalid whole number above 0 value: '0'"),
        ("--lr nan", "--lr: invalid number above 0 value: 'nan'"),
        ("--length 1", "--length must be at least 2"),
        ("--architecture topk2", "invalid choice: 'topk2'"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_done(options, sentence, monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "--out", str(tmp_path / "out"), *options.split())
    assert ended.value.code == 2 and sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options, sentence",
    [
        ("--length 5000", "pocket reads 1 to 128 tokens at a time, not 5000"),
        ("--site blocks.1.hook_resid_pots", "no hook point 'blocks.1.hook_resid_pots'; those with dictionaries are"),
    ],
)
def test_what_the_lab_refuses_is_a_sentence(options, sentence, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=sentence):
        run(monkeypatch, "--out", str(tmp_path / "out"), *options.split())


def test_an_out_that_cannot_be_a_folder_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit, match=r"file.work: (Not a directory|File exists)\. Once that is mended"):
        run(monkeypatch, "--out", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_activations_too_large_for_half_precision_are_kept_in_float32(monkeypatch, tmp_path):
    from saelab.labs.base import Lab

    true = Lab.activations
    monkeypatch.setattr(Lab, "activations", lambda *args: 1e5 * true(*args))
    run(monkeypatch, "--out", str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "history.json").read_text())["curves"]["fvu"][-1] < 1
