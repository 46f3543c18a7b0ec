"""A Hugging Face hub on this machine: a folder served over the calls that the libraries make, and tiny repositories.

A repository is a folder `models/<owner>/<name>` or `datasets/<owner>/<name>`. The tiny ones have the names, file
names and file formats of the real ones and random weights, so that what works here differs from the real thing in
numbers only. A repository with a file `.gated` is refused as one whose licence was not accepted.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "0" * 39 + "1"
TEXT = (
    "When Mary and John went to the store , Tom said that the capital of France is Paris . Anna gave a ring to James ."
)


class Hub(ThreadingHTTPServer):
    """Serves `root`; `asked` is the list of requests so far, `unknown` those that it has no answer for."""

    daemon_threads = True

    def __init__(self, root: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.asked, self.unknown = root, [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(with_body=True)

    def log_message(self, *_):
        pass

    def answer(self, with_body: bool):
        path = unquote(urlparse(self.path).path).strip("/")
        self.server.asked.append(f"{self.command} {path}")
        parts = path.split("/")
        is_api = parts[0] == "api"
        parts = parts[1:] if is_api else parts
        kind = parts.pop(0) if parts[0] in ("models", "datasets") else "models"
        repository, rest = self.server.root / kind / "/".join(parts[:2]), parts[2:]
        if len(parts) < 2 or not repository.is_dir():
            return self.refuse(404, "RepoNotFound", f"no repository {path}", with_body)
        if (repository / ".gated").exists() and not is_api:
            return self.refuse(403, "GatedRepo", f"Access to model {'/'.join(parts[:2])} is restricted", with_body)
        if is_api:
            return self.api(repository, rest, with_body)
        file = repository.joinpath(*rest[2:])
        if rest[:1] != ["resolve"] or not file.is_file():
            return self.refuse(404, "EntryNotFound", f"no file {path}", with_body)
        self.send(file.read_bytes(), "application/octet-stream", with_body)

    def api(self, repository: Path, rest: list[str], with_body: bool):
        files = sorted(p for p in repository.rglob("*") if p.is_file())
        listed = [
            {"type": "file", "path": p.relative_to(repository).as_posix(), "size": p.stat().st_size} for p in files
        ]
        if not rest or rest[0] == "revision":
            name = "/".join(repository.parts[-2:])
            siblings = [{"rfilename": f["path"]} for f in listed]
            value: object = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []}
        elif rest[0] == "tree":
            below = "".join(f"{part}/" for part in rest[2:])
            inside = [f for f in listed if f["path"].startswith(below)]
            folders = {below + f["path"].removeprefix(below).split("/")[0] for f in inside}
            value = [self.with_id(f) for f in inside if "recursive=true" in self.path.lower() or f["path"] in folders]
            value += [
                self.with_id({"type": "directory", "path": f, "size": 0}) for f in folders - {f["path"] for f in inside}
            ]
            if not value:
                return self.refuse(404, "EntryNotFound", f"no folder {below}", with_body)
        elif rest[0] == "paths-info":
            asked = json.loads(self.body)["paths"]
            value = [self.with_id(f) for f in listed if f["path"] in asked]
        else:
            self.server.unknown.append(self.path)
            return self.refuse(404, "EntryNotFound", f"unknown call {self.path}", with_body)
        self.send(json.dumps(value).encode(), "application/json", with_body)

    @staticmethod
    def with_id(file: dict) -> dict:
        return file | {"oid": hashlib.sha1(file["path"].encode()).hexdigest()}

    def send(self, content: bytes, kind: str, with_body: bool):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {asked[1]}-{asked[2]}/{len(content)}")
            content = content[int(asked[1]) : int(asked[2]) + 1]
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def refuse(self, status: int, code: str, message: str, with_body: bool):
        content = json.dumps({"error": message}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.end_headers()
        if with_body:
            self.wfile.write(content)


@contextmanager
def serving(root: Path):
    """A hub with the repositories in `root`, for the time of a with block."""
    hub = Hub(root)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


def session(script: str, running: Hub, home: Path) -> dict:
    """What a script prints as JSON in its last line: a process of its own, for which this hub is the only one."""
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    clean |= {"HF_ENDPOINT": running.url, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
    clean.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run([sys.executable, script], env=clean, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def tiny_hub(root: Path) -> Path:
    """Tiny repositories under every name that the public labs ask for."""
    models, datasets = root / "models", root / "datasets"
    tiny_gpt2(models / "openai-community/gpt2", tokenizer("<|endoftext|>"), layers=3)
    tiny_gemma(models / "google/gemma-2-2b", tokenizer("<bos>"))
    tiny_gemma_3(models / "google/gemma-3-270m", tokenizer("<bos>"))
    gpt2_dictionary(models / "jbloom/GPT2-Small-SAEs-Reformatted/blocks.1.hook_resid_pre", "blocks.1.hook_resid_pre")
    mlp_out = models / "tommmcgrath/gpt2-small-mlp-out-saes/sae_group_gpt2_blocks.0.hook_mlp_out_24576:v1"
    gpt2_dictionary(mlp_out, "blocks.0.hook_mlp_out", normalize_activations="expected_average_only_in")
    scope_2 = models / "google/gemma-scope-2-270m-pt"
    gemma_3_dictionary(scope_2 / "resid_post_all/layer_0_width_16k_l0_small")
    gemma_3_dictionary(scope_2 / "transcoder_all/layer_1_width_16k_l0_small", skips=False)
    gemma_3_dictionary(scope_2 / "transcoder_all/layer_1_width_16k_l0_small_affine", skips=True)
    gemma_dictionary(models / "google/gemma-scope-2b-pt-res/layer_0/width_16k/average_l0_105")
    corpus(datasets / "NeelNanda/pile-10k")
    gated = models / "google/gemma-2-2b-it"
    gated.mkdir()
    (gated / ".gated").touch()
    return root


def tokenizer(bos: str):
    """A byte-level BPE tokenizer, trained until every word of the prompts is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from saelab.labs import hub_prompts as prompts

    words = " ".join([prompts.PEOPLE, prompts.PLACES, prompts.THINGS, prompts.CAPITALS, TEXT])
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=[bos], initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator([f" {words}"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=bos, eos_token=bos, unk_token=bos)


def tiny_gpt2(folder: Path, its_tokenizer, layers: int = 3, dtype=None, length: int = 64) -> None:
    """A random GPT-2 of d_model 32, four heads, in transformers' format, with LayerNorm weights that are not 1."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(layers)
    special = {"bos_token_id": its_tokenizer.bos_token_id, "eos_token_id": its_tokenizer.eos_token_id}
    size = {"vocab_size": len(its_tokenizer), "n_positions": length, "n_embd": 32, "n_layer": layers, "n_head": 4}
    _save(GPT2LMHeadModel(GPT2Config(**size, **special)), its_tokenizer, folder, dtype)


def tiny_gemma(folder: Path, its_tokenizer) -> None:
    """A random Gemma 2 as wide as the real one (Gemma Scope's files are), thin everywhere else."""
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    special = {"bos_token_id": its_tokenizer.bos_token_id, "eos_token_id": its_tokenizer.eos_token_id}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "num_hidden_layers": 2}
    size = {"vocab_size": len(its_tokenizer), "hidden_size": 2304, "intermediate_size": 16, "sliding_window": 32}
    _save(Gemma2ForCausalLM(Gemma2Config(**size, **heads, **special)), its_tokenizer, folder, None)


def tiny_gemma_3(folder: Path, its_tokenizer) -> None:
    """A random Gemma 3 of d_model 32."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    special = {"bos_token_id": its_tokenizer.bos_token_id, "eos_token_id": its_tokenizer.eos_token_id}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "num_hidden_layers": 2}
    size = {"vocab_size": len(its_tokenizer), "hidden_size": 32, "intermediate_size": 16, "sliding_window": 32}
    _save(Gemma3ForCausalLM(Gemma3TextConfig(**size, **heads, **special)), its_tokenizer, folder, None)


def gpt2_dictionary(folder: Path, site: str, d_sae: int = 64, **more) -> None:
    """One dictionary of gpt2-small: SAELens's files, with the old keys that these still have, and more in its cfg."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    W_enc = torch.randn(32, d_sae)
    weights = {"W_enc": W_enc, "W_dec": W_enc.T.contiguous(), "b_enc": torch.zeros(d_sae), "b_dec": torch.ones(32)}
    save_file(weights, folder / "sae_weights.safetensors")
    save_file({"sparsity": torch.zeros(d_sae)}, folder / "sparsity.safetensors")
    cfg = {"model_name": "gpt2-small", "hook_point": site, "hook_point_layer": 1, "d_in": 32, "d_sae": d_sae}
    cfg |= {"dtype": "torch.float32", "context_size": 128, "dataset_path": "Skylion007/openwebtext"}
    (folder / "cfg.json").write_text(json.dumps(cfg | more))


def gemma_3_dictionary(folder: Path, skips: bool | None = None) -> None:
    """One dictionary of Gemma Scope 2; with `skips`, a transcoder, with a linear way past its latents or without."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    folder.mkdir(parents=True)
    W_enc = torch.randn(32, 64)
    weights = {"w_enc": W_enc, "w_dec": W_enc.T.contiguous(), "b_enc": torch.zeros(64), "b_dec": torch.zeros(32)}
    weights["threshold"] = torch.full((64,), 0.5)
    if skips:
        weights["affine_skip_connection"] = torch.randn(32, 32)
    save_file(weights, folder / "params.safetensors")
    cfg = {"architecture": "jump_relu", "model_name": "gemma-v3-270m-pt", "affine_connection": skips or False}
    (folder / "config.json").write_text(json.dumps(cfg))


def gemma_dictionary(folder: Path) -> None:
    """One dictionary of Gemma Scope: params.npz, at full size (compressed: it is zero but for the first latents)."""
    import numpy as np

    random = np.random.default_rng(0)
    W_enc = np.zeros((2304, 16384), np.float32)
    W_enc[:, :64] = random.standard_normal((2304, 64))
    folder.mkdir(parents=True)
    parts = {"w_enc": W_enc, "w_dec": np.ascontiguousarray(W_enc.T), "b_enc": np.zeros(16384, np.float32)}
    parts |= {"b_dec": np.zeros(2304, np.float32), "threshold": np.full(16384, 0.5, np.float32)}
    np.savez_compressed(folder / "params.npz", **parts)


def corpus(repository: Path) -> None:
    """Five documents in a parquet file, one of them too short for anything."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (repository / "data").mkdir(parents=True)
    texts = [f"{TEXT} " * 10, f"{TEXT} " * 20, "Paris", f"{TEXT} " * 5, f"{TEXT} " * 8]
    pq.write_table(pa.table({"text": texts}), repository / "data/train-00000-of-00001-4746b8785c874cc7.parquet")
    (repository / "README.md").write_text("---\nlicense: mit\n---\n")


def _save(model, its_tokenizer, folder: Path, dtype) -> None:
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.to(dtype or torch.float32).save_pretrained(folder)
    its_tokenizer.save_pretrained(folder)


def ablate_the_loudest_latent(here, site: str) -> dict:
    """What the strongest latent at the last token of IOI prompts does to the logit difference."""
    import torch

    ioi = here.prompts("ioi", 4, seed=1)
    sae = here.dictionary(site)
    every = torch.arange(4)

    def logit_difference(logits):
        last = logits[every, ioi.last]
        return (last[every, ioi.answers] - last[every, ioi.wrong]).mean().item()

    def without(latent):
        def hook(x, hook):
            f = sae.encode(x.flatten(2))
            removed = torch.zeros_like(f)
            removed[..., latent] = f[..., latent]
            return x + (sae.decode(f - removed) - sae.decode(f)).reshape(x.shape)

        return hook

    with torch.no_grad():
        x = here.activations(site, ioi.tokens)
        latents = sae.encode(x)[every, ioi.last]
        logits = here.model(ioi.tokens)
        loudest = latents.mean(0).argmax().item()
        ablated = here.model.run_with_hooks(ioi.tokens, fwd_hooks=[(site, without(loudest))])
    return {
        "activations": list(x.shape),
        "matrices": [list(sae.W_enc.shape), list(sae.W_dec.shape), list(sae.b_dec.shape)],
        "hook_name": sae.metadata["hook_name"],
        "active": (latents > 0).sum(-1).float().mean().item(),
        "before": logit_difference(logits),
        "after": logit_difference(ablated),
        "starts_with_bos": bool((ioi.tokens[:, 0] == here.tokenizer.bos_token_id).all()),
        "text": here.tokenizer.decode(ioi.tokens[0]),
        "differs_from_twin": (ioi.tokens != ioi.twin).sum(1).unique().tolist(),
    }


def assert_complete(found: dict, site: str, d_in: int, d_sae: int) -> None:
    """Is this what `ablate_the_loudest_latent` finds where everything is in place?"""
    assert found["matrices"] == [[d_in, d_sae], [d_sae, d_in], [d_in]]
    assert found["activations"] == [4, 16, d_in] and found["active"] >= 1
    assert found["hook_name"] == site and found["starts_with_bos"]
    assert abs(found["before"] - found["after"]) > 1e-5, "removing a latent that is on changes something"
    assert found["differs_from_twin"] == [1], "the twin has another giver and nothing else"
    assert "went to the" in found["text"] and found["text"].count("<|endoftext|>") + found["text"].count("<bos>") == 1
