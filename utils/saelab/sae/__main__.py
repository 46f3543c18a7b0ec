"""Train one dictionary on a lab's activations, with one process or with several.

    python -m saelab.sae --out mine                                      # the pocket model, a minute or two on one core
    torchrun --nproc-per-node 2 -m saelab.sae --out mine                 # the same dictionary, made by two processes
    python -m saelab.sae --out mine --lab gpt2-small --site blocks.8.hook_resid_pre --d-sae 24576 --sparsity 32

On machines with GPUs every process takes one of them; several machines need torchrun's --nnodes and --rdzv-endpoint,
and a folder that all of them see. Each process harvests its share of the text once, into OUT/work; the batches are
those of a single process, dealt out. Stopped at any moment, the same command goes on where it was, with as many
processes as you like; another command refuses to go on with what it finds there. OUT is then a folder that
`saelab.sae.load` and SAELens read.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, distributed
from tqdm import tqdm

from saelab import __version__
from saelab import sae as S
from saelab.files import write_atomically
from saelab.labs import NAMES, lab

from . import parallel

if TYPE_CHECKING:
    from saelab.labs.base import Lab

ARCHITECTURES = {  # name: class, and what --sparsity is there
    "standard": (S.StandardSAE, "l1"),
    "gated": (S.GatedSAE, "l1"),
    "jumprelu": (S.JumpReLUSAE, "l0"),
    "topk": (S.TopKSAE, "k"),
    "batchtopk": (S.BatchTopKSAE, "k"),
    "matryoshka": (S.MatryoshkaSAE, "k"),
}


class Shares:
    """Activations of all processes, each one's in a file of its own, read row by row: N rows in the text's order."""

    def __init__(self, files: list[Path]):
        self.parts = [np.load(file, mmap_mode="r") for file in files]
        self.rows, self.d_in = len(self.parts[0]), self.parts[0].shape[1]

    def __len__(self) -> int:
        return self.rows * len(self.parts)

    def __getitem__(self, index: np.ndarray) -> Tensor:
        """The rows of these numbers, [len(index), d_in], float32."""
        found = np.empty((len(index), self.d_in), np.float32)
        for i, part in enumerate(self.parts):
            here = index // self.rows == i
            found[here] = part[index[here] - i * self.rows]
        return torch.from_numpy(found)


def claim(here: "Lab", args: argparse.Namespace, work: Path) -> None:
    """Write down in `work` whose it is. Raises ValueError where it is another command's, saying what differs."""
    mine = {name: value for name, value in vars(args).items() if name != "out"}
    mine |= {"weights": here.origin, "saelab": __version__}
    note = work / "run.json"
    if note.exists():
        theirs = json.loads(note.read_text(encoding="utf-8"))
        differs = [f"{key} {theirs.get(key)} there, {mine[key]} here" for key in mine if mine[key] != theirs.get(key)]
    else:
        differs = ["whose settings aren't known"] if work.exists() and any(work.iterdir()) else []
    if differs:
        raise ValueError(
            f"{work} holds the beginning of another run ({'; '.join(differs)}). Give that command again to finish it, "
            f"name another folder, or delete {work} to begin anew."
        )
    parallel.wait()  # all look before one writes
    if parallel.is_first():
        work.mkdir(parents=True, exist_ok=True)
        write_atomically(note, json.dumps(mine, indent=1))


def harvest(here: "Lab", args: argparse.Namespace, rank: int, work: Path) -> Shares:
    """Let every process write the activations of its sequences, <bos> left out; then open all of them.

    They are stored as float16, or as float32 where that overflows.
    """
    many = parallel.processes()
    files = [work / f"{args.sequences}x{args.length}-{i + 1}-of-{many}.npy" for i in range(many)]
    if not files[rank].exists():
        tokens = here.tokens(args.sequences, args.length, args.seed).chunk(many)[rank]
        parts = tqdm(tokens.split(32), desc="activations", disable=not parallel.is_first(), leave=False)
        x = torch.cat([_stored(here.activations(args.site, part)[:, 1:].flatten(0, 1)) for part in parts])
        unfinished = files[rank].with_suffix(".part")
        with open(unfinished, "wb") as file:
            np.save(file, x.numpy())
        os.replace(unfinished, files[rank])
    parallel.wait()
    return Shares(files)


def _stored(x: Tensor) -> Tensor:
    half = x.half()
    return (half if half.isfinite().all() else x.float()).cpu()


def train(args: argparse.Namespace, rank: int, device: str) -> None:
    """Harvest, train, and let the first process save and say how good the dictionary is."""
    make, penalty = ARCHITECTURES[args.architecture]
    work, many = args.out / "work", parallel.processes()
    here = lab(args.lab, device=device)
    claim(here, args, work)
    x = harvest(here, args, rank, work)
    order = np.random.default_rng(args.seed).permutation(len(x))
    share = args.batch // many

    def batches(step: int) -> Tensor:
        mine = (step * args.batch + rank * share + np.arange(share)) % len(order)
        return x[order[mine]].to(device)

    metadata = {"model_name": args.lab, "hook_name": args.site, "hook_head_index": None}
    sparsity = int(args.sparsity) if penalty == "k" else args.sparsity
    sae = make(x.d_in, args.d_sae, seed=args.seed, metadata=metadata, **{penalty: sparsity}).to(device)
    history = S.train(sae, batches, args.steps, lr=args.lr, dead_after=400, checkpoint=work / "checkpoint.safetensors")
    if parallel.is_first():
        write_atomically(args.out / "history.json", json.dumps({"steps": history.steps, "curves": history.curves}))
        S.save(sae.cpu(), args.out)
        last = {name: values[-1] for name, values in history.curves.items()}
        told = ", ".join(f"{name} {last[name]:.3f}" for name in ("fvu", "l0", "dead"))
        print(f"{args.out}: {make.__name__}, {args.steps} steps at {args.site}; on its last batch: {told}.")
    parallel.wait()  # nobody deletes what another still reads
    if parallel.is_first():
        shutil.rmtree(work)


def whole(text: str) -> int:
    """A whole number, 1 or more, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


whole.__name__, positive.__name__ = "whole number above 0", "number above 0"  # argparse tells them


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m saelab.sae", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the dictionary")
    parser.add_argument("--lab", default="pocket", choices=NAMES)
    parser.add_argument("--site", default="blocks.1.hook_resid_post", help="hook point")
    parser.add_argument("--architecture", default="batchtopk", choices=ARCHITECTURES)
    parser.add_argument("--sparsity", type=float, default=8.0, help="k, or the penalty l1 or l0, by architecture")
    parser.add_argument("--d-sae", type=whole, default=1024)
    parser.add_argument("--steps", type=whole, default=2000)
    parser.add_argument("--batch", type=whole, default=1024, help="activations a step, of all processes together")
    parser.add_argument("--lr", type=positive, default=1e-3)
    parser.add_argument("--sequences", type=whole, default=2000)
    parser.add_argument("--length", type=whole, default=128)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    make, penalty = ARCHITECTURES[args.architecture]
    if penalty == "k" and not args.sparsity.is_integer():
        parser.error(f"--sparsity is k for {args.architecture}: a whole number, not {args.sparsity:g}.")
    if args.length < 2:
        parser.error("--length must be at least 2: the first token, <bos>, is left out.")
    try:
        make(1, args.d_sae, **{penalty: int(args.sparsity) if penalty == "k" else args.sparsity})
    except ValueError as error:
        parser.error(f"With --architecture {args.architecture}: {error}")
    many = int(os.environ.get("WORLD_SIZE", 1))
    for name in ("batch", "sequences"):
        if getattr(args, name) % many:
            parser.error(f"--{name} {getattr(args, name)} cannot be dealt out to {many} processes evenly.")
    if (args.out / "cfg.json").exists():
        parser.error(f"{args.out} holds a dictionary already; name another folder, or delete this one.")
    return args


def main() -> None:
    args = arguments()
    rank, cuda = int(os.environ.get("RANK", 0)), torch.cuda.is_available()
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if cuda else "cpu"
    if "RANK" in os.environ:
        if cuda:
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        train(args, rank, device)
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        sys.exit(f"{told}. Once that is mended, the same command goes on." if error.errno else told)
    except (ValueError, MemoryError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped; the same command goes on from the last checkpoint.")
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == "__main__":
    main()
