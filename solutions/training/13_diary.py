# Generated from chapters/training/13_diary.py by `saelab build`: edit that file, not this one.
"""A contented diary: the exercises of this section, solved."""

import io

import torch
from torch import Tensor
from torch.nn import functional as F

from saelab import check, hint, lab, predict


def tally() -> dict[str, list[int]]:
    """The lines of the diary that hold a mistake: day → their numbers, in any order.

    The days are "Monday", "Tuesday", "Wednesday" and "Thursday"; the numbers stand in the comments of their cells.
    """
    # BEGIN SOLUTION
    return {"Monday": [1, 2, 3, 4, 7], "Tuesday": [2, 3, 5, 7], "Wednesday": [2, 3, 4], "Thursday": [2, 3]}
    # END SOLUTION
