"""Ablation by brute force: every subset of nodes, any set of edges. Possible only since the model is small.

Ablating means resampling: a node's output (or what one edge carries) is replaced by what it is on the counterfactual
prompt. The forward pass is written out in plain torch, node by node, so that each node's input is a plain sum.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .vocabulary import Prompts

NODES = [f"{kind}{layer}{i}" for layer in range(3) for kind, i in [*(("a", f".{h}") for h in range(4)), ("m", "")]]


def receivers(node: str) -> list[str]:
    """The inputs of a node: "a1.2" → "a1.2.q", "a1.2.k", "a1.2.v"; "m1" → "m1"."""
    return [f"{node}.{part}" for part in "qkv"] if node[0] == "a" else [node]


def senders(node: str) -> list[str]:
    """Whose writing a node (or "logits") reads: all that is earlier; heads of one layer do not see each other."""
    earlier = [n for n in NODES if n[1] < node[1] or (n[1] == node[1] and node[0] == "m" and n[0] == "a")]
    return ["embed", *(NODES if node == "logits" else earlier)]


EDGES = [f"{s} -> {r}" for node in [*NODES, "logits"] for r in receivers(node) for s in senders(node)]


def embed(model, tokens: Tensor) -> Tensor:
    """What enters the first layer: [n, seq] → [n, seq, d_model]."""
    return model.transformer.wte(tokens) + model.transformer.wpe.weight[: tokens.shape[1]]


def output(model, node: str, inputs: list[Tensor]) -> Tensor:
    """What a node writes, [..., seq, d_model], given its inputs (q, k and v for a head), each [..., seq, d_model]."""
    block = model.transformer.h[int(node[1])]
    if node[0] == "m":
        return block.mlp(block.ln_2(inputs[0]))
    n_heads, width = block.attn.num_heads, block.attn.head_dim
    own = int(node[3:])
    w_qkv, b_qkv = block.attn.c_attn.weight.view(-1, 3, n_heads, width), block.attn.c_attn.bias.view(3, n_heads, width)
    q, k, v = (block.ln_1(x) @ w_qkv[:, i, own] + b_qkv[i, own] for i, x in enumerate(inputs))
    found = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return found @ block.attn.c_proj.weight.view(n_heads, width, -1)[own] + block.attn.c_proj.bias / n_heads


def unembed(model, x: Tensor) -> Tensor:
    """Logits from the residual stream: [..., d_model] → [..., vocab]."""
    return model.lm_head(model.transformer.ln_f(x))


def outputs(model, tokens: Tensor) -> dict[str, Tensor]:
    """What the embedding and every node write on these tokens: name → [n, seq, d_model]."""
    found = {"embed": embed(model, tokens)}
    for node in NODES:
        x = torch.stack([found[s] for s in senders(node)]).sum(0)
        found[node] = output(model, node, [x] * len(receivers(node)))
    return found


def logit_difference(logits: Tensor, prompts: Prompts) -> Tensor:
    """answer − wrong: [..., n, vocab] → [..., n]."""
    rows = torch.arange(len(prompts.answer))
    return logits[..., rows, prompts.answer] - logits[..., rows, prompts.wrong]


@torch.no_grad()
def keep_every_subset(model, prompts: Prompts) -> Tensor:
    """Logits at the last position when only a subset of the nodes is kept: [2^15, n, vocab].

    Row s keeps NODES[k] where bit k of s is 1, and ablates the others. Subsets that agree on the earlier layers share
    their work, which is exact.
    """
    other = outputs(model, prompts.corrupted)
    streams = embed(model, prompts.tokens)[None]  # [subsets so far, n, seq, d_model]
    for layer in range(3):
        last_only = slice(-1, None) if layer == 2 else slice(None)
        before, streams = streams, streams[:, :, last_only]
        for node in [n for n in NODES if n[1] == str(layer)]:
            x = before if node[0] == "a" else streams
            kept = output(model, node, [x] * len(receivers(node)))[:, :, last_only]
            kept = kept.repeat(len(streams) // len(kept), 1, 1, 1)
            streams = torch.cat([streams + other[node][:, last_only], streams + kept])
    return unembed(model, streams[:, :, -1])


@torch.no_grad()
def cut_edges(model, prompts: Prompts, cut: Tensor) -> Tensor:
    """Logits at the last position with edges ablated: cut [rows, len(EDGES)], bool → [rows, n, vocab]."""
    other, found = outputs(model, prompts.corrupted), {"embed": embed(model, prompts.tokens)[None]}
    column = {edge: cut[:, i, None, None, None] for i, edge in enumerate(EDGES)}

    def entering(node: str, receiver: str) -> Tensor:
        total = torch.zeros(())
        for sender in senders(node):
            total = total + torch.where(column[f"{sender} -> {receiver}"], other[sender], found[sender])
        return total

    for node in NODES:
        found[node] = output(model, node, [entering(node, receiver) for receiver in receivers(node)])
    return unembed(model, entering("logits", "logits")[:, :, -1])
