"""Torch's switches stand as on a fresh start while an answer is checked, whatever the notebook around it has set.

A right answer passes under `torch.set_grad_enabled(False)`, with float64 as default or on another default device, and
what one answer sets doesn't reach the next one.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Switch:
    """One of torch's global settings: how it is read and set, what it is at first, and how to do without it."""

    name: str
    get: Callable[[], Any]
    set: Callable[[Any], Any]
    at_first: Any
    instead: str


def _device() -> str:
    return str(torch.get_default_device())


def _set_device(device: str) -> None:
    torch.set_default_device(None if device == "cpu" else device)  # None is quicker: torch then looks at no call


SWITCHES = (
    Switch("gradient mode", torch.is_grad_enabled, torch.set_grad_enabled, True, "use `with torch.no_grad():`"),
    Switch("default dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32, "give tensors a `dtype=`"),
    Switch("default device", _device, _set_device, "cpu", "give tensors a `device=`"),
    Switch(
        "choice of deterministic algorithms",
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
        False,
        "leave that to who calls",
    ),
)
AT_FIRST = tuple(switch.at_first for switch in SWITCHES)


def now() -> tuple:
    """How the switches stand."""
    return tuple(switch.get() for switch in SWITCHES)


def settle(wanted: tuple = AT_FIRST) -> list[str]:
    """Set the switches so; a sentence about each that stood otherwise."""
    told = []
    for switch, value in zip(SWITCHES, wanted):
        if switch.get() != value:
            switch.set(value)
            told.append(f"It changed torch's {switch.name} for everything that runs after it: {switch.instead}.")
    return told


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """A block with the switches as at first; afterwards they, and all global random numbers, are as they were."""
    before, python, numpy = now(), random.getstate(), np.random.get_state()
    inference = torch.inference_mode(False) if torch.is_inference_mode_enabled() else contextlib.nullcontext()
    with torch.random.fork_rng(devices=[]), inference:
        settle()
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            settle(before)
