"""Changes torch's default dtype, its printing, its random numbers and the warnings' filters."""
# ruff: noqa

# %% exercise="double"
import warnings

warnings.simplefilter("error")
torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=0, sci_mode=False)
torch.manual_seed = torch.rand = torch.randn = None


def double(x):
    return x
