"""A small GPT-2 whose weights are written by hand, so that its circuits are known and not guessed.

Three layers, four heads and an MLP a layer, 96 dimensions, 57 words, no training, no randomness. Three
behaviours are planted, and half of the heads and two of the MLPs are busy with things that no answer needs:

- `ioi`: " When Ann and Bob went to the park , Ann gave a cup to" → " Bob"
- `induction`: " cup Ann key … cup" → " Ann"
- `facts`: " Ann Hill plays the sport of" → " tennis", where neither name alone is enough

    from saelab import exact
    exact.save("exact_model")                    # then TransformerBridge.boot_transformers("exact_model")
    exact.prompts(8, seed=0)["ioi"].tokens       # and .corrupted, .answer, .wrong
    exact.circuit()["ioi"]["nodes"]              # the truth

    exact.features(), exact.qk_pairs("a2.2")     # an exact dictionary, and why a head looks where it looks
    exact.table()                                # the people that MLP 1 knows, as an exact transcoder
    exact.two_step()                             # an AND in two layers, and a shortcut that explains nothing

`mechanism.py` is the model, written to be read; `ablation.py` shows by brute force that the truth is true;
`planted.py` names what dictionaries, transcoders and attention attribution have to find.
"""

from .mechanism import model
from .planted import CrossLayer, Features, Table, TwoStep, features, qk_pairs, table, two_step
from .saved import save
from .truth import circuit
from .vocabulary import Prompts, prompts, tokenizer

__all__ = [
    "CrossLayer",
    "Features",
    "Prompts",
    "Table",
    "TwoStep",
    "circuit",
    "features",
    "model",
    "prompts",
    "qk_pairs",
    "save",
    "table",
    "tokenizer",
    "two_step",
]
