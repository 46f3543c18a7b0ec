"""Train the dictionaries of the pocket model: harvest its activations once, then one job a dictionary.

    python build/world/dictionaries.py --models runs --out runs/dictionaries              # about an hour on two cores
    python build/world/dictionaries.py --models runs --out runs/dictionaries --only topk  # jobs whose name has "topk"

Jobs that are done are left alone, a job that was stopped goes on from its checkpoint. The activations (7 GB) go to
WORK, OUT/activations unless told otherwise. With --jobs 2, two processes train side by side, one thread each.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm
from transformers import GPT2LMHeadModel

from saelab import sae as S
from saelab.files import write_atomically
from saelab.world import World

LAYERS, LENGTH = 4, 128
D_SAE, K, K_WORDS = 1024, 8, 5
BATCH, STEPS, DEAD_AFTER = 1024, 6000, 400  # many small steps find far more factors than few large ones
RESAMPLE = 100  # steps after which latents that were silent start again, where many would die otherwise
COMPARED = "blocks.2.hook_resid_pre"  # the site where six architectures and five seeds are compared
STORED = "blocks.1.hook_resid_post"  # its other name: what leaves layer 1 enters layer 2
WORDS, NEXT = "blocks.0.hook_resid_pre", "blocks.0.hook_resid_mid"  # before and after the first attention
MANY_DIE = {f"blocks.{at}" for at in ("0.hook_resid_mid", "0.hook_mlp_out", "0.hook_resid_post", "3.hook_resid_post",
                                      "0.attn.hook_z", "1.hook_mlp_out")}  # fmt: skip


@dataclass
class Job:
    """One dictionary: where its files go (below OUT), what is trained, on which activations of which model.

    `from_data` starts it at activations (`saelab.sae.start_from`), `resample` starts dead latents again.
    """

    folder: str
    make: type[S.SAE]
    sites: tuple[str, ...]  # an SAE's site; a transcoder's input and output
    model: str = "model"
    seed: int = 0
    lr: float = 1e-3
    from_data: bool = False
    resample: bool = False
    steps: int = STEPS
    more: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.folder.replace("/", "--")

    @property
    def places(self) -> list[tuple[str, str]]:
        """The model and the hook point of each site."""
        split = (site.rpartition(":") for site in self.sites)
        return [(model or self.model, name) for model, _, name in split]


def jobs() -> list[Job]:
    """All dictionaries that ship, the most needed first."""
    sites = []
    for layer in range(LAYERS):
        sites += [f"blocks.{layer}.{at}" for at in ("hook_resid_mid", "hook_resid_post", "hook_mlp_out", "attn.hook_z")]
    k = {"k": K}
    todo = [
        Job(f"dictionaries/{site}/batchtopk", S.BatchTopKSAE, (site,), resample=site in MANY_DIE, more=k)
        for site in sites
    ]
    for name, make in (("batchtopk", S.BatchTopKSAE), ("matryoshka", S.MatryoshkaSAE)):
        # what enters layer 0 is a token and its position: few latents, and every word has a direction of its own
        words = {"lr": 3e-3, "from_data": True, "more": {"k": K_WORDS}}
        todo.append(Job(f"dictionaries/{WORDS}/{name}", make, (WORDS,), **words))
    todo.append(Job(f"dictionaries/{NEXT}/matryoshka", S.MatryoshkaSAE, (NEXT,), resample=True, more=k))
    for layer in range(LAYERS):
        ends = (f"blocks.{layer}.mlp.hook_in", f"blocks.{layer}.hook_mlp_out")
        place = f"transcoders/blocks.{layer}.mlp"
        todo += [
            Job(f"{place}/transcoder", S.Transcoder, ends, resample=True, more=k),
            Job(f"{place}/skip_transcoder", S.SkipTranscoder, ends, resample=True, more=k),
        ]
    at = f"dictionaries/{STORED}"
    todo += [
        Job(f"{at}/topk", S.TopKSAE, (STORED,), more=k),
        Job(f"{at}/matryoshka", S.MatryoshkaSAE, (STORED,), resample=True, more=k),
        Job(f"{at}/standard", S.StandardSAE, (STORED,), steps=2 * STEPS, more={"l1": 2.0}),
        Job(f"{at}/gated", S.GatedSAE, (STORED,), steps=2 * STEPS, resample=True, more={"l1": 2.0}),
        Job(f"{at}/jumprelu", S.JumpReLUSAE, (STORED,), steps=2 * STEPS, resample=True, more={"l0": 0.3}),
    ]
    todo += [Job(f"{at}/batchtopk-seed{i}", S.BatchTopKSAE, (STORED,), seed=i, more=k) for i in range(1, 5)]
    for control in ("random_weights", "shuffled_tokens", "second_seed"):
        folder = f"controls/{control}/dictionaries/{STORED}/batchtopk"
        todo.append(Job(folder, S.BatchTopKSAE, (STORED,), model=control, more=k))
    layers = ("blocks.1.hook_resid_post", "blocks.2.hook_resid_post")
    todo.append(Job("crosscoders/layers_1_2", S.Crosscoder, layers, more=k))
    todo.append(Job("crosscoders/model_second_seed", S.Crosscoder, (STORED, f"second_seed:{STORED}"), more=k))
    return todo


def harvest(folder: Path, out: Path, sites: set[str], n_sequences: int, device: str, shuffled: bool = False) -> None:
    """Activations of one model at those of the sites that OUT has not yet, a float16 file each, [tokens, d].

    <bos> is left out. The tokens are in one random order, the same for every site and every model that reads the same
    text.
    """
    found: dict[str, list[torch.Tensor]] = {site: [] for site in sorted(sites) if not file_of(out, site).exists()}
    if not found:
        return
    out.mkdir(parents=True, exist_ok=True)
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval().to(device)
    tokens = torch.from_numpy(World().sample(n_sequences, LENGTH, seed=700_000).tokens)
    if shuffled:
        from saelab.labs.base import shuffled as in_random_order

        tokens = in_random_order(tokens, seed=0)
    order = torch.randperm(n_sequences * (LENGTH - 1), generator=torch.Generator().manual_seed(0))

    def keep(module: torch.nn.Module, site: str) -> None:
        def hook(module, inputs, output):
            x = inputs[0] if site.endswith(("resid_pre", "resid_mid", "hook_z")) else output
            found[site].append((x[0] if isinstance(x, tuple) else x)[:, 1:].flatten(0, 1).half().cpu())

        if site in found:
            module.register_forward_hook(hook)

    for layer, block in enumerate(model.transformer.h):
        places = {"attn.hook_z": block.attn.c_proj, "hook_resid_mid": block.ln_2, "mlp.hook_in": block.ln_2,
                  "hook_mlp_out": block.mlp, "hook_resid_pre": block, "hook_resid_post": block}  # fmt: skip
        for site, module in places.items():
            keep(module, f"blocks.{layer}.{site}")
    with torch.no_grad():
        for part in tqdm(tokens.split(64), desc=f"activations of {folder.name}"):
            model.transformer(part.to(device))
    for site, parts in found.items():
        save_file({"x": torch.cat(parts)[order]}, out / "part")
        os.replace(out / "part", file_of(out, site))
        parts.clear()


def file_of(folder: Path, site: str) -> Path:
    """Where a model's activations at a site are, below its folder."""
    return folder / f"{site}.safetensors"


class Activations:
    """Batches of harvested activations by step: x, a pair (transcoder), or two sites side by side (crosscoder)."""

    def __init__(self, work: Path, job: Job, device: str = "cpu"):
        self.job, self.parts = job, []
        for model, site in job.places:
            with safe_open(file_of(work / model, site), "pt") as file:
                self.parts.append(file.get_tensor("x").to(device))
        self.scales = [1.0] * len(self.parts)
        if job.make is S.Crosscoder:  # both sites at one scale
            self.scales = [float(1 / x[:20000].float().std(0).norm()) for x in self.parts]

    def __call__(self, step: int):
        n = len(self.parts[0])
        start = (step * BATCH + self.job.seed * 1_000_003) % (n - BATCH)
        xs = [x[start : start + BATCH].float() * scale for x, scale in zip(self.parts, self.scales)]
        if self.job.make is S.Crosscoder:
            return torch.stack(xs, dim=1)
        return xs[0] if len(xs) == 1 else (xs[0], xs[1])


def fit(job: Job, dictionary: S.SAE, batches: Activations, **more) -> S.History:
    """Train a job's dictionary."""
    dead = {"dead_after": RESAMPLE, "resample_every": RESAMPLE} if job.resample else {"dead_after": DEAD_AFTER}
    return S.train(dictionary, batches, steps=job.steps, lr=job.lr, bf16=True, progress=False, **dead, **more)


def l0_of(dictionary: S.SAE, batches: Activations) -> float:
    """Latents a token, on activations that are not those of the last steps."""
    with torch.no_grad():
        return float((dictionary.encode(torch.cat([batches(10**6 + i) for i in range(8)])) > 0).sum(1).float().mean())


def hold_l0(dictionary: S.SAE, name: str, history: S.History, steps: int) -> None:
    """Raise a penalty (l1 or l0) while more than K latents a token are on, and lower it while fewer are.

    It does so from a quarter of the run on (a large penalty early makes a worse dictionary), and from half of it
    remembers. All follows from the recorded curve, so a run that goes on after a kill has the same.
    """
    ratios = [(step, l0 / K) for step, l0 in zip(history.steps, history["l0"]) if step >= steps // 4]
    if ratios:
        remembered = math.prod(ratio for step, ratio in ratios if step >= steps // 2) ** 0.1
        value = dictionary.config[name] * remembered * min(2.0, max(0.5, ratios[-1][1] ** 3))
        setattr(dictionary, name, value)


def run(job: Job, work: Path, out: Path, device: str = "cpu") -> None:
    """Train one dictionary and write it, with its curves, below OUT."""
    folder = out / job.folder
    if (folder / "history.json").exists():
        return
    batches, start = Activations(work, job, device), time.monotonic()
    penalty = next((name for name in job.more if name != "k"), None)
    metadata = {"model_name": "pocket", "hook_name": job.sites[0], "hook_head_index": None}
    if len(job.sites) > 1:
        metadata |= {"hook_name_out": job.sites[1]} if job.make is not S.Crosscoder else {"sites": list(job.sites)}
    if any(scale != 1.0 for scale in batches.scales):
        metadata["scales"] = batches.scales
    dictionary = job.make(128, D_SAE, seed=job.seed, metadata=metadata, **job.more)
    if job.from_data:
        S.start_from(dictionary, torch.cat([batches(i) for i in range(40)]).cpu(), seed=job.seed)
    dictionary.to(device)
    checkpoint = folder / "checkpoint.safetensors"
    watch = (lambda history: hold_l0(dictionary, penalty, history, job.steps)) if penalty else None
    history = fit(job, dictionary, batches, checkpoint=checkpoint, watch=watch)
    if penalty:
        dictionary.config[penalty] = getattr(dictionary, penalty)
        l0 = l0_of(dictionary, batches)
        if abs(l0 / K - 1) > 0.1:
            raise SystemExit(f"{job.folder} has {l0:.1f} latents a token, and should have {K}.")
    if isinstance(dictionary, S.BatchTopKSAE):
        many = [batches(10**6 + i) for i in range(64)]
        S.calibrate(dictionary, torch.cat([x[0] if isinstance(x, tuple) else x for x in many]))
    S.save(dictionary, folder, dtype=torch.float16)
    facts = {"seed": job.seed, "steps": history.steps[-1] + 1, "lr": job.lr, "batch": BATCH}
    facts |= {key: dictionary.config[key] for key in job.more} | ({"resample_every": RESAMPLE} if job.resample else {})
    facts["seconds"] = round(time.monotonic() - start)
    record = {"facts": facts, "steps": history.steps, "curves": history.curves}
    write_atomically(folder / "history.json", json.dumps(record))
    checkpoint.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder with model/ and the controls' folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder for the activations")
    parser.add_argument("--only", default="", help="train only jobs whose name this regular expression finds")
    parser.add_argument("--sequences", type=int, default=9000, help="of text whose activations are harvested")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    work = args.work or args.out / "activations"
    todo = [job for job in jobs() if re.search(args.only, job.name)]
    if args.worker:
        share = int(args.worker)
        for job in tqdm(todo[share :: args.jobs], position=share, desc=f"dictionaries, process {share + 1}"):
            run(job, work, args.out, args.device)
        return
    left = [job for job in todo if not (args.out / job.folder / "history.json").exists()]
    needed: dict[str, set[str]] = {}
    for model, site in (place for job in left for place in job.places):
        needed.setdefault(model, set()).add(site)
    for model, sites in sorted(needed.items()):
        harvest(args.models / model, work / model, sites, args.sequences, args.device, model == "shuffled_tokens")
    command = [sys.executable, __file__, *sys.argv[1:]]
    workers = [subprocess.Popen([*command, "--worker", str(i)]) for i in range(args.jobs)]
    codes = [worker.wait() for worker in workers]
    sys.exit(int(any(codes)))  # also where one was killed, whose code is negative


if __name__ == "__main__":
    main()
