"""Features as arrows in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _style as style

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

_HEAD = 12  # pixels
_FEW = 12  # features, up to which each arrow is named
_APART = 0.2  # of the axis: numbers that are nearer would overprint in a narrow column; hovering tells them
_SHORT = 0.15  # of the axis: the heads of shorter arrows shrink, and the shortest have no number


def arrows(
    W: Any,
    titles: Sequence[Any] | None = None,
    title: str = "Each feature is an arrow in the hidden plane",
    steps: Sequence[int] | None = None,
) -> go.Figure:
    """Features (columns of W) as arrows from the origin, with their numbers, and the unit circle.

    `W` is [2, feats], or [inst, 2, feats] for one panel an instance, with one of `titles` each. With `steps`
    (training steps, one a frame) it is [frames, 2, feats] or [frames, inst, 2, feats], and the figure is an
    animation with a slider and a play button. Lengths are in units of the weights; a colour is a feature in all
    panels and frames. Raises ValueError if shapes or lengths don't fit.
    """
    import numpy as np
    import plotly.graph_objects as go

    axes = ["2 feats", "inst 2 feats"]
    W = style.array(W, "W", *(axes if steps is None else [f"frames {shape}" for shape in axes]))
    if W.shape[-2] != 2:
        raise ValueError(f"W must have 2 hidden dimensions on its last axis but one, got shape {list(W.shape)}.")
    frames = W[None] if steps is None else W
    frames = frames[:, None] if frames.ndim == 3 else frames  # frames inst 2 feats
    _, n_inst, _, n_feats = frames.shape
    if steps is not None:
        style.same_length("steps", len(steps), "frames", len(frames))
    if titles is None:
        titles = [f"instance {i}" for i in range(n_inst)] if n_inst > 1 else [""]
    style.same_length("titles", len(titles), "instances", n_inst)

    reach = 1.2 * max(1.0, float(np.nanmax(np.linalg.norm(frames, axis=2))))
    axis = {"range": [-reach, reach], "nticks": 5, "constrain": "domain", "showgrid": False}
    upward = {"constraintoward": "top"}  # a panel that is lower than its place stays at its title
    fig, cells = style.canvas(
        title,
        {**axis, "title": "hidden dimension 0"},
        {**axis, **upward, "title": "hidden dimension 1"},
        titles=[style.label(name) for name in titles],
        tall=340 if n_inst == 1 else 200,
        columns=2,
        below=0 if steps is None else 120,
    )
    for panel, cell in zip(frames[0], cells, strict=True):
        *tips, numbers = _places(panel, reach)
        names = _together(numbers, panel, reach) if steps is None and n_feats <= _FEW else map(str, range(n_feats))
        traces = [*map(_arrow, range(n_feats), tips), _numbers(list(names), numbers)]
        fig.add_traces(traces, rows=cell["row"], cols=cell["col"])
        fig.add_shape(
            type="circle", x0=-1, x1=1, y0=-1, y1=1, line={"color": style.FAINT, "width": 1}, layer="below", **cell
        )
    for y_axis in fig.select_yaxes():
        y_axis.update(scaleanchor=y_axis.anchor)
    if steps is not None:
        fig.frames = [
            go.Frame(
                name=str(int(step)),
                data=[place for panel in W_t for place in _places(panel, reach)],
                traces=list(range(len(fig.data))),
            )
            for step, W_t in zip(steps, frames, strict=True)
        ]
        _controls(fig)
    return fig


def _places(W: np.ndarray, reach: float) -> list[dict[str, Any]]:
    """All that changes in a panel, for W [2, feats]: an entry for each arrow, then one for the numbers."""
    import numpy as np

    W = np.nan_to_num(W)
    lengths = np.linalg.norm(W, axis=0)
    share = np.minimum(1, lengths / (_SHORT * reach))
    tips, heads = W.round(4).T.tolist(), (_HEAD * share).round(1).tolist()
    beyond = W * (1 + 0.09 * reach / np.maximum(lengths, 1e-9))
    # A number without an arrow, or upon another, waits outside: plotly brings no text back that a frame empties.
    shown = _free(beyond, np.where(share > 0.25, lengths, 0), _APART * reach)
    x, y = np.where(shown, beyond, 2 * reach).round(3).tolist()
    numbers = {"x": x, "y": y}
    arrows = [
        {"x": [0, x], "y": [0, y], "marker": {"size": [0, head]}} for (x, y), head in zip(tips, heads, strict=True)
    ]
    return [*arrows, numbers]


def _free(places: np.ndarray, lengths: np.ndarray, apart: float) -> np.ndarray:
    """Which numbers at `places` [2, feats] are `apart` from all shown before [feats]; longer arrows come first."""
    import numpy as np

    shown = np.zeros(len(lengths), dtype=bool)
    for j in np.argsort(-lengths, kind="stable"):
        gaps = np.linalg.norm(places[:, shown] - places[:, [j]], axis=0)
        shown[j] = lengths[j] > 0 and bool((gaps >= apart).all())
    return shown


def _arrow(feature: int, place: dict[str, Any]) -> go.Scatter:
    import plotly.graph_objects as go

    colour = style.colour(feature)
    trace = go.Scatter(
        **place,
        mode="lines+markers",
        line={"color": colour, "width": 2.5},
        hovertemplate=f"feature {feature}: (%{{x:.2f}}, %{{y:.2f}})<extra></extra>",
        cliponaxis=False,
    )
    head = {"color": colour, "symbol": "arrow", "angleref": "previous", "opacity": 1, "line": {"width": 0}}
    return trace.update(marker=head)


def _together(numbers: dict[str, Any], W: np.ndarray, reach: float) -> list[str]:
    """The text of each feature's number; arrows whose number has no room are named at the number in its way."""
    import numpy as np

    places = np.array([numbers["x"], numbers["y"]])
    shown = np.abs(places).max(axis=0) < 1.9 * reach
    lengths = np.linalg.norm(W, axis=0)
    ends = W * (1 + 0.09 * reach / np.maximum(lengths, 1e-9))
    names = {j: [j] for j in range(len(shown))}
    for j in np.flatnonzero(~shown & (lengths > 0.25 * _SHORT * reach)):
        gaps = np.linalg.norm(places - ends[:, [j]], axis=0)
        names[int(np.where(shown, gaps, np.inf).argmin())].append(int(j))
    return [", ".join(map(str, sorted(group))) for group in names.values()]


def _numbers(names: list[str], places: dict[str, Any]) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        **places,
        mode="text",
        text=names,
        textfont={"color": [style.colour(j) for j in range(len(names))], "size": 13, "weight": "bold"},
        hoverinfo="skip",
    )


def _controls(fig: go.Figure) -> None:
    """A play button, a pause button, and a slider that shows the training step of the frame."""
    at_once: dict[str, Any] = {"mode": "immediate", "transition": {"duration": 0}}
    play = {**at_once, "frame": {"duration": 150, "redraw": False}, "fromcurrent": True}
    jump = {**at_once, "frame": {"duration": 0, "redraw": False}}
    margin = fig.layout.margin
    y = -style.BOTTOM / (fig.layout.height - margin.t - margin.b)
    buttons = [
        {"label": "▶ play", "method": "animate", "args": [None, play]},
        {"label": "❚❚ pause", "method": "animate", "args": [[None], jump]},
    ]
    fig.update_layout(
        updatemenus=[
            {
                "type": "buttons",
                "buttons": buttons,
                "showactive": False,
                "x": 0,
                "xanchor": "left",
                "y": y,
                "yanchor": "top",
                "direction": "right",
                "bgcolor": style.CLEAR,
                "bordercolor": style.INK,
                "font": style.FONT,
            }
        ],
        sliders=[
            {
                "steps": [
                    {"label": frame.name, "method": "animate", "args": [[frame.name], jump]} for frame in fig.frames
                ],
                "transition": {"duration": 0},
                "currentvalue": {"prefix": "training step "},
                "x": 0,
                "len": 1,
                "y": y,
                "yanchor": "top",
                "pad": {"t": 44},
                "bgcolor": style.FAINT,
                "bordercolor": style.INK,
                "tickcolor": style.INK,
                "activebgcolor": style.INK,
                "font": style.FONT,
            }
        ],
    )
