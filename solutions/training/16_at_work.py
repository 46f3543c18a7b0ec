# Generated from chapters/training/16_at_work.py by `saelab build`: edit that file, not this one.
"""As you would at work: the exercises of this section, solved."""

import torch

from saelab import plots, predict, sae
from saelab.labs import lab
