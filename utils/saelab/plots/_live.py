"""Curves that grow while something is being trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._curves import line


def live(names: Sequence[str] = ("fvu", "dead"), title: str = "Training", every: int = 4) -> Callable[[Any], None]:
    """What `saelab.sae.train(…, watch=plots.live())` calls: it draws the curves `names` anew, in the same place.

    `every` draws at each so many calls. Outside a notebook it draws nothing. The curves come as an object with `steps`
    [points] and `curves` {"name": [points]}, which `saelab.sae.History` is.
    """
    shown: list[Any] = []
    calls = 0

    def draw(history: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % every or not _in_a_notebook():
            return
        from IPython.display import display

        ys = {name: history.curves[name] for name in names}
        figure = line(history.steps, ys, title=title, x_title="step", y_title=" · ".join(names))
        if shown:
            shown[0].update(figure)
        else:
            shown.append(display(figure, display_id=True))

    return draw


def _in_a_notebook() -> bool:
    """Is there a kernel that can change what it has shown?"""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")
