"""What a model by recipe costs in the jail: first and second call of fresh children, beside a call without a model.

    python build/bench/recipe_calls.py [CHILDREN]

Each child is asked twice for the model's logits on the same tokens; the same forward pass here is printed beside it.
"""

import statistics
import sys
import time

import torch

from saelab import checking, content
from saelab.answers import Answer, Piece
from saelab.apart import RemoteParts
from saelab.grade.jail import Limits
from saelab.grade.jail.keeper import Warm

CODE = """\
import torch

def harvest(model, site, tokens, mask, batch_size):
    return model(tokens)[:, -1] if model else torch.ones(2, 9)

class ShuffleBuffer: ...
"""


def milliseconds(work) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)


def calls(warm: Warm, model) -> tuple[float, float]:
    """Milliseconds of the first and of the second call in a fresh child."""
    child = warm.child(60)
    parts = RemoteParts(Answer(content.find("harvest"), [Piece("cell", CODE)]), child)
    checking.lend((model,))
    tokens = torch.zeros(2, 8, dtype=torch.long)
    took = [milliseconds(lambda: parts["harvest"](model, "site", tokens, tokens > 0, 2)) for _ in range(2)]
    checking.take_back()
    child.close()
    return took[0], took[1]


def main() -> None:
    torch.set_num_threads(1)
    children = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    models = {"no model": None, "model.random": checking.recipe("model.random", seed=5)}
    models["pocket.model"] = checking.recipe("pocket.model")
    warm = Warm(["import torch"], True, [], Limits())
    took = {name: [] for name in models}
    here = {name: [] for name in models}
    for _ in range(children):  # side by side: a busy moment hits all alike
        for name, model in models.items():
            took[name].append(calls(warm, model))
            here[name].append(milliseconds(lambda m=model: m and m(torch.zeros(2, 8, dtype=torch.long))))
    warm.close()
    for name, pairs in took.items():
        first, second = (statistics.median(column) for column in zip(*pairs))
        forward = statistics.median(here[name])
        print(f"{name:<13} first {first:5.1f} ms, second {second:5.1f} ms; the forward pass here {forward:5.1f} ms")


if __name__ == "__main__":
    main()
