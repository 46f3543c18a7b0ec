"""Raises the grader's own kinds of errors."""
# ruff: noqa


# %% exercise="double"
def double(x):
    import saelab.checking.contract, saelab.checking.watched

    if x.requires_grad:
        raise saelab.checking.watched.Gone("passed", "passed")
    raise saelab.checking.contract.Complaint("passed")
