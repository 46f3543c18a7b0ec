"""Dots: fractions of a dimension in strips, and points in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _style as style

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go


def dimensionality_strip(
    D: Any,
    groups: Sequence[Any],
    title: str = "How much of a hidden dimension each feature gets",
    guides: dict[str, float] | None = None,
    x_title: str = "model",
) -> go.Figure:
    """One dot a feature, one strip a group: D is [group, feats], or a list of [feats], one for each of `groups`.

    `guides` are labelled horizontal lines, such as {"1/2": 0.5}. Dots are spread sideways by a fixed pattern, so
    that equal values can be told apart. Raises ValueError if shapes or lengths don't fit.
    """
    import numpy as np
    import plotly.graph_objects as go

    guides = style.levels(guides)
    strips = [style.array(strip, "each group of D", "feats") for strip in D]
    style.same_length("groups", len(groups), "rows of D", len(strips))
    fig, _ = style.canvas(
        title,
        style.numbered(x_title, groups),
        style.axis_over("dimensionality D (fraction of a dimension)", [0, 1], *strips, guides.values()),
        right=style.guide_room(guides),
    )
    style.draw_guides(fig, guides)
    for i, (strip, group) in enumerate(zip(strips, groups, strict=True)):
        feature = np.arange(len(strip))
        jitter = 0.5 * ((feature + 0.5) * 0.618034 % 1 - 0.5)  # multiples of the golden ratio fill evenly
        trace = go.Scatter(
            x=i + jitter,
            y=strip,
            customdata=feature,
            mode="markers",
            marker={"color": style.PALETTE[0], "size": 8, "opacity": 0.9},
            hovertemplate=f"{style.label(group)}, feature %{{customdata}}: %{{y:.3f}}<extra></extra>",
        )
        fig.add_trace(trace)
    return fig


def scatter(
    xy: Any,
    title: str = "Points in a plane",
    x_title: str = "first coordinate",
    y_title: str = "second coordinate",
    colour: Any = None,
    colour_title: str = "",
    cyclic: bool | float = False,
    equal_aspect: bool = True,
) -> go.Figure:
    """Points [points, 2], or several panels {"title": [points, 2]} in one range, a unit being as long on both axes.

    `colour` is numbers [points] (or {"title": [points]}), on one scale for all panels, about 0 when signed; `cyclic`
    says that they come round, after 2π (True) or after the period given. Raises ValueError if shapes don't fit.
    """
    import numpy as np
    import plotly.graph_objects as go

    panels = _panels(xy, "xy", "points 2")
    for name, points in panels.items():
        if points.shape[1] != 2:
            raise ValueError(f"xy must have shape [points, 2], got {list(points.shape)} for panel {name!r}.")
    colours = {} if colour is None else _panels(colour, "colour", "points")
    if colours and colours.keys() != panels.keys():
        raise ValueError(f"colour must have the panels of xy, {list(panels)}, got {list(colours)}.")

    x_axis, y_axis = (
        style.axis_over(name, *(points[:, k] for points in panels.values()))
        for k, name in enumerate([x_title, y_title])
    )
    fig, cells = style.canvas(
        title,
        x_axis,
        y_axis,
        titles=list(panels),
        tall=360 if len(panels) == 1 else 200,
        columns=2,
        right=76 if colours else 20,
    )
    for (name, points), cell in zip(panels.items(), cells, strict=True):
        marker: dict[str, Any] = {"size": 7, "opacity": 0.9, "color": style.PALETTE[0]}
        if colours:
            style.same_length("colour", len(colours[name]), "points", len(points))
            marker |= {"color": colours[name], "coloraxis": "coloraxis", "line": {"color": style.INK, "width": 1}}
        hover = "(%{x:.3f}, %{y:.3f})" + (f", {colour_title} %{{marker.color:.3f}}" if colours else "")
        trace = go.Scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", marker=marker, hovertemplate=hover + "<extra></extra>"
        )
        fig.add_trace(trace, **cell)
    if equal_aspect:
        fig.update_xaxes(constrain="domain")
        for axis in fig.select_yaxes():
            axis.update(scaleanchor=axis.anchor, constrain="domain", constraintoward="top")
    if colours:
        fig.update_layout(coloraxis=style.colour_axis(np.concatenate(list(colours.values())), colour_title, cyclic))
    return fig


def _panels(values: Any, name: str, shape: str) -> dict[str, np.ndarray]:
    """One array a panel, by its title ("" when there is only one)."""
    several = values if isinstance(values, dict) else {"": values}
    return {style.label(title): style.array(panel, name, shape) for title, panel in several.items()}
