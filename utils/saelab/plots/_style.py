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

# No grey has 4.5:1 on white and on #111, and a picture doesn't know its page: so each is a white card with dark ink.
CARD = "#ffffff"
INK = "#4a4a4a"
FAINT = "rgba(74,74,74,0.35)"
CLEAR = "rgba(0,0,0,0)"
# In the manner of Okabe and Ito, but each with 4.5:1 on the card, as numbers are written in these colours (found by
# search; the tests say how far apart any two are for colour-blind eyes).
PALETTE = ("#245CD6", "#9E042B", "#088466", "#9D4894", "#9E6400", "#3575CB", "#664861")
DASHES = ("solid", "dash", "dot", "dashdot")
# From both ends of these, black has 4.5:1: values are written into the cells.
DIVERGING = ("#5b8fd0", "#a9c8ea", "#f7f7f7", "#f3b79a", "#d9694a")
SEQUENTIAL = ("#f7f7f7", "#cfe0b8", "#8fc0a0", "#5fa3a8", "#5b8fd0")
CYCLIC = "Phase"

# Pixels. A figure is as wide as its column, 390 (a telephone) or more than 1,000; text is laid out for the narrowest.
NARROW, LEFT, BOTTOM, LINE = 390, 60, 56, 18
FONT = {"family": "Helvetica, Arial, sans-serif", "size": 13, "color": INK}


def lines(text: str, width: int) -> str:
    """Text in lines of at most `width` letters, for plotly, which breaks none by itself."""
    return "<br>".join(textwrap.wrap(text, width, break_long_words=False)) or text


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
    scale: str | tuple[str, ...] = SEQUENTIAL
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
    name = {"text": f"{lines(title, 10)}<br>&nbsp;", "side": "top", "font": FONT}
    bar = {"title": name, "thickness": 12, "outlinewidth": 0, "xpad": 4, "nticks": 5}
    return {"colorscale": scale if isinstance(scale, str) else list(scale), "cmin": low, "cmax": high, "colorbar": bar}


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
    if len(names) <= 4:  # more of them are written upwards, each in a line of its own
        names = [lines(name, 14) for name in names]
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
    tall: float = 300,
    columns: int = 1,
    right: float = 20,
    below: float = 0,
    legend: Sequence[str] = (),
) -> tuple[go.Figure, list[dict[str, int]]]:
    """An empty figure in the course's theme, as wide as its column, and the row and column of each of its panels.

    There is one panel for each of `titles`, `tall` px high, in rows of at most `columns`, and all must be legible in a
    column of 390 px. `x` and `y` are the settings of all axes (title, range …); only the outer panels write titles
    and numbers. `right` and `below` keep px free for labels and sliders; `legend` lists its entries, so that they get
    room below.
    """
    from plotly.subplots import make_subplots

    _quiet_buttons()
    columns = min(columns, len(titles))
    rows = math.ceil(len(titles) / columns)
    names = [lines(name, 42 // columns) for name in titles]
    gap = 24 + LINE * max(name.count("<br>") + 1 for name in names) * any(titles)
    down = rows * tall + gap * (rows - 1)
    fig = make_subplots(
        rows=rows, cols=columns, subplot_titles=names, horizontal_spacing=0.06, vertical_spacing=gap / down
    )
    fig.update_annotations(font=FONT)
    cells = [{"row": i // columns + 1, "col": i % columns + 1} for i in range(len(titles))]
    x_title, y_title = lines(x["title"], 40 if columns == 1 else 20), lines(y["title"], max(12, int(down / 8)))
    for i, cell in enumerate(cells):
        bottom, left = i + columns >= len(cells), cell["col"] == 1
        fig.update_xaxes({**x, "title": x_title if bottom else None, "showticklabels": bottom}, **cell)
        fig.update_yaxes({**y, "title": y_title if left else None, "showticklabels": left}, **cell)
    for spare in range(len(cells), rows * columns):
        cell = {"row": rows, "col": spare % columns + 1}
        fig.update_xaxes(visible=False, **cell)
        fig.update_yaxes(visible=False, **cell)

    heading = lines(title, 44)
    across = max(1, int((NARROW - 24) / (50 + 6.6 * max((len(name) for name in legend), default=0))))
    entries = 8 + 28 * math.ceil(len(legend) / across) if legend else 0
    top = 22 + 20 * (heading.count("<br>") + 1) + LINE * any(titles) * (names[0].count("<br>") + 1)
    bottom_room = BOTTOM + LINE * x_title.count("<br>") + below + entries
    height = top + down + bottom_room
    fig.update_layout(
        template=_theme(),
        autosize=True,
        title={
            "text": heading,
            "x": 0,
            "xref": "container",
            "pad": {"l": 14},
            "y": 1 - (12 + 10 * heading.count("<br>")) / height,
        },
        height=round(height),
        margin={"l": LEFT + LINE * y_title.count("<br>"), "r": right, "t": top, "b": bottom_room},
        showlegend=bool(legend),
        legend={"y": (below + 4) / height},
    )
    return fig, cells


@functools.cache
def _quiet_buttons() -> None:
    """Plotly's settings: as wide as the page; no logo, and no button that uploads the picture with its data."""
    import plotly.io as pio

    for name in filter(None, pio.renderers.default.split("+")):
        config = getattr(pio.renderers[name], "config", None)
        if isinstance(config, dict):
            config |= {"responsive": True, "displaylogo": False, "showSendToCloud": False}


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
            "title": {"font": {**FONT, "size": 15}, "xanchor": "left", "yanchor": "top", "yref": "container"},
            "paper_bgcolor": CARD,
            "plot_bgcolor": CARD,
            "colorway": PALETTE,
            "xaxis": {**axis, "autotickangles": [0, -45, -90]},
            "yaxis": axis,
            "legend": {
                "orientation": "h",
                "xref": "container",
                "x": 0.02,
                "yref": "container",
                "yanchor": "bottom",
                "bgcolor": CLEAR,
            },
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
    longest = max((len(part) for name in guides for part in _guide_label(name).split("<br>")), default=0)
    return 20 + 7 * longest


def _guide_label(name: str) -> str:
    return lines(name, 10)


def draw_guides(fig: go.Figure, guides: dict[str, float]) -> None:
    """Horizontal dashed lines, each labelled at its right end; labels that would touch are pushed apart."""
    axis = fig.layout.yaxis
    pixels = fig.layout.height - fig.layout.margin.t - fig.layout.margin.b
    free = -math.inf  # above the labels so far
    for name, value in guides.items():
        if axis.type == "log" and value <= 0:
            raise ValueError(f"guides must be positive on a logarithmic axis, got {value:g} for {name!r}.")
        place = math.log10(value) if axis.type == "log" else value
        height = (place - axis.range[0]) / (axis.range[1] - axis.range[0]) * pixels
        text = _guide_label(name)
        half = LINE * (text.count("<br>") + 1) / 2
        middle = max(height, free + half)
        free = middle + half
        dashes = {"color": INK, "width": 1.5, "dash": "dash"}
        fig.add_shape(type="line", x0=0, x1=1, xref="x domain", y0=value, y1=value, line=dashes)
        fig.add_annotation(
            text=text,
            align="left",
            x=1,
            xref="x domain",
            xanchor="left",
            y=place,
            yref="y",
            yanchor="middle",
            xshift=3,
            yshift=middle - height,
            showarrow=False,
        )
