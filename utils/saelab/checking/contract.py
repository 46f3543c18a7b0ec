"""What a result must be like before its values are looked at: type, shape, dtype.

The rules are read off the reference's annotations (`Float[Tensor, "inst feats"]`): an axis has the
length that the arguments give it, a float result has the arguments' dtype. A result that is right
in another dress (a 0-d tensor for a float, a list for a tuple) is put into the annotated one.
"""

import inspect
import typing
from collections.abc import Callable

import torch
from torch import Tensor


class Complaint(AssertionError):
    """One sentence about what a student's implementation returned or did."""


class BadResult(Complaint):
    "The result has the wrong type, shape or dtype."


class ChangedArgument(Complaint):
    "A tensor that was passed in came back with other values."


class Damaged(Complaint):
    "A model or a dictionary that was passed in came back with hooks on it, or with other weights."


class NotDifferentiable(Complaint):
    "The result carries no gradient where it should."


class WrongSignature(Complaint):
    "The function can't be called as the exercise says."


def fit_result(name: str, spec: Callable, args: tuple, kwargs: dict, value):
    """The value in the form that `spec`'s return annotation asks for; raises BadResult."""
    try:
        signature = inspect.signature(spec)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
    except (TypeError, ValueError):
        return value
    annotation = signature.return_annotation
    if annotation is inspect.Signature.empty or annotation is None:
        return value
    hints = {key: p.annotation for key, p in signature.parameters.items()}
    return _fit(f"`{name}` returned", annotation, value, _sizes(hints, bound.arguments), _float_dtype(bound.arguments))


def check_signature(name: str, fn: Callable, spec: Callable, args: tuple, kwargs: dict) -> None:
    """Raises WrongSignature if `fn` can't take these arguments although `spec` can."""
    try:
        signature = inspect.signature(fn)
        signature.bind(*args, **kwargs)
    except TypeError as error:
        wanted = f"{name}{_plain(inspect.signature(spec))}"
        raise WrongSignature(f"`{name}{_plain(signature)}` can't be called as `{wanted}`: {error}.") from None
    except ValueError:
        pass  # a builtin without a signature: calling it will tell


def _plain(signature: inspect.Signature) -> str:
    return "(" + ", ".join(name for name in signature.parameters if name != "self") + ")"


def _is_array(annotation) -> bool:
    return hasattr(annotation, "dim_str") and hasattr(annotation, "dtypes")


def _sizes(hints: dict, arguments: dict) -> dict[str, int]:
    """Axis name → length, from tensors annotated with it and whole numbers called so."""
    sizes = {key: value for key, value in arguments.items() if type(value) is int}
    for key, value in arguments.items():
        if _is_array(hints.get(key)) and isinstance(value, Tensor):
            axes = hints[key].dim_str.split()
            if len(axes) == value.ndim:
                sizes |= {axis: size for axis, size in zip(axes, value.shape) if axis.isidentifier()}
    return sizes


def _float_dtype(arguments: dict) -> torch.dtype:
    floats = [v.dtype for v in arguments.values() if isinstance(v, Tensor) and v.is_floating_point()]
    result = floats[0] if floats else torch.float32
    for dtype in floats[1:]:
        result = torch.promote_types(result, dtype)
    return result


def _fit(said: str, annotation, value, sizes: dict, dtype: torch.dtype):
    if value is None:
        raise BadResult(f"{said} None. Is a `return` missing?")
    if _is_array(annotation):
        return _fit_tensor(said, annotation, value, sizes, dtype)
    if annotation in (float, int, bool):
        return _fit_scalar(said, annotation, value)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and Ellipsis not in inner:
        if not isinstance(value, (tuple, list)) or len(value) != len(inner):
            got = f"{len(value)} values" if isinstance(value, (tuple, list)) else describe(value)
            raise BadResult(f"{said} {got}; {len(inner)} values were expected.")
        items = enumerate(zip(inner, value), 1)
        return tuple(_fit(f"{said} as value {i}", a, v, sizes, dtype) for i, (a, v) in items)
    if isinstance(annotation, type) and not isinstance(value, annotation):
        raise BadResult(f"{said} {describe(value)}; a {annotation.__name__} was expected.")
    return value


def _fit_scalar(said: str, kind: type, value):
    if isinstance(value, Tensor) and value.ndim == 0 or type(value).__module__ == "numpy":
        value = value.item() if getattr(value, "ndim", 0) == 0 else value
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        float: whole or isinstance(value, float),
        int: whole or isinstance(value, float) and value == value // 1,
        bool: isinstance(value, bool),
    }
    if not fits[kind]:
        raise BadResult(f"{said} {describe(value)}; a single {kind.__name__} was expected.")
    return kind(value)


def _fit_tensor(said: str, annotation, value, sizes: dict, dtype: torch.dtype) -> Tensor:
    if not isinstance(value, Tensor):
        raise BadResult(f"{said} {describe(value)}; a torch tensor was expected.")
    axes = annotation.dim_str.split()
    wanted = [sizes.get(axis, int(axis) if axis.isdigit() else axis) for axis in axes]
    variadic = any(axis == "..." or axis.startswith("*") for axis in axes)
    wrong = [w for w, size in zip(wanted, value.shape) if isinstance(w, int) and w != size]
    if not variadic and (len(axes) != value.ndim or wrong):
        shape = "(" + ", ".join(map(str, wanted)) + ")"
        called = f" ({annotation.dim_str})" if axes else " (a single number)"
        raise BadResult(f"{said} a tensor of shape {tuple(value.shape)}; {shape} was expected{called}.")
    families = {"float": value.is_floating_point(), "int": _is_integer(value), "bool": value.dtype == torch.bool}
    allowed = {family for family in families if any(str(d).startswith(family) for d in annotation.dtypes)}
    if allowed and not any(families[family] for family in allowed):
        raise BadResult(f"{said} dtype {_short(value.dtype)}; {' or '.join(sorted(allowed))} was expected.")
    if value.is_floating_point() and value.dtype != dtype:
        remedy = "end with `.to(…dtype)` of your input" if dtype != torch.float32 else "cast it back at the end"
        raise BadResult(f"{said} dtype {_short(value.dtype)}; {_short(dtype)} was expected, like its input: {remedy}.")
    return value


def _is_integer(value: Tensor) -> bool:
    return value.dtype != torch.bool and not value.is_floating_point() and not value.is_complex()


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def describe(value) -> str:
    """What something is, in few words: `a tensor of shape (2, 3)`, `a list`, `the number 3`."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and dtype {_short(value.dtype)}"
    if isinstance(value, (int, float)):
        return f"the {'truth value' if isinstance(value, bool) else 'number'} {value}"
    return f"a {type(value).__name__}"
