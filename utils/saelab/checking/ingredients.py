"""What `recipe` can make, by name; options are plain numbers and words, and the seed decides all that is random.

- "model.random"(n_layers, d_model, n_heads, d_vocab, trainable, steered, seed): a small transformer with random
  weights, large enough to matter, as a TransformerBridge that reads at most 64 tokens; `steered`: its owner hooked it
- "exact.model"(sharp): the hand-written model of `saelab.exact`, as a TransformerBridge
- "exact.prompts"(kind, n, seed): its prompts, "ioi", "induction" or "facts": see `saelab.exact.Prompts`
- "pocket.model"(): the pocket model, as a TransformerBridge
- "pocket.dictionary"(site, architecture, seed), "pocket.transcoder"(layer, skip): its published dictionaries
- "pocket.tokens"(n, length, seed): text of the pocket world, int64 [n, length], <bos> first
- "pocket.text"(n, length, seed): the same with its labels, a `saelab.world.Text` that can't be written to
- "sae.random"(d_in, d_sae, architecture, k, trainable, seed): an untrained dictionary whose biases are not zero
- "function.linear"(d_in, d_out, seed): a callable, x [..., d_in] → x W + b [..., d_out]
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from saelab import extras

RANDOM = "model.random"
CONTEXT = 64  # tokens that a random model can read


def random_model(
    n_layers: int = 2, d_model: int = 32, n_heads: int = 2, d_vocab: int = 50, trainable: bool = False,
    steered: bool = False, seed: int = 0,
):  # fmt: skip
    extras.demand("transformers", "transformer-lens")
    from transformers import GPT2Config, GPT2LMHeadModel

    from saelab.labs import bridge, lab

    config = GPT2Config(
        vocab_size=d_vocab, n_positions=CONTEXT, n_embd=d_model, n_layer=n_layers, n_head=n_heads,
        bos_token_id=0, eos_token_id=2, pad_token_id=1, architectures=["GPT2LMHeadModel"],
    )  # fmt: skip
    model = bridge(GPT2LMHeadModel(config), lab("pocket").tokenizer)
    draw_weights(model, seed)
    if steered:
        model.add_hook("blocks.0.hook_resid_post", _towards_the_first_half)
    return model.requires_grad_(trainable)


def _towards_the_first_half(x: Tensor, hook) -> Tensor:
    """A hook as the owner of a model might have left it there: the first half of the numbers grows by 1."""
    return x + (torch.arange(x.shape[-1]) < x.shape[-1] // 2).to(x.dtype)


@torch.no_grad()
def draw_weights(model: nn.Module, seed: int) -> None:
    """Other weights for a random model: matrices that keep lengths, biases of a tenth, norms around 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.ndim > 1:
            weight.copy_(noise / min(weight.shape) ** 0.5)
        else:
            weight.copy_(0.1 * noise + (".ln_" in name and name.endswith("weight")))
    # W_Q, W_K and W_V stand in the joint matrix too, which nothing reads


def exact_model(sharp: float = 20.0):
    from saelab import exact
    from saelab.labs import bridge

    return bridge(exact.model(sharp), exact.tokenizer())


def exact_prompts(kind: str = "ioi", n: int = 8, seed: int = 0):
    from saelab import exact

    return exact.prompts(n, seed)[kind]


def pocket_model():
    from saelab.labs import lab

    return lab("pocket").model


def pocket_dictionary(site: str, architecture: str = "", seed: int = 0):
    from saelab.labs import lab

    return lab("pocket").dictionary(site, architecture or None, seed).requires_grad_(False)


def pocket_transcoder(layer: int, skip: bool = False):
    from saelab.labs import lab

    return lab("pocket").transcoder(layer, skip).requires_grad_(False)


def pocket_tokens(n: int = 4, length: int = 32, seed: int = 0) -> Tensor:
    from saelab.labs import lab

    return lab("pocket").tokens(n, length, seed)


def pocket_text(n: int = 4, length: int = 32, seed: int = 0):
    from saelab.labs import lab

    text = lab("pocket").world.sample(n, length, seed)
    for array in (text.tokens, text.kind, text.sentence, text.context, text.counted, text.log_p):
        array.setflags(write=False)
    return text


def random_dictionary(
    d_in: int = 8, d_sae: int = 32, architecture: str = "standard", k: int = 4, trainable: bool = False, seed: int = 0
):
    from saelab import sae

    made: dict[str, Callable] = {
        "standard": sae.StandardSAE, "gated": sae.GatedSAE, "jumprelu": sae.JumpReLUSAE,
        "topk": partial(sae.TopKSAE, k=k), "batchtopk": partial(sae.BatchTopKSAE, k=k),
    }  # fmt: skip
    dictionary, generator = made[architecture](d_in, d_sae).requires_grad_(False), torch.Generator().manual_seed(seed)
    for name, weight in [*dictionary.named_parameters(), *dictionary.named_buffers()]:
        noise = torch.randn(weight.shape, generator=generator)
        weight.copy_(noise.abs() / 4 if name == "threshold" else noise / max(1, *weight.shape[-1:]) ** 0.5)
    return dictionary.requires_grad_(trainable)


class Linear(nn.Module):
    """x W + b, with random W and b."""

    def __init__(self, d_in: int, d_out: int, generator: torch.Generator):
        super().__init__()
        self.W = nn.Parameter(torch.randn(d_in, d_out, generator=generator) / d_in**0.5, requires_grad=False)
        self.b = nn.Parameter(torch.randn(d_out, generator=generator), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.W.to(x.dtype) + self.b.to(x.dtype)


def linear(d_in: int = 8, d_out: int = 4, seed: int = 0) -> Linear:
    return Linear(d_in, d_out, torch.Generator().manual_seed(seed))


ALL: dict[str, Callable] = {
    RANDOM: random_model,
    "exact.model": exact_model,
    "exact.prompts": exact_prompts,
    "pocket.model": pocket_model,
    "pocket.dictionary": pocket_dictionary,
    "pocket.transcoder": pocket_transcoder,
    "pocket.tokens": pocket_tokens,
    "pocket.text": pocket_text,
    "sae.random": random_dictionary,
    "function.linear": linear,
}
