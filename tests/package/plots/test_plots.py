"""Do the pictures show the numbers they were given, legibly, on any page, in any column and to any eyes?"""

import base64
import functools
import json
import math
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from saelab import plots
from saelab.plots import _style

W = torch.tensor([[1.0, 0.0, -0.5, 0.0], [0.0, 1.25, 0.5, 0.0]])  # hidden feats; the last feature is dropped
STEPS = [0, 50, 400]
FRAMES = torch.stack([W * scale for scale in (0.1, 0.6, 1.0)])[:, None].repeat(1, 7, 1, 1)  # frames inst 2 feats
P, IMPORTANCE = [0.01, 0.1, 1.0], [0.5, 2.0]
PHASES = torch.tensor([[0, 1, 1], [0, 0, 2]])  # importance p

EXAMPLES = {
    "arrows": lambda: plots.arrows(W),
    "arrows, panels": lambda: plots.arrows(FRAMES[0], titles=list("abcdefg")),
    "arrows, animated": lambda: plots.arrows(FRAMES[:, :2], steps=STEPS),
    "heat_map": lambda: plots.heat_map(W.T @ W),
    "heat_map, panels": lambda: plots.heat_map(torch.arange(540).reshape(3, 20, 9), titles=["a", "b", "c"]),
    "dimensionality_strip": lambda: plots.dimensionality_strip(
        [[0.5] * 4, [0.4] * 5], [0.3, 0.05], guides={"1/2": 0.5}
    ),
    "phase_map": lambda: plots.phase_map(
        PHASES, IMPORTANCE, P, ["one", "both", "none"], boundary=([0.5, 2], [0.1, 0.2])
    ),
    "line": lambda: plots.line([1, 10, 100], {"a": [1, 2, 3], "b": [3, 2, 1]}, log_x=True, guides={"bound": 9}),
    "scatter": lambda: plots.scatter({"a": W.T, "b": 2 * W.T}, colour={"a": [1, 2, 3, 4], "b": [-1, 0, 0, 0]}),
    "bars": lambda: plots.bars({"a": [1, 2], "b": [-3, 4]}, ["x", "y"], guides={"chance": 5}),
    "stacks": lambda: plots.stacks(W.T),
}
every_function = pytest.mark.parametrize("name", EXAMPLES)
picture = functools.cache(lambda name: EXAMPLES[name]())


def shown_axes(fig: go.Figure) -> list[tuple[str, go.layout.XAxis | go.layout.YAxis]]:
    axes = [("x", axis) for axis in fig.select_xaxes()] + [("y", axis) for axis in fig.select_yaxes()]
    return [(which, axis) for which, axis in axes if axis.visible is not False]


def contrast(colour: str, page: str) -> float:
    """The contrast ratio of the Web Content Accessibility Guidelines 2, between 1 and 21."""
    light, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (colour, page)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def test_every_function_of_the_api_is_tried_here():
    assert {name.split(",")[0] for name in EXAMPLES} | {"live"} == set(
        plots.__all__
    )  # `live` gives no figure: see below


@every_function
def test_a_figure_has_a_title_named_axes_and_the_width_of_its_column(name):
    """No width of its own: JupyterLab stores a picture as wide as the column, and would stretch another one."""
    fig = picture(name)
    assert isinstance(fig, go.Figure) and fig.layout.title.text
    assert fig.layout.width is None and fig.layout.autosize and fig.layout.height >= 200
    for which in ("x", "y"):
        assert any(axis.title.text for side, axis in shown_axes(fig) if side == which), f"no {which} axis title"


@every_function
def test_panels_share_one_range(name):
    for which in ("x", "y"):
        assert len({tuple(axis.range) for side, axis in shown_axes(picture(name)) if side == which}) == 1


@every_function
def test_in_a_column_of_390_pixels_no_text_is_cut_and_panels_keep_100_pixels(name):
    fig, letter = picture(name), 7.5  # pixels of a letter on average, at the largest size
    axes = shown_axes(fig)
    columns = len({tuple(axis.domain) for side, axis in axes if side == "x"})
    inner = 390 - fig.layout.margin.l - fig.layout.margin.r
    assert inner / columns >= 100
    assert max(map(len, fig.layout.title.text.split("<br>"))) * letter <= 390
    titles = [axis.title.text for side, axis in axes if side == "x" and axis.title.text]
    assert max(len(line) for text in titles for line in text.split("<br>")) * letter <= 390 / columns


@every_function
def test_the_card_and_its_ink_are_the_same_on_any_page(name):
    layout = picture(name).layout.template.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == _style.CARD and _style.CARD.startswith("#")
    assert {layout.font.color, layout.xaxis.gridcolor, layout.yaxis.tickcolor, layout.title.font.color} == {_style.INK}


@every_function
def test_the_same_call_gives_the_same_figure(name):
    assert EXAMPLES[name]().to_json() == picture(name).to_json()


def text_colours(fig: go.Figure) -> set[str]:
    """Every colour in which this figure writes upon its card."""
    layout = fig.layout
    found = {layout.template.layout.font.color, layout.template.layout.title.font.color}
    found |= {axis.color for axis in (layout.template.layout.xaxis, layout.template.layout.yaxis)}
    found |= {note.font.color for note in layout.annotations}
    found |= {part.font.color for part in [*layout.updatemenus, *layout.sliders]}
    for trace in fig.data:
        if trace.type == "scatter" and trace.textfont.color is not None:
            found |= {trace.textfont.color} if isinstance(trace.textfont.color, str) else set(trace.textfont.color)
    return found - {None}


@every_function
def test_text_has_the_contrast_of_level_aa_on_every_page(name):
    """4.5:1 (Web Content Accessibility Guidelines 2, 1.4.3): the card is opaque, so the page makes no difference."""
    colours = text_colours(picture(name))
    assert colours and min(contrast(colour, _style.CARD) for colour in colours) >= 4.5


def test_no_grey_would_do_without_a_card():
    best = max(min(contrast(f"#{g:02x}{g:02x}{g:02x}", page) for page in ("#ffffff", "#111111")) for g in range(256))
    assert best < 4.5


def test_values_in_cells_have_that_contrast_at_every_colour():
    for scale in (_style.DIVERGING, _style.SEQUENTIAL):
        stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in scale])
        for place in np.linspace(0, len(stops) - 1, 101):
            rgb = [np.interp(place, range(len(stops)), stops[:, k]) for k in range(3)]
            assert contrast("#" + "".join(f"{round(c):02x}" for c in rgb), "#000000") >= 4.5
    written = picture("heat_map").data[0]
    assert written.textfont.color == "black" and list(picture("heat_map").layout.coloraxis.colorscale)


def test_what_is_written_in_a_colour_or_upon_it_has_that_contrast():
    assert min(contrast(colour, "#ffffff") for colour in _style.PALETTE) >= 4.5  # the arrows' and the stacks' numbers
    assert {block.insidetextfont.color for block in picture("stacks").data} == {"white"}


@pytest.mark.parametrize(
    "sees",  # of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1
    [
        pytest.param(np.eye(3), id="all colours"),
        pytest.param([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]], id="protanopia"),
        pytest.param([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]], id="deuteranopia"),
    ],
)
def test_colour_blind_eyes_tell_the_palette_apart(sees):
    to_xyz = np.array([[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0178, 0.1095, 0.8727]])  # white: 1 1 1
    xyz = np.clip([np.array(sees) @ linear(colour) for colour in _style.PALETTE], 0, 1) @ to_xyz.T
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1) + 1000 * np.eye(len(lab))
    assert apart[:5, :5].min() > 25 and apart.min() > 16


def test_arrows_end_at_the_features_columns():
    fig = plots.arrows(W.clone().requires_grad_())
    tips = [(trace.x[-1], trace.y[-1]) for trace in fig.data[:4]]
    np.testing.assert_allclose(tips, W.T, atol=1e-4)
    assert fig.data[3].marker.size[-1] == 0, "a dropped feature has no direction, so no arrow head"
    numbers = fig.data[4]
    assert numbers.text == ("0", "1", "2", "3") and numbers.x[3] > fig.layout.xaxis.range[1], "nor a number in sight"
    assert fig.layout.yaxis.scaleanchor == "x" and fig.layout.xaxis.range[1] > 1.25


def test_arrows_in_one_direction_are_named_together():
    fig = plots.arrows(torch.tensor([[1.0, 1.02, 0.0, -1.0, 0.0], [0.0, 0.01, 1.0, 0.0, 0.0]]))
    numbers, edge = fig.data[-1], fig.layout.xaxis.range[1]
    inside = [text for text, x in zip(numbers.text, numbers.x) if abs(x) <= edge]
    assert sorted(inside) == ["0, 1", "2", "3"], "and the one of length 0 isn't named"


def test_numbers_of_many_arrows_do_not_overprint():
    angles = torch.arange(80) * 2.4
    fig = plots.arrows((0.5 + angles / 400) * torch.stack([angles.cos(), angles.sin()]))
    numbers, edge = fig.data[-1], fig.layout.xaxis.range[1]
    shown = np.array([(x, y) for x, y in zip(numbers.x, numbers.y) if abs(x) <= 1.2 * edge])
    gaps = np.linalg.norm(shown[:, None] - shown, axis=-1) + 10 * np.eye(len(shown))
    assert 15 < len(shown) < 80 and gaps.min() >= 0.19 * edge
    assert numbers.x[79] <= edge, "the longest keeps its number"


def test_many_long_names_keep_to_one_line_each():
    fig = plots.bars(range(10), [f"T = {n}, features and more" for n in range(10)])
    assert not any("<br>" in name for name in fig.layout.xaxis.ticktext)


def test_a_feature_has_one_colour_in_all_panels():
    fig = picture("arrows, panels")
    colours = [trace.line.color for trace in fig.data if trace.mode == "lines+markers"]
    assert colours == [_style.colour(j) for j in range(4)] * 7


def test_panels_wrap_and_the_last_row_may_be_short():
    fig = picture("arrows, panels")
    assert len({axis.domain for axis in fig.select_xaxes()}) == 2 and len(shown_axes(fig)) == 14
    assert sum(axis.showticklabels for side, axis in shown_axes(fig) if side == "x") == 2


def test_panels_of_many_columns_stack():
    fig = plots.heat_map(torch.rand(3, 24, 30), titles=["a", "b", "c"])
    assert {axis.domain for axis in fig.select_xaxes()} == {(0.0, 1.0)} and len(shown_axes(fig)) == 6


def test_frames_follow_the_steps_and_carry_only_what_changes():
    fig = picture("arrows, animated")
    assert [frame.name for frame in fig.frames] == ["0", "50", "400"]
    assert [step.label for step in fig.layout.sliders[0].steps] == ["0", "50", "400"]
    for frame, W_t in zip(fig.frames, FRAMES, strict=True):
        assert frame.traces == tuple(range(len(fig.data))) and frame.layout.to_plotly_json() == {}
        np.testing.assert_allclose([trace.x[-1] for trace in frame.data[:4]], W_t[0, 0], atol=1e-4)
        kept = {key for trace in frame.data for key in trace.to_plotly_json()}
        assert kept == {"type", "x", "y", "marker"}
        assert {tuple(trace.marker.to_plotly_json()) for trace in frame.data} <= {("size",), ()}
    assert len(json.dumps(fig.to_plotly_json()["frames"][-1])) < 100 * len(fig.data)


def test_the_range_of_an_animation_holds_for_its_longest_arrow():
    assert picture("arrows, animated").layout.xaxis.range == plots.arrows(W).layout.xaxis.range


def test_animation_takes_one_instance_too():
    assert len(plots.arrows(FRAMES[:, 0], steps=STEPS).data) == 4 + 1


def test_heat_map_keeps_values_and_is_symmetric_about_zero_when_signed():
    M = torch.tensor([[1.0, -3.0, 0.5], [0.0, 2.0, 0.25]])
    fig = plots.heat_map(M, x="feature", y="hidden", unit="weight", x_labels=["the", "cat", "the"])
    np.testing.assert_array_equal(fig.data[0].z, M)
    axis = fig.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-3, 3) and "weight" in axis.colorbar.title.text
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1], "row 0 is at the top"
    assert fig.layout.xaxis.ticktext == ("the", "cat", "the"), "equal labels must not merge"
    assert "feature %{x}" in fig.data[0].hovertemplate and "hidden %{y}" in fig.data[0].hovertemplate


def test_heat_map_takes_rounding_errors_for_no_sign():
    assert plots.heat_map([[1.0, -1e-9], [0.0, 1.0]]).layout.coloraxis.cmax == 1
    assert plots.heat_map([[1.0, -1e-9], [0.0, 1.0]]).layout.coloraxis.cmin > -1e-6


@pytest.mark.parametrize("size, written", [(8, True), (9, False)])
def test_heat_map_writes_values_into_small_matrices_only(size, written):
    assert bool(plots.heat_map(torch.rand(size, 3)).data[0].texttemplate) == written


def test_dots_keep_their_dimensionality_and_stay_in_their_strip():
    fig = plots.dimensionality_strip(
        torch.tensor([[0.4] * 30, [0.5] * 30]), ["a", "b"], guides={"2/5": 0.4, "3/8": 0.375}
    )
    for i, trace in enumerate(fig.data):
        assert len(set(trace.x)) == 30 and np.all(np.abs(trace.x - i) < 0.4)
    np.testing.assert_allclose(fig.data[0].y, 0.4, atol=1e-6)
    assert [note.text for note in fig.layout.annotations if note.text] == ["3/8", "2/5"]
    assert len(fig.layout.shapes) == 2


def test_phase_map_cells_are_centred_on_the_logarithmic_axes_and_named():
    fig = plots.phase_map(PHASES, IMPORTANCE, P, ["one", "both", "none"], boundary=([0.5, 2.0], [0.1, 0.2]))
    cells, line = fig.data[0], fig.data[-1]
    np.testing.assert_array_equal(cells.z, PHASES)
    np.testing.assert_allclose(np.sqrt(cells.x[1:] * cells.x[:-1]), P)
    np.testing.assert_allclose(np.sqrt(cells.y[1:] * cells.y[:-1]), IMPORTANCE)
    assert (cells.zmin, cells.zmax) == (-0.5, 2.5)
    keys = {trace.name: trace.marker.color for trace in fig.data[1:] if trace.marker.symbol == "square"}
    assert list(keys) == ["one", "both", "none"]
    assert [colour for _, colour in cells.colorscale[::2]] == list(keys.values())
    np.testing.assert_allclose([line.x, line.y], [[0.1, 0.2], [0.5, 2.0]])  # p across, importance up
    assert [trace.name for trace in fig.data if trace.name and trace.showlegend is not False][-1] == "closed form"


def test_a_phase_map_sets_no_red_against_green():
    for n in (2, 3, 4):
        fig = plots.phase_map([[0, n - 1]], [1.0], [0.1, 1.0], [str(i) for i in range(n)])
        used = {colour for _, colour in fig.data[0].colorscale}
        assert len(used) == n and not {_style.PALETTE[1], _style.PALETTE[2]} <= used


def test_a_line_keeps_its_values_its_band_its_colour_and_all_is_in_range():
    fig = plots.line(
        [1, 2, 4], {"a": [1, 2, 3], "b": [3, 2, 1]}, bands={"b": ([2, 1, 0], [4, 3, 2])}, guides={"top": 6}
    )
    band, a, b = fig.data
    np.testing.assert_array_equal([a.x, a.y, b.y], [[1, 2, 4], [1, 2, 3], [3, 2, 1]])
    assert band.fill == "toself" and band.fillcolor == _style.see_through(b.line.color, 0.25)
    low, high = fig.layout.yaxis.range
    assert low < 0 and high > 6
    assert fig.layout.showlegend and not plots.line([1, 2], {"only": [1, 2]}).layout.showlegend


def test_no_curve_is_hidden_under_another():
    x = np.arange(1.0, 7.0)
    fig = plots.line(x, {"formula": 1 / x, "PCA": 1.001 / x, "ReLU": 0.1 / x, "again": 1 / x}, log_y=True)
    widths, dashes = [c.line.width for c in fig.data], [c.line.dash for c in fig.data]
    assert widths[0] > widths[1] > widths[3] and widths[2] == widths[3], "what lies under others is wider"
    assert dashes == ["solid", "dash", "solid", "dot"], "what lies above lets it be seen"
    apart = plots.line(x, {"a": x, "b": x + 1, "c": 6 - x})
    assert {c.line.dash for c in apart.data} == {"solid"} and len({c.line.width for c in apart.data}) == 1


def test_long_names_are_broken_into_lines():
    fig = plots.bars([1, 2], ["a long name of something", "b"], guides={"no dictionary at all": 1.5})
    assert fig.layout.xaxis.ticktext == ("a long name of<br>something", "b")
    assert [note.text for note in fig.layout.annotations] == ["no<br>dictionary<br>at all"]
    assert fig.layout.margin.r < 100


def test_a_logarithmic_axis_ranges_over_the_positive_values():
    fig = plots.line([1, 10, 100], {"a": [0, 0.01, 1]}, log_x=True, log_y=True)
    assert fig.layout.yaxis.range == pytest.approx((-2.1, 0.1)) and fig.layout.yaxis.type == "log"
    assert fig.layout.xaxis.tickvals == (1, 2, 5, 10, 20, 50, 100)


def test_scatter_has_equal_units_and_one_colour_scale():
    fig = plots.scatter({"a": W.T, "b": 2 * W.T}, colour={"a": [1, 2, 3, 4], "b": [-1, 0, 0, 0]}, colour_title="score")
    np.testing.assert_array_equal(np.stack([fig.data[1].x, fig.data[1].y]), 2 * W)
    assert fig.layout.yaxis.scaleanchor == "x" and fig.layout.yaxis2.scaleanchor == "x2"
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (-4, 4)


@pytest.mark.parametrize(
    "angles, cyclic, ends",
    [([1, 6], True, (0, 2 * math.pi)), ([-1, 1], True, (-math.pi, math.pi)), ([0, 6], 7, (0, 7))],
)
def test_cyclic_colours_span_one_period(angles, cyclic, ends):
    axis = plots.scatter(torch.rand(2, 2), colour=angles, cyclic=cyclic).layout.coloraxis
    assert (axis.cmin, axis.cmax) == pytest.approx(ends)


@pytest.mark.parametrize("stacked, top", [(False, 5), (True, 7)])
def test_bars_keep_values_and_stand_in_range(stacked, top):
    fig = plots.bars({"a": [1, 2], "b": [-3, 5]}, ["x", "y"], stacked=stacked)
    np.testing.assert_array_equal([bar.y for bar in fig.data], [[1, 2], [-3, 5]])
    assert fig.layout.yaxis.range[0] < -3 and fig.layout.yaxis.range[1] > top
    assert fig.layout.xaxis.ticktext == ("x", "y")
    assert plots.bars([1, 2], ["x", "y"]).layout.yaxis.range[0] == 0


def test_a_stack_is_as_high_as_its_weights_and_hatches_the_negative_ones():
    fig = plots.stacks(W.T)  # 4 neurons, 2 features
    np.testing.assert_array_equal([block.y for block in fig.data], W.abs())
    assert fig.data[0].marker.pattern.shape == ("", "", "/", "")
    assert fig.data[1].marker.color == _style.colour(1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_tensors_of_any_type_are_taken(dtype):
    np.testing.assert_array_equal(plots.heat_map(torch.eye(2, dtype=dtype)).data[0].z, np.eye(2))


def test_lists_of_tensors_that_require_gradients_are_taken():
    losses = [torch.tensor(float(i), requires_grad=True) for i in range(3)]
    fig = plots.line(range(3), {"loss": losses}, guides={"bound": losses[1]})
    assert list(fig.data[0].y) == [0, 1, 2]


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: plots.arrows(torch.ones(5)), r"W must have shape \[2, feats\] or \[inst, 2, feats\], got \[5\]"),
        (lambda: plots.arrows(torch.ones(3, 5)), r"W must have 2 hidden dimensions .* got shape \[3, 5\]"),
        (lambda: plots.arrows(W, steps=[0]), r"W must have shape \[frames, 2, feats\] or .* got \[2, 4\]"),
        (lambda: plots.arrows(FRAMES, steps=[0]), r"steps must have length 3, one for each of the frames, got 1"),
        (
            lambda: plots.arrows(W, titles=["a", "b"]),
            r"titles must have length 1, one for each of the instances, got 2",
        ),
        (
            lambda: plots.heat_map(torch.ones(3)),
            r"M must have shape \[rows, cols\] or \[panels, rows, cols\], got \[3\]",
        ),
        (lambda: plots.heat_map([[1, 2], [3]]), r"M must be numbers of shape \[rows, cols\] or .* got list"),
        (lambda: plots.heat_map(torch.ones(0, 3)), r"M must have shape .* and hold something, got \[0, 3\]"),
        (lambda: plots.heat_map(W, x_labels=["a"]), r"x_labels must have length 4, one for each of the columns, got 1"),
        (
            lambda: plots.dimensionality_strip(W, ["a"]),
            r"groups must have length 2, one for each of the rows of D, got 1",
        ),
        (lambda: plots.phase_map(PHASES, P, P, ["a"]), r"importance must have length 2, .* got 3"),
        (lambda: plots.phase_map(PHASES, IMPORTANCE, P, ["a"]), r"phase must hold whole numbers from 0 to 0, got \["),
        (lambda: plots.phase_map(PHASES, [0, 1], P, "abc"), r"importance must be positive and increasing, got \[0"),
        (lambda: plots.line([1, 2], {"a": [1]}), r"a must have length 2, one for each of the values of x, got 1"),
        (lambda: plots.line([1, 2], [1, 2]), r"ys must be curves by name, .* got list"),
        (
            lambda: plots.line([1], {"a": [1]}, bands={"b": ([0], [2])}),
            r"bands must be named as curves, .* got \['b'\]",
        ),
        (lambda: plots.line([1], {"a": [0]}, log_y=True), r"y needs at least one positive value, got none"),
        (lambda: plots.line([1], {"a": [1]}, guides={"g": 0}, log_y=True), r"guides must be positive .* got 0 for 'g'"),
        (lambda: plots.scatter(torch.ones(4, 3)), r"xy must have shape \[points, 2\], got \[4, 3\]"),
        (lambda: plots.scatter(W.T, colour=[1]), r"colour must have length 4, one for each of the points, got 1"),
        (lambda: plots.scatter(W.T, colour=[0, 1, 2, 9], cyclic=True), r"cyclic colours must lie within one period"),
        (lambda: plots.bars([1, 2], ["a"]), r"values must have length 1, one for each of the labels, got 2"),
        (lambda: plots.stacks([1, 2]), r"W must have shape \[neurons, feats\], got \[2\]"),
    ],
)
def test_a_wrong_call_says_what_was_expected_and_what_came(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_importing_the_pictures_imports_neither_plotly_nor_numpy():
    code = "import sys, saelab.plots; print(sorted({'plotly', 'numpy', 'torch'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# curves that grow


def _numbers(sent) -> np.ndarray:
    """Numbers as a browser gets them: packed by plotly 6 and later, a list from plotly 5, which Colab has."""
    return np.array(sent) if isinstance(sent, list) else np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"])


def test_live_curves_are_drawn_again_in_the_same_place_and_only_in_a_notebook(monkeypatch):
    """What IPython really publishes: a picture that takes the place of the last one."""
    import plotly.io as pio
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    from saelab.plots import _live
    from saelab.sae import History

    monkeypatch.setattr(pio.renderers, "default", "plotly_mimetype")
    history, shell = History(), InteractiveShell.instance()
    shell.display_pub = CapturingDisplayPublisher()
    try:
        for notebook, expected in ((False, []), (True, [4])):
            draw = plots.live(["fvu"], every=2)
            monkeypatch.setattr(_live, "_in_a_notebook", lambda notebook=notebook: notebook)
            history.steps.clear()
            history.curves.clear()
            for step in range(5):
                history.record(step, fvu=1 / (step + 1), l0=8.0)
                draw(history)
            shown = shell.display_pub.outputs
            traces = [output["data"]["application/vnd.plotly.v1+json"]["data"][0] for output in shown]
            curves = [_numbers(trace["y"]) for trace in traces]
            assert [len(curve) for curve in curves] == expected
    finally:
        InteractiveShell.clear_instance()
    assert curves[-1][-1] == 0.25


def test_a_picture_follows_its_column_and_does_not_offer_to_upload_itself(monkeypatch):
    """The button would send what a student measured to a server: the notebook's renderers are told not to show it."""
    import plotly.io as pio

    from saelab.plots import _style

    monkeypatch.setattr(pio.renderers, "default", "plotly_mimetype")
    _style._quiet_buttons.cache_clear()
    shown = plots.line([0, 1], {"loss": [2, 1]})._repr_mimebundle_(None, None)
    config = shown["application/vnd.plotly.v1+json"]["config"]
    assert config["showSendToCloud"] is False and config["responsive"] is True
