"""What a result must be like before its values are looked at: type, shape, dtype, and what a student is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.testing import assert_close

from saelab import checking
from saelab.checking.contract import BadResult, fit_result


def returns(annotation, given: Any = None) -> Callable:
    """A specification: takes `x` as annotated by `given`, returns this."""

    def spec(x, k: int = 3): ...

    spec.__annotations__ = {"x": given, "k": int, "return": annotation}
    return spec


def fitted(annotation, value, x=None, given: Any = None, **more):
    return fit_result("f", returns(annotation, given), (x,), more, value)


def complaint(*args, **kwargs) -> str:
    with pytest.raises(BadResult) as caught:
        fitted(*args, **kwargs)
    return str(caught.value)


def watched(fn: Callable, spec: Callable) -> Callable:
    return checking.watch({"f": fn}, {"f": spec}).parts["f"]


# --- another dress --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (float, torch.tensor(2.5), 2.5),
        (float, 2, 2.0),
        (float, np.float32(0.5), 0.5),
        (float, np.array(0.5), 0.5),
        (int, 4.0, 4),
        (int, np.int64(4), 4),
        (int, torch.tensor(4), 4),
        (bool, np.bool_(True), True),
        (bool, torch.tensor(False), False),
        (tuple[int, float], [1, 2], (1, 2.0)),
        (tuple[float, ...], [1, 2], (1.0, 2.0)),
        (tuple, [1, "a"], (1, "a")),
        (list[float], (torch.tensor(1.0), 2), [1.0, 2.0]),
        (list, (1, 2), [1, 2]),
        (list[list[str]], (("a",), ["b"]), [["a"], ["b"]]),
        (str, "a", "a"),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (float | None, None, None),
        (float | None, torch.tensor(1.0), 1.0),
        (Any, "anything", "anything"),
        (int | str, "either", "either"),
    ],
)
def test_a_right_result_is_put_into_the_annotated_form(annotation, value, expected):
    got = fitted(annotation, value)
    assert got == expected and type(got) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (float, None, "returned None. Is a `return` missing?"),
        (float, True, "the truth value True; a single float was expected"),
        (float, torch.ones(1), "a tensor of shape (1,) and dtype float32; a single float was expected"),
        (float, np.ones(1), "a ndarray; a single float was expected"),
        (int, 2.5, "the number 2.5; a single int was expected"),
        (int, float("nan"), "the number nan; a single int was expected"),
        (int, float("inf"), "the number inf; a single int was expected"),
        (bool, 1, "the number 1; a single bool was expected"),
        (tuple[int, int], (1, 2, 3), "returned 3 values; 2 values were expected"),
        (tuple[int, int], 1, "the number 1; 2 values were expected"),
        (tuple[int, float], (1, "a"), "returned as value 2 a str; a single float was expected"),
        (tuple[int, tuple[int, int]], (1, (2, 2.5)), "as value 2 as value 2 the number 2.5"),
        (list[float], 1.0, "the number 1.0; a list was expected"),
        (list[float], [1.0, None], "as value 2 None"),
        (tuple[float, ...], {1.0}, "a set; a tuple was expected"),
        (dict[str, int], [1], "a list; a dict was expected"),
        (str, 1, "the number 1; a str was expected"),
        (float | None, "a", "a str; a single float was expected"),
        (Float[Tensor, ""], 1.0, "the number 1.0; a torch tensor was expected"),
        (Float[Tensor, ""], np.float64(1), "a torch tensor was expected"),
        (Tensor, [1], "a list; a Tensor was expected"),
    ],
)
def test_a_wrong_type_is_told_in_one_sentence(annotation, value, words):
    said = complaint(annotation, value)
    assert said.startswith("`f` returned") and words in said and "\n" not in said, said


def test_without_an_annotation_anything_goes():
    assert fit_result("f", lambda x: ..., (1,), {}, None) is None
    assert fit_result("f", returns(None), (1,), {}, 3) == 3


def test_where_the_specification_cant_take_the_arguments_nothing_is_said_of_the_result():
    assert fit_result("f", returns(float), (1, 2, 3, 4), {}, "a") == "a"


# --- shapes ---------------------------------------------------------------------------------------------------------

X = torch.ones(2, 5)


@pytest.mark.parametrize(
    ("given", "annotation", "shape", "expected"),
    [
        ("batch feats", "feats", (2,), "(5) was expected (feats)"),
        ("batch feats", "batch feats", (5, 2), "(2, 5) was expected (batch feats)"),
        ("batch feats", "", (1,), "() was expected (a single number)"),
        ("batch feats", "batch 7", (2, 5), "(2, 7) was expected"),
        ("batch feats", "batch k", (2, 5), "(2, 3) was expected (batch k)"),
        ("batch feats", "batch other", (2,), "(2, other) was expected"),
        ("*batch feats", "*batch feats", (5,), "(2, 5) was expected (*batch feats)"),
        ("*batch feats", "*batch feats", (3, 5), "(2, 5) was expected"),
        ("*batch feats", "*batch", (2, 5), "(2) was expected"),
        ("*batch feats", "*other feats", (2, 4), "(*other, 5) was expected"),
        ("batch feats", "... feats", (), "(..., 5) was expected"),
        ("batch feats", "... feats", (1, 1, 4), "(..., 5) was expected"),
        ("feats *batch", "*batch", (2,), "(5) was expected"),
    ],
)
def test_an_axis_has_the_length_that_the_arguments_give_it(given, annotation, shape, expected):
    said = complaint(Float[Tensor, annotation], torch.ones(shape), X, Float[Tensor, given])
    assert f"a tensor of shape {shape}; " in said and expected in said, said


@pytest.mark.parametrize(
    ("given", "annotation", "shape"),
    [
        ("batch feats", "feats batch", (5, 2)),
        ("batch feats", "other", (9,)),
        ("batch feats", "feats+1", (9,)),
        ("_ feats", "_ feats", (9, 5)),
        ("*batch feats", "*batch feats", (2, 5)),
        ("*batch b feats", "*batch feats", (5,)),
        ("... feats", "... feats", (7, 7, 5)),
        ("one axis more than it has", "axis", (9,)),
        ("batch feats", "k", (3,)),
    ],
)
def test_what_the_arguments_dont_fix_may_be_of_any_length(given, annotation, shape):
    value = torch.ones(shape)
    assert fitted(Float[Tensor, annotation], value, X, Float[Tensor, given]) is value


def test_a_whole_number_among_the_arguments_is_the_length_of_the_axis_called_so():
    assert "(4) was expected (k)" in complaint(Float[Tensor, "k"], torch.ones(3), k=4)
    fitted(Float[Tensor, "k"], torch.ones(3))  # a default counts
    fitted(Float[Tensor, "k"], torch.ones(7), k=True)  # a truth value is no length


def test_an_argument_that_may_be_none_gives_lengths_too():
    assert "(5) was expected" in complaint(Float[Tensor, "feats"], torch.ones(4), X, Float[Tensor, "a feats"] | None)
    assert fitted(Float[Tensor, "feats"], torch.ones(4), None, Float[Tensor, "a feats"] | None).shape == (4,)


# --- dtypes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (Float[Tensor, "n"], torch.ones(2, dtype=torch.int64), "dtype int64; float was expected"),
        (Int[Tensor, "n"], torch.ones(2), "dtype float32; int was expected"),
        (Bool[Tensor, "n"], torch.ones(2, dtype=torch.uint8), "dtype uint8; bool was expected"),
        (Int[Tensor, "n"], torch.ones(2, dtype=torch.bool), "dtype bool; int was expected"),
        (Float[Tensor, "n"], torch.ones(2, dtype=torch.complex64), "dtype complex64; float was expected"),
    ],
)
def test_another_family_of_numbers_is_told(annotation, value, words):
    assert words in complaint(annotation, value)


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(2).bool(), torch.ones(2).long()], ids=lambda v: v.dtype)
def test_where_any_numbers_will_do_all_are_taken(value):
    assert fitted(Shaped[Tensor, "n"], value) is value


@pytest.mark.parametrize(
    ("x", "value", "wanted", "remedy"),
    [
        (torch.float64, torch.float32, "float64", "end with `.to(…dtype)` of your input"),
        (torch.float32, torch.float64, "float32", "cast it back at the end"),
        (torch.float16, torch.float32, "float16", "end with `.to(…dtype)` of your input"),
        (torch.int64, torch.float64, "float32", "cast it back at the end"),
    ],
)
def test_floats_are_of_the_arguments_dtype_and_the_remedy_is_told(x, value, wanted, remedy):
    said = complaint(Float[Tensor, "n"], torch.ones(2, dtype=value), torch.ones(3, dtype=x))
    assert f"{wanted} was expected, like its input: {remedy}." in said, said


def test_of_two_floats_the_wider_decides():
    def spec(x, y) -> Float[Tensor, "..."]: ...

    given = (torch.ones(1), torch.ones(1, dtype=torch.float64))
    assert fit_result("f", spec, given, {}, torch.ones(2, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(BadResult, match="float64 was expected"):
        fit_result("f", spec, given, {}, torch.ones(2))


# --- being called, and what is given --------------------------------------------------------------------------------


def test_a_function_that_cant_be_called_so_is_told_how_it_should_be():
    with pytest.raises(checking.WrongSignature, match=r"`f\(x\)` can't be called as `f\(x, k\)`: too many"):
        watched(lambda x: x, returns(Any))(1, 2)


def test_a_builtin_without_a_signature_is_just_called():
    assert watched(max, returns(Any))([1, 3]) == 3


def in_place(how: Callable) -> Callable:
    def f(x, k=3):
        how(x)
        return 0.0

    return f


@pytest.mark.parametrize(
    ("given", "how"),
    [
        (torch.ones(2), lambda x: x.add_(1)),
        (torch.ones(2), lambda x: x.unsqueeze_(0)),
        (torch.tensor([1.0, float("nan")]), lambda x: x.nan_to_num_()),
        ([torch.ones(2), torch.ones(2)], lambda x: x[1].zero_()),
        ({"a": (torch.ones(2),)}, lambda x: x["a"][0].zero_()),
    ],
    ids=["values", "shape", "nan", "in a list", "in a dictionary"],
)
@pytest.mark.parametrize("by_name", [False, True], ids=["by place", "by name"])
def test_a_tensor_changed_in_place_is_told_by_its_arguments_name(given, how, by_name):
    given = checking.watched.snapshot(given)
    with pytest.raises(checking.Complaint, match="`f` changed its argument `x` in place. Work on a copy"):
        watched(in_place(how), returns(float))(**{"x": given}) if by_name else watched(in_place(how), returns(float))(
            given
        )


def test_reading_its_arguments_is_no_change():
    given = {"a": torch.tensor([1.0, float("nan"), float("inf")]), "b": [torch.ones(2, requires_grad=True)]}
    assert watched(in_place(lambda x: x["a"] * 2), returns(float))(given) == 0.0
    assert_close(given["b"][0].detach(), torch.ones(2))
