"""What a check file may use besides pytest and torch.testing.

`gradients` for what could be trained through, `recipe` for models, dictionaries, text and callables (the names are in
`saelab.checking.ingredients`), `harm` and `runs` for what the last call did to such a thing and how it used it.
"""

from saelab.checking import Rng, gradients, harm, recipe, runs

__all__ = ["Rng", "gradients", "harm", "recipe", "runs"]
