# Generated from chapters/interpretation/01_transformer.py by `saelab build`: edit that file, not this one.
"""A transformer in ten minutes: the exercises of this section, solved."""

import torch

from saelab import lab, plots, predict, scores, viewers
