"""Curves over one variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _style as style

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go


def line(
    x: Any,
    ys: dict[str, Any],
    title: str = "How y changes with x",
    x_title: str = "x",
    y_title: str = "y",
    bands: dict[str, tuple[Any, Any]] | None = None,
    guides: dict[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
) -> go.Figure:
    """Curves `ys` {"name": [points]} over the common `x` [points], in the units that the axis titles tell.

    `bands` {"name": (low, high)}, [points] each, are areas in the colour of the curve of that name; `guides`
    {"label": y} horizontal lines. A curve that would hide another is drawn dashed, and the other one wide beneath it.
    Raises ValueError if shapes don't fit, or a band has no curve.
    """
    import numpy as np
    import plotly.graph_objects as go

    if not isinstance(ys, dict):
        raise ValueError(f"ys must be curves by name, {{name: [points]}}, got {type(ys).__name__}.")
    x, guides = style.array(x, "x", "points"), style.levels(guides)
    curves = {name: style.array(y, f"ys[{name!r}]", "points") for name, y in ys.items()}
    areas = {
        name: tuple(style.array(edge, f"bands[{name!r}]", "points") for edge in band)
        for name, band in (bands or {}).items()
    }
    for name, area in areas.items():
        style.same_length(f"bands[{name!r}]", len(area), "edges low and high", 2)
    for name, y in [*curves.items(), *((name, edge) for name, area in areas.items() for edge in area)]:
        style.same_length(name, len(y), "values of x", len(x))
    if strangers := areas.keys() - curves.keys():
        raise ValueError(f"bands must be named as curves, one of {list(curves)}, got {sorted(strangers)}.")

    heights: list[Any] = [
        *curves.values(),
        *(edge for area in areas.values() for edge in area),
        guides.values(),
    ]
    fig, _ = style.canvas(
        title,
        style.axis_over(x_title, x, log=log_x, pad=0.02),
        style.axis_over(y_title, *heights, log=log_y),
        right=style.guide_room(guides),
        legend=list(curves) if len(curves) > 1 else [],
    )
    style.draw_guides(fig, guides)
    colours = {name: style.colour(i) for i, name in enumerate(curves)}
    for name, (low, high) in areas.items():
        area = go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=style.see_through(colours[name], 0.25),
            line={"width": 0},
            mode="lines",
            legendgroup=name,
            showlegend=False,
            hoverinfo="skip",
        )
        fig.add_trace(area)
    above = _stacked(list(curves.values()), fig.layout.yaxis)
    for i, (name, y) in enumerate(curves.items()):
        # a curve's width, and its dashes: as many curves lie over it, or under it, or repeat its colour
        dash = style.DASHES[(i // len(style.PALETTE) + sum(i in over for over in above)) % len(style.DASHES)]
        curve = go.Scatter(
            x=x,
            y=y,
            name=name,
            legendgroup=name,
            mode="lines+markers" if markers else "lines",
            line={"color": colours[name], "width": 2.5 + 3.5 * len(above[i]), "dash": dash},
        )
        fig.add_trace(curve)
    return fig


def _stacked(curves: list[np.ndarray], axis: go.layout.YAxis) -> list[set[int]]:
    """For each curve the later ones that run along it: within 1 % of the axis at more than a third of the points."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        heights = [np.log10(y) if axis.type == "log" else y for y in curves]
        near = 0.01 * abs(axis.range[1] - axis.range[0])
        return [
            {j for j in range(i + 1, len(heights)) if np.mean(np.abs(heights[i] - heights[j]) < near) > 1 / 3}
            for i in range(len(heights))
        ]
