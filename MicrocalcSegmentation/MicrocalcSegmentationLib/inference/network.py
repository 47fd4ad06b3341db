"""What the method asks of a network, whatever runs it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..networks import Architecture

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
    bytes_per_pixel: what `shared` holds at once for each pixel it is given, about.
    """

    architecture: Architecture
    patches: Predict
    shared: Predict | None = None
    step: int = 1
    bytes_per_pixel: int = 1
