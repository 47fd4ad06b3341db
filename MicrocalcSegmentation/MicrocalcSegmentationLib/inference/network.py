"""What the method asks of a network, whatever runs it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..networks import Architecture
from ..settings import GPU_TILE_MIB, TILE_MIB

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Network:
    """A network, ready to run on the device that was chosen.

    patches: (B, S, S) float32 squares -> (B,) probability of the positive class; S is the
        architecture's `input_side`.
    shared: (rows, cols) float32 pixels -> (r, c) probabilities, the work of neighbouring
        patches shared; None with padding "same". Answer (i, j) is for the square that starts
        at (step i, step j).
    step: pixels between neighbouring answers of `shared`.
    pixels_at_once: how many `shared` can be given within its memory budget.
    lanes: how many calls of `shared` may run at the same time; each then keeps to one core.
    runs_on: engine, device and why these, for people to read.
    """

    architecture: Architecture
    patches: Predict
    shared: Predict | None = None
    step: int = 1
    pixels_at_once: int = 2**20
    lanes: int = 1
    runs_on: str = ""


def pixels_within_budget(architecture: Architecture, step: int, device: str) -> int:
    """How many pixels of a tile fit the memory budget of "cpu" or "gpu"."""
    budget = (TILE_MIB if device == "cpu" else GPU_TILE_MIB) * 2**20
    return budget // architecture.bytes_per_pixel(step)
