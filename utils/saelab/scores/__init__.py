"""How good is a dictionary, and how close to the truth?

Without labels: `quality` (reconstruction, sparsity) and `ce_recovered` (what the model loses by it). With labels:
`factor_f1` (is there a latent for each factor?), `describe` (is there a factor, or a pair of factors, for each
latent?), `linear_probe_auc` and `token_auc` (is the factor in the activations, is it there in the token already?),
`superposition`. `random_dictionary` is the null to print beside every figure.

Conventions. N tokens; `labels` [N, F] (bool) says for each token which factors are true. Wherever something is chosen
or fitted, that happens on one half of the tokens and the figure comes from the other: by default the first half fits
and the second is scored, so shuffle whole sequences beforehand, never single tokens; `fit` [N] (bool) chooses another
split. Where a figure is undefined (a factor without positives, say) it is nan, never 0.
"""

from .cross_entropy import CrossEntropy, ce_recovered
from .description import Descriptions, describe
from .detection import FactorF1, factor_f1
from .geometry import Superposition, superposition
from .probes import auc, linear_probe_auc, mean_differences, probe_directions, token_auc
from .reconstruction import Quality, RandomDictionary, quality, random_dictionary

__all__ = [
    "CrossEntropy",
    "Descriptions",
    "FactorF1",
    "Quality",
    "RandomDictionary",
    "Superposition",
    "auc",
    "ce_recovered",
    "describe",
    "factor_f1",
    "linear_probe_auc",
    "mean_differences",
    "probe_directions",
    "quality",
    "random_dictionary",
    "superposition",
    "token_auc",
]
