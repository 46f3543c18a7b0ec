"""Matrices as colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _style as style

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

_COLOUR_BAR = 76  # pixels
_ACROSS = 250  # pixels that a narrow column leaves for the cells
_BOUNDARY = "closed form"
_APART = (0, 4, 3, 6, 2, 1)  # colours of phases: red never stands against green
_WRITTEN = 8  # up to so many rows and columns, the values stand in the cells


def heat_map(
    M: Any,
    title: str = "A matrix, entry by entry",
    x: str = "column",
    y: str = "row",
    unit: str = "value",
    titles: Sequence[Any] | None = None,
    x_labels: Sequence[Any] | None = None,
    y_labels: Sequence[Any] | None = None,
) -> go.Figure:
    """A matrix [rows, cols], or several [panels, rows, cols] in one colour range, row 0 at the top.

    Colours diverge about 0 when a value is negative; values stand in the cells up to 8 × 8. `x` and `y` are the
    axis titles, `unit` that of the colour bar; `titles` one a panel, `x_labels` one a column, `y_labels` one a row.
    Raises ValueError if shapes or lengths don't fit.
    """
    import numpy as np
    import plotly.graph_objects as go

    M = style.array(M, "M", "rows cols", "panels rows cols")
    panels = M[None] if M.ndim == 2 else M
    n_panels, n_rows, n_cols = panels.shape
    if titles is None:
        titles = [f"panel {i}" for i in range(n_panels)] if n_panels > 1 else [""]
    style.same_length("titles", len(titles), "panels", n_panels)
    if x_labels is not None:
        style.same_length("x_labels", len(x_labels), "columns", n_cols)
    if y_labels is not None:
        style.same_length("y_labels", len(y_labels), "rows", n_rows)

    x_axis = style.numbered(x, n_cols if x_labels is None else x_labels)
    y_axis = style.numbered(y, n_rows if y_labels is None else y_labels)
    written, square = max(n_rows, n_cols) <= _WRITTEN, n_rows == n_cols
    columns = 2 if n_panels > 1 and n_cols <= (5 if written else 9) else 1
    width = _ACROSS / columns / n_cols  # pixels across, where there is least room
    tall = min(460, max(150, n_rows * (min(44, max(width, 30)) if written or square else 10)))
    fig, cells = style.canvas(
        title,
        {**x_axis, "constrain": "domain"},
        {**y_axis, "constrain": "domain", "constraintoward": "top", "range": y_axis["range"][::-1]},
        titles=[style.label(name) for name in titles],
        tall=tall,
        columns=columns,
        right=_COLOUR_BAR,
    )
    values = "%{z:.0f}" if np.all(M.round() == M) else "%{z:.2f}"
    for panel, cell in zip(panels, cells, strict=True):
        trace = go.Heatmap(
            z=panel,
            coloraxis="coloraxis",
            texttemplate=values if written else None,
            textfont={"color": "black", "size": max(9, min(13, int(width / 2.6)))},
            hovertemplate=f"{y} %{{y}}, {x} %{{x}}: %{{z:.3f}}<extra></extra>",
        )
        fig.add_trace(trace, **cell)
    if square:
        for axis in fig.select_yaxes():
            axis.update(scaleanchor=axis.anchor)
    return fig.update_layout(coloraxis=style.colour_axis(M, unit))


def phase_map(
    phase: Any,
    importance: Any,
    p: Any,
    names: Sequence[str],
    title: str = "Which of its phases the model is in",
    boundary: tuple[Any, Any] | None = None,
) -> go.Figure:
    """A map of phases [importance, p], whole numbers that index `names`, over two logarithmic axes.

    `importance` [importance] (relative, no unit) and `p` [p] (probability that a feature is on) are the increasing,
    positive values of the axes. `boundary` is a line to draw above, (importance values, p values), for example a
    closed form. Raises ValueError if shapes or lengths don't fit, or a phase has no name.
    """
    import numpy as np

    phase = style.array(phase, "phase", "importance p")
    importance, p = style.array(importance, "importance", "importance"), style.array(p, "p", "p")
    style.same_length("importance", len(importance), "rows of phase", phase.shape[0])
    style.same_length("p", len(p), "columns of phase", phase.shape[1])
    if not np.isin(phase, range(len(names))).all():
        raise ValueError(f"phase must hold whole numbers from 0 to {len(names) - 1}, got {np.unique(phase).tolist()}.")

    x_edges, y_edges = _edges(p, "p"), _edges(importance, "importance")
    fig, _ = style.canvas(
        title,
        style.axis_over("p, probability that a feature is on", x_edges, log=True, pad=0),
        style.axis_over("relative importance", y_edges, log=True, pad=0),
        tall=380,
        legend=[*names, *([] if boundary is None else [_BOUNDARY])],
    )
    colours = [style.colour(i) for i in _APART]
    steps = [(i + side) / len(names) for i in range(len(names)) for side in (0, 1)]
    fig.add_heatmap(
        x=x_edges,
        y=y_edges,
        z=phase,
        zmin=-0.5,
        zmax=len(names) - 0.5,
        colorscale=[[step, colours[i // 2 % len(colours)]] for i, step in enumerate(steps)],
        showscale=False,
        text=[[names[int(k)] for k in row] for row in phase],
        hovertemplate="p %{x:.3g}, importance %{y:.3g}: %{text}<extra></extra>",
    )
    for i, name in enumerate(names):
        key = {"symbol": "square", "size": 12, "color": colours[i % len(colours)]}
        fig.add_scatter(x=[None], y=[None], mode="markers", marker=key, name=name)
    if boundary is not None:
        line_y, line_x = (style.array(values, "boundary", "points") for values in boundary)
        style.same_length("boundary's p values", len(line_x), "importance values", len(line_y))
        place = {"x": line_x, "y": line_y, "hoverinfo": "skip"}
        beads = {"color": "white", "size": 7, "line": {"color": "black", "width": 1.5}, "maxdisplayed": 9}
        white = {"color": "white", "width": 2.5}  # with a black edge it stands out on any colour
        fig.add_scatter(**place, mode="lines", line={"color": "black", "width": 5}, showlegend=False)
        fig.add_scatter(**place, mode="lines+markers", name=_BOUNDARY, line=white, marker=beads)
    return fig


def _edges(centres: np.ndarray, name: str) -> np.ndarray:
    """The edges [n + 1] of cells around increasing, positive centres [n], halfway on a logarithmic axis."""
    import numpy as np

    if np.any(centres <= 0) or np.any(np.diff(centres) <= 0):
        raise ValueError(f"{name} must be positive and increasing, got {centres.tolist()}.")
    logs = np.log10(centres)
    half = np.diff(logs) / 2 if len(logs) > 1 else np.array([0.5])
    return 10 ** np.concatenate([[logs[0] - half[0]], logs[:-1] + half[: len(logs) - 1], [logs[-1] + half[-1]]])
