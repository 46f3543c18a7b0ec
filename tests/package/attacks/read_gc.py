"""Searches everything that the garbage collector knows for a check or a solution."""
# ruff: noqa

# %% exercise="double"
import gc, types


def double(x):
    gc.unfreeze()
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType) and thing.__name__ in ("double", "test_three_becomes_six"):
            if thing is not double:
                raise ValueError(f"LEAK {thing.__code__.co_consts}")
        if isinstance(thing, (dict, list, tuple)):
            for item in thing.values() if isinstance(thing, dict) else thing:
                if type(item) is str and "must stay" + " secret" in item:
                    raise ValueError("LEAK " + item)
    return x
