"""What a result must be like before its values are looked at: type, shape, dtype.

The rules are read off the reference's annotations (`Float[Tensor, "inst feats"]`): an axis has the
length that the arguments give it (`*batch` as many as are left), a float result has the arguments' dtype. A result
that is right in another dress (a 0-d tensor for a float, a list for a tuple) is put into the annotated one.
"""

import inspect
import math
import types
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


def _sizes(hints: dict, arguments: dict) -> dict[str, int | tuple[int, ...]]:
    """Axis name → length (of `*batch`: lengths), from tensors annotated with it and whole numbers called so."""
    sizes: dict = {key: value for key, value in arguments.items() if type(value) is int}
    for key, value in arguments.items():
        annotation = _without_none(hints.get(key))
        if _is_array(annotation) and isinstance(value, Tensor):
            pairs = _by_axis(annotation.dim_str.split(), value.shape) or []
            sizes |= {axis: size for axis, size in pairs if axis.lstrip("*").isidentifier() and axis.strip("*_")}
    return sizes


def _by_axis(axes: list[str], shape: tuple[int, ...]) -> list[tuple[str, int | tuple[int, ...]]] | None:
    """(axis, length) in order, for `*batch` and `...` all lengths that are left; None if the shape can't be that."""
    many = next((i for i, axis in enumerate(axes) if axis[0] in "*."), None)
    if many is None:
        return list(zip(axes, shape)) if len(axes) == len(shape) else None
    end = len(shape) - (len(axes) - many - 1)
    if end < many:
        return None
    return [*zip(axes[:many], shape), (axes[many], tuple(shape[many:end])), *zip(axes[many + 1 :], shape[end:])]


def _without_none(annotation):
    """X for `X | None`, and anything else as it is."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 else typing.Any


def _float_dtype(arguments: dict) -> torch.dtype:
    floats = [v.dtype for v in arguments.values() if isinstance(v, Tensor) and v.is_floating_point()]
    result = floats[0] if floats else torch.float32
    for dtype in floats[1:]:
        result = torch.promote_types(result, dtype)
    return result


def _fit(said: str, annotation, value, sizes: dict, dtype: torch.dtype):
    if value is None and type(None) in typing.get_args(annotation):
        return value
    annotation = _without_none(annotation)
    if value is None:
        raise BadResult(f"{said} None. Is a `return` missing?")
    if _is_array(annotation):
        return _fit_tensor(said, annotation, value, sizes, dtype)
    if annotation in (float, int, bool):
        return _fit_scalar(said, annotation, value)
    origin, inner = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin in (list, tuple) and (not inner or origin is list or Ellipsis in inner):
        if not isinstance(value, (list, tuple)):
            raise BadResult(f"{said} {describe(value)}; a {origin.__name__} was expected.")
        kind = inner[0] if inner else typing.Any
        return origin(_fit(f"{said} as value {i}", kind, v, sizes, dtype) for i, v in enumerate(value, 1))
    if origin is tuple:
        if not isinstance(value, (tuple, list)) or len(value) != len(inner):
            got = f"{len(value)} values" if isinstance(value, (tuple, list)) else describe(value)
            raise BadResult(f"{said} {got}; {len(inner)} values were expected.")
        items = enumerate(zip(inner, value), 1)
        return tuple(_fit(f"{said} as value {i}", a, v, sizes, dtype) for i, (a, v) in items)
    if origin is not typing.Any and isinstance(origin, type) and not isinstance(value, origin):
        raise BadResult(f"{said} {describe(value)}; a {origin.__name__} was expected.")
    return value


def _fit_scalar(said: str, kind: type, value):
    if isinstance(value, Tensor) and value.ndim == 0 or type(value).__module__ == "numpy":
        value = value.item() if getattr(value, "ndim", 0) == 0 else value
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        float: whole or isinstance(value, float),
        int: whole or isinstance(value, float) and math.isfinite(value) and value == value // 1,
        bool: isinstance(value, bool),
    }
    if not fits[kind]:
        raise BadResult(f"{said} {describe(value)}; a single {kind.__name__} was expected.")
    try:
        return kind(value)
    except OverflowError:
        raise BadResult(f"{said} a number too large for a {kind.__name__}.") from None


def _fit_tensor(said: str, annotation, value, sizes: dict, dtype: torch.dtype) -> Tensor:
    if not isinstance(value, Tensor):
        raise BadResult(f"{said} {describe(value)}; a torch tensor was expected.")
    axes, wanted = annotation.dim_str.split(), list[str]()
    for axis in axes:
        known = sizes.get(axis, axis)
        wanted += map(str, known if isinstance(known, tuple) else [known])
    pairs = _by_axis(wanted, value.shape)
    if pairs is None or any(axis.isdigit() and int(axis) != size for axis, size in pairs):
        shape = "(" + ", ".join(wanted) + ")"
        called = f" ({annotation.dim_str})" if axes else " (a single number)"
        raise BadResult(f"{said} a tensor of shape {tuple(value.shape)}; {shape} was expected{called}.")
    families = {"float": value.is_floating_point(), "int": _is_integer(value), "bool": value.dtype == torch.bool}
    dtypes = annotation.dtypes if isinstance(annotation.dtypes, (list, tuple)) else ()  # of `Shaped`: any
    allowed = {family for family in families if any(str(d).startswith(family) for d in dtypes)}
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
