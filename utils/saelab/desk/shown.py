"""What a notebook's cell shows: at once, wherever in the cell it was asked for, and once."""

import os
import sys
from typing import TypeVar

Thing = TypeVar("Thing")


class Note:
    """A sentence, or a hint with a title, shown as text or as Markdown with equations."""

    passed = False

    def __init__(self, text: str, title: str = ""):
        self.text, self.title = text, title

    def __str__(self) -> str:
        return f"{self.title}\n\n{self.text}" if self.title else self.text

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"**{self.title}**\n\n{self.text}" if self.title else self.text


def at_once(thing: Thing) -> Thing:
    """Show a report or a note now, also in a loop or in the middle of a cell, and not again as that cell's result.

    In a script it is printed. Python's own prompt shows it as a result; so do builds and tests, where SAELAB_PLAIN is
    set.
    """
    if os.environ.get("SAELAB_PLAIN"):
        return thing
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        if not hasattr(sys, "ps1"):
            print(thing)
        return thing
    from IPython.display import display

    display(thing)
    cell = shell.execution_count

    def as_result() -> None:
        """IPython asks for this when the thing is a cell's result: in a later cell it is shown as usual."""
        if shell.execution_count != cell:
            del thing._ipython_display_  # type: ignore[attr-defined]
            display(thing)

    thing._ipython_display_ = as_result  # type: ignore[attr-defined]
    return thing
