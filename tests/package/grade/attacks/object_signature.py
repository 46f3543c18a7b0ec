"""Claims a signature that it doesn't have, with names that are no names."""
# ruff: noqa

# %% exercise="double"
import inspect


def double(*args, **kwargs):
    return args[0]


double.__signature__ = inspect.Signature(
    [inspect.Parameter("x" * 5000, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=torch.ones(2))]
    + [inspect.Parameter(f"p{i}", inspect.Parameter.KEYWORD_ONLY) for i in range(3000)]
)
