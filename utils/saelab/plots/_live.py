"""Curves that grow while something is being trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._curves import line


def live(names: Sequence[str] = ("fvu", "dead"), title: str = "Training", every: int = 1) -> Callable[[Any], None]:
    """What `saelab.sae.train(…, progress=False, watch=plots.live())` calls: it draws the curves `names` in one place.

    It draws at each `every`-th call, a tenth of a second each time, in place of all that the cell has shown; outside a
    notebook nothing. The curves come as an object with `steps` [points] and `curves` {"name": [points]}, which
    `saelab.sae.History` is.
    """
    calls = 0

    def draw(history: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % every or len(history.steps) < 2 or not _in_a_notebook():
            return
        from IPython.display import clear_output, display

        ys = {name: history.curves[name] for name in names}
        figure = line(history.steps, ys, title=title, x_title="step", y_title=" · ".join(names))
        clear_output(wait=True)  # JupyterLab's Plotly doesn't draw anew what `update_display` changes
        display(figure)

    return draw


def _in_a_notebook() -> bool:
    """Is there a kernel that can change what it has shown?"""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")
