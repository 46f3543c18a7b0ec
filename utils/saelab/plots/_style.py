"""What all pictures share: colours, theme, canvas, axis ranges, guide lines, and arrays from whatever was given."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

# The grey that reads equally well on white and on #111 (4.3:1 on each; no grey reaches 4.4:1 on both).
INK = "#797979"
FAINT = "rgba(121,121,121,0.45)"
CLEAR = "rgba(0,0,0,0)"
# In the manner of Okabe and Ito, but each with 3.4:1 on white and on #111 (found by search; the tests say how far
# apart any two are for colour-blind eyes).
PALETTE = ("#2767CD", "#CD1C3A", "#019E6D", "#BF70AB", "#C67800", "#578AD7", "#806372")
DASHES = ("solid", "dash", "dot", "dashdot")
DIVERGING, SEQUENTIAL, CYCLIC = "RdBu_r", "Viridis", "Phase"

WIDEST, LEFT, BOTTOM, COLUMN_GAP, ROW_GAP, MOST_COLUMNS = 780, 72, 60, 26, 44, 5  # pixels, but for the last
FONT = {"family": "Helvetica, Arial, sans-serif", "size": 13, "color": INK}


def array(values: Any, name: str, *shapes: str) -> np.ndarray:
    """Numbers as a float array (tensors are detached), whose number of axes is that of one of `shapes`.

    `shapes` are axes in words, such as "rows cols"; the ValueError tells them and what came.
    """
    import numpy as np

    try:
        result = np.asarray(_plain(values), dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers of shape {_either(shapes)}, got {type(values).__name__}.") from None
    if result.ndim not in [len(shape.split()) for shape in shapes]:
        raise ValueError(f"{name} must have shape {_either(shapes)}, got {list(result.shape)}.")
    if result.size == 0:
        raise ValueError(f"{name} must have shape {_either(shapes)} and hold something, got {list(result.shape)}.")
    return result


def _plain(values: Any) -> Any:
    if hasattr(values, "detach"):
        return values.detach().cpu().double().numpy()
    return [_plain(value) for value in values] if isinstance(values, list | tuple) else values


def _either(shapes: Sequence[str]) -> str:
    return " or ".join("[" + ", ".join(shape.split()) + "]" for shape in shapes)


def label(value: Any) -> str:
    """A label as text; numbers (also those in tensors) with few digits."""
    value = value.item() if hasattr(value, "item") else value
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def levels(guides: dict[str, Any] | None) -> dict[str, float]:
    """Guide lines by label, lowest first, as plain numbers."""
    plain = {label(name): float(_plain(value)) for name, value in (guides or {}).items()}
    return dict(sorted(plain.items(), key=lambda guide: guide[1]))


def same_length(name: str, got: int, what: str, expected: int) -> None:
    """Raise ValueError unless there are as many of `name` as there are of `what`."""
    if got != expected:
        raise ValueError(f"{name} must have length {expected}, one for each of the {what}, got {got}.")


def colour(index: int) -> str:
    """The colour of feature or series number `index`; it repeats after the palette's end."""
    return PALETTE[index % len(PALETTE)]


def see_through(hexadecimal: str, opacity: float) -> str:
    """A colour "#rrggbb" with an opacity between 0 and 1."""
    red, green, blue = (int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def colour_axis(values: np.ndarray, title: str, cyclic: bool | float = False) -> dict[str, Any]:
    """A colour axis over `values`: symmetric about 0 when signed; a whole period (True: 2π) when cyclic."""
    import numpy as np

    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    scale = SEQUENTIAL
    if cyclic:
        period = 2 * math.pi if cyclic is True else float(cyclic)
        if high - low > period:
            raise ValueError(f"cyclic colours must lie within one period of {period:.4g}, got {low:.4g} to {high:.4g}.")
        scale, low = CYCLIC, -period / 2 if low < 0 else 0.0
        high = low + period
    elif low < -1e-6 * high or high <= 0 > low:  # rounding errors below 0 make no signed matrix
        scale, high = DIVERGING, max(-low, high)
        low = -high
    elif low == high:
        low, high = 0.0, high or 1.0
    name = {"text": "<br>".join([*textwrap.wrap(title, 12), "&nbsp;"]), "side": "top", "font": FONT}
    bar = {"title": name, "thickness": 14, "outlinewidth": 0}
    return {"colorscale": scale, "cmin": low, "cmax": high, "colorbar": bar}


def axis_over(
    title: str, *values: Iterable[float], log: bool = False, from_zero: bool = False, pad: float = 0.05
) -> dict[str, Any]:
    """An axis that shows all finite values (if log, the positive ones), with a margin unless it is `from_zero`.

    A logarithmic axis has its range in powers of ten, and numbers at 1, 2, 5 where there is room for them.
    """
    import numpy as np

    everything = np.concatenate([[0.0] if from_zero else [], *(np.ravel(list(v)) for v in values)])
    shown = everything[np.isfinite(everything) & ((everything > 0) if log else True)]
    if shown.size == 0:
        raise ValueError(f"{title} needs at least one {'positive' if log else 'finite'} value, got none.")
    low, high = (math.log10(end) if log else float(end) for end in (shown.min(), shown.max()))
    margin = pad * ((high - low) or abs(low) or 1.0)
    low, high = low - margin * (not from_zero or low < 0), high + margin
    axis: dict[str, Any] = {"title": title, "range": [low, high], "type": "log" if log else "linear"}
    decades = range(math.floor(low), math.ceil(high) + 1)
    for digits in [(1, 2, 5), (1,)] if log else []:
        ticks = [d * 10.0**k for k in decades for d in digits if low - 1e-9 <= math.log10(d) + k <= high + 1e-9]
        if 2 <= len(ticks) <= 8:
            return axis | {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    return axis


def numbered(title: str, labels: Iterable[Any] | int) -> dict[str, Any]:
    """An axis over positions 0, 1, 2 …, told by its labels (or how many there are) at each position."""
    names = [label(name) for name in (range(labels) if isinstance(labels, int) else labels)]
    axis: dict[str, Any] = {"title": title, "range": [-0.5, len(names) - 0.5], "showgrid": False}
    if not isinstance(labels, int) or labels <= 16:
        axis |= {"tickvals": list(range(len(names))), "ticktext": names}
    return axis


def canvas(
    title: str,
    x: dict[str, Any],
    y: dict[str, Any],
    *,
    titles: Sequence[str] = ("",),
    side: float = WIDEST,
    aspect: float = 0.45,
    narrowest: float = 120,
    right: float = 24,
    below: float = 0,
    legend: Sequence[str] = (),
) -> tuple[go.Figure, list[dict[str, int]]]:
    """An empty figure in the course's theme, and the row and column of each of its panels.

    There is one panel for each of `titles`; they wrap. `x` and `y` are the settings of all axes (title, range …);
    only the outer panels write titles and numbers. A panel is up to `side` px wide, `aspect` times as high;
    `right` and `below` keep px free for labels and sliders; `legend` lists its entries, so that they get room.
    """
    from plotly.subplots import make_subplots

    _quiet_buttons()
    room = WIDEST - LEFT - right
    rows = math.ceil(len(titles) / max(1, min(MOST_COLUMNS, int((room + COLUMN_GAP) / (narrowest + COLUMN_GAP)))))
    columns = math.ceil(len(titles) / rows)
    side = min(side, (room - COLUMN_GAP * (columns - 1)) / columns)
    across = columns * side + COLUMN_GAP * (columns - 1)
    down = rows * side * aspect + ROW_GAP * (rows - 1)
    fig = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=list(titles),
        horizontal_spacing=COLUMN_GAP / across,
        vertical_spacing=ROW_GAP / down,
    )
    fig.update_annotations(font=FONT)
    cells = [{"row": i // columns + 1, "col": i % columns + 1} for i in range(len(titles))]
    for i, cell in enumerate(cells):
        bottom, left = i + columns >= len(cells), cell["col"] == 1
        fig.update_xaxes({**x, "title": x["title"] if bottom else None, "showticklabels": bottom}, **cell)
        fig.update_yaxes({**y, "title": y["title"] if left else None, "showticklabels": left}, **cell)
    for spare in range(len(cells), rows * columns):
        cell = {"row": rows, "col": spare % columns + 1}
        fig.update_xaxes(visible=False, **cell)
        fig.update_yaxes(visible=False, **cell)

    width = max(420, LEFT + across + right)
    lines = textwrap.wrap(title, int(width / 8.2)) or [""]
    longest = max((len(name) for name in legend), default=0)
    legend_rows = math.ceil(len(legend) / max(1, int(across / (7 * longest + 60))))
    top = 30 + 21 * len(lines) + 22 * legend_rows + 24 * any(titles)
    height = top + down + BOTTOM + below
    fig.update_layout(
        template=_theme(),
        title={"text": "<br>".join(lines), "x": 16 / width, "y": 1 - 14 / height},
        width=round(width),
        height=round(height),
        margin={"l": LEFT, "r": width - LEFT - across, "t": top, "b": BOTTOM + below},
        showlegend=bool(legend),
    )
    return fig, cells


@functools.cache
def _quiet_buttons() -> None:
    """Plotly's buttons: no logo, and none that uploads the picture with its data."""
    import plotly.io as pio

    for name in filter(None, pio.renderers.default.split("+")):
        config = getattr(pio.renderers[name], "config", None)
        if isinstance(config, dict):
            config |= {"displaylogo": False, "showSendToCloud": False}


def _theme() -> go.layout.Template:
    import plotly.graph_objects as go

    axis = {
        "color": INK,
        "gridcolor": INK,
        "griddash": "1px,5px",
        "linecolor": INK,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": INK,
        "zeroline": False,
        "title": {"standoff": 8, "font": {"size": 14}},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": FONT,
            "title": {"font": {**FONT, "size": 16}, "xanchor": "left", "yanchor": "top", "yref": "container"},
            "paper_bgcolor": CLEAR,
            "plot_bgcolor": CLEAR,
            "colorway": PALETTE,
            "xaxis": {**axis, "autotickangles": [0, -45, -90]},
            "yaxis": axis,
            "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "bgcolor": CLEAR},
            "modebar": {
                "bgcolor": CLEAR,
                "color": FAINT,
                "activecolor": INK,
                "remove": ["select", "lasso", "zoomin", "zoomout"],
            },
            "hovermode": "closest",
        }
    )


def guide_room(guides: dict[str, float]) -> float:
    """Pixels to keep free on the right for the labels of guide lines."""
    return 24 + 7.5 * max((len(name) for name in guides), default=0)


def draw_guides(fig: go.Figure, guides: dict[str, float]) -> None:
    """Horizontal dashed lines, each labelled at its right end; labels that would touch are pushed apart."""
    axis = fig.layout.yaxis
    pixels = fig.layout.height - fig.layout.margin.t - fig.layout.margin.b
    lowest = -math.inf
    for name, value in guides.items():
        if axis.type == "log" and value <= 0:
            raise ValueError(f"guides must be positive on a logarithmic axis, got {value:g} for {name!r}.")
        place = math.log10(value) if axis.type == "log" else value
        height = (place - axis.range[0]) / (axis.range[1] - axis.range[0]) * pixels
        lowest = max(height, lowest + 14)
        dashes = {"color": INK, "width": 1.5, "dash": "dash"}
        fig.add_shape(type="line", x0=0, x1=1, xref="x domain", y0=value, y1=value, line=dashes)
        fig.add_annotation(
            text=name,
            x=1,
            xref="x domain",
            xanchor="left",
            y=place,
            yref="y",
            yanchor="middle",
            yshift=lowest - height,
            showarrow=False,
        )
