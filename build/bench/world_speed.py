"""How fast is the pocket world? Tokens a second on one core, with labels, and the time to open the pocket lab.

python build/bench/world_speed.py
"""

import time
from functools import partial

import torch

from saelab.world import World


def seconds(what) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"making the world: {seconds(World):.2f} s")
    world = World()
    for n in (200, 2000, 8000):
        best = min(seconds(partial(world.sample, n, 128, seed=1)) for _ in range(3))
        print(f"{n} sequences of 128 tokens with their labels: {n * 128 / best:,.0f} tokens a second")
    text = world.sample(2000, 128)
    print(f"all {len(world.factors)} labels as one array: {2000 * 128 / seconds(text.labels):,.0f} tokens a second")

    from transformer_lens.model_bridge import TransformerBridge  # noqa: F401  so that only opening is timed

    from saelab.labs import lab

    def open_lab() -> None:
        here = lab("pocket")
        _ = here.model, here.tokenizer, here.tokens(8), here.prompts("ioi", 8)

    print(f"opening lab('pocket') with model, tokenizer, text and prompts: {seconds(open_lab):.2f} s")
