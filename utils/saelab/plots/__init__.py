"""Pictures of the course: every function takes tensors, arrays or lists and returns a plotly Figure.

One theme for all of them (see `_style`): a white card, readable on light and dark pages, as wide as its column,
from 390 px on. Importing this package imports neither plotly nor numpy; the first picture does.
"""

from ._arrows import arrows
from ._bars import bars, stacks
from ._curves import line
from ._dots import dimensionality_strip, scatter
from ._live import live
from ._maps import heat_map, phase_map

__all__ = ["arrows", "bars", "dimensionality_strip", "heat_map", "line", "live", "phase_map", "scatter", "stacks"]
