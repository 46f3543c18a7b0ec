"""The pocket world: text whose every token carries the factors that produced it."""

from saelab.world.factors import Factor
from saelab.world.text import Text, Truth
from saelab.world.world import World

__all__ = ["Factor", "Text", "Truth", "World"]
