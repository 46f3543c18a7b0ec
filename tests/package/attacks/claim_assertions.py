"""Raises the grader's own kinds of errors."""
# ruff: noqa


# %% exercise="double"
def double(x):
    import saelab.contract, saelab.implementation

    if x.requires_grad:
        raise saelab.implementation.Gone("passed", "passed")
    raise saelab.contract.Complaint("passed")
