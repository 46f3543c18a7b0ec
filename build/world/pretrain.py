"""Train the pocket model: a GPT-2 of four small layers that reads the pocket world. One command, resumed after a kill.

    python build/world/pretrain.py --out runs/model                # the model of the course, about 45 minutes on a core
    python build/world/pretrain.py --out runs/second --seed 1      # the control from another seed
    python build/world/pretrain.py --out runs/shuffled --text shuffled  # the control that saw tokens in random order

Weights go to OUT as a Hugging Face folder (GPT-2 format, float32), with losses.json beside them. A run that was
stopped goes on from its last checkpoint and ends with the same weights as one that was not.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel

from saelab.world import World
from saelab.world.tokenizer import tokenizer

LENGTH, BATCH, BLOCK = 128, 48, 40  # tokens a sequence, sequences a step, steps whose text is drawn at once
SAVE_EVERY = 60  # seconds between checkpoints


def new_model(world: World, seed: int) -> GPT2LMHeadModel:
    """A GPT-2 with 4 layers of 8 heads, d_model 128, about a million parameters, freshly drawn."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(world.vocabulary), n_positions=LENGTH, n_embd=128, n_layer=4, n_head=8,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, pad_token_id=1, eos_token_id=2,
        attn_implementation="eager",  # with bfloat16 twice as fast on a CPU as the fused kernel
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def text_block(world: World, seed: int, block: int, shuffled: bool) -> torch.Tensor:
    """The text of BLOCK steps, [BLOCK, BATCH, LENGTH]; seeds below 1,000,000 are never used for training."""
    text_seed = 1_000_000 * (seed + 1) + block
    tokens = world.sample(BLOCK * BATCH, LENGTH, seed=text_seed).tokens
    if shuffled:
        tokens[:, 1:] = np.random.default_rng(text_seed).permuted(tokens[:, 1:], axis=1)
    return torch.from_numpy(tokens).view(BLOCK, BATCH, LENGTH)


def loss_of(model: GPT2LMHeadModel, tokens: torch.Tensor) -> torch.Tensor:
    """Mean next-token loss in nats. The matrix products of a CPU or GPU that has bfloat16 use it."""
    with torch.autocast(tokens.device.type, torch.bfloat16):
        hidden = model.transformer(tokens[:, :-1]).last_hidden_state
        logits = hidden @ model.lm_head.weight.T
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())


def rate(step: int, steps: int, top: float = 3e-3) -> float:
    """Learning rate: linear warm-up over 100 steps, then a cosine down to a hundredth."""
    return top * min((step + 1) / 100, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


class Run:
    """A training run with its checkpoint file."""

    def __init__(self, out: Path, seed: int, device: str):
        self.out, self.seed = out, seed
        self.world = World()
        self.model = new_model(self.world, seed).to(device)
        for block in self.model.transformer.h:  # the same function as "gelu_new", in one kernel
            block.mlp.act = torch.nn.GELU(approximate="tanh")
        decay = [p for p in self.model.parameters() if p.ndim > 1]
        rest = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        self.step, self.losses, self.device = 0, [], device
        out.mkdir(parents=True, exist_ok=True)
        if (out / "checkpoint.safetensors").exists():
            self.load()

    def save(self) -> None:
        """Everything that a later process needs to go on, in one file that is never half written."""
        state = {f"model.{name}": p.detach() for name, p in self.model.named_parameters()}
        for name, p in self.model.named_parameters():
            for key, value in self.optimizer.state[p].items():
                state[f"{key}.{name}"] = value
        progress = {"step": str(self.step), "losses": json.dumps(self.losses)}
        state = {name: value.contiguous().cpu() for name, value in state.items()}
        save_file(state, self.out / "checkpoint.tmp", metadata=progress)
        os.replace(self.out / "checkpoint.tmp", self.out / "checkpoint.safetensors")

    def load(self) -> None:
        from safetensors import safe_open

        file = self.out / "checkpoint.safetensors"
        state = load_file(file, device=self.device)
        with safe_open(file, "pt") as opened:
            progress = opened.metadata()
        self.step, self.losses = int(progress["step"]), json.loads(progress["losses"])
        for name, p in self.model.named_parameters():
            p.data.copy_(state[f"model.{name}"])
            self.optimizer.state[p] = {key: state[f"{key}.{name}"].to(p.device if key != "step" else "cpu")
                                       for key in ("step", "exp_avg", "exp_avg_sq")}  # fmt: skip

    def train(self, steps: int, shuffled: bool) -> None:
        saved = time.monotonic()
        bar = tqdm(total=steps, initial=self.step, unit="step", desc=str(self.out))
        while self.step < steps:
            block, row = divmod(self.step, BLOCK)
            if row == 0 or "texts" not in locals():
                texts = text_block(self.world, self.seed, block, shuffled).to(self.device)
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.step, steps)
            loss = loss_of(self.model, texts[row])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            bar.update()
            if self.step % 20 == 0:
                self.losses.append([self.step, round(loss.item(), 4)])
                bar.set_postfix(loss=f"{loss.item():.3f}")
            if time.monotonic() - saved > SAVE_EVERY:
                self.save()
                saved = time.monotonic()
        self.save()

    def publish(self, **facts) -> None:
        """The folder that transformers and TransformerLens open, and what it came from."""
        self.model.save_pretrained(self.out)
        tokenizer(self.world).save_pretrained(self.out)
        (self.out / "losses.json").write_text(json.dumps(self.losses))
        (self.out / "run.json").write_text(json.dumps(facts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5000, help="of 6,144 tokens each; 0 gives the random-weight twin")
    parser.add_argument("--text", choices=("world", "shuffled"), default="world")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    run = Run(args.out, args.seed, args.device)
    if args.steps:
        run.train(args.steps, args.text == "shuffled")
    command = f"python build/world/pretrain.py --seed {args.seed} --steps {args.steps} --text {args.text}"
    run.publish(command=command, seed=args.seed, steps=args.steps, tokens=args.steps * BATCH * LENGTH)


if __name__ == "__main__":
    main()
