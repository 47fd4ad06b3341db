"""The breast as both networks see it, whether they learn from it or are asked about it."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .bands import at_once
from .mammogram import Mammogram
from .morphology import bounding_box
from .normalisation import normalise
from .progress import Progress, Silent
from .resampling import resize, resize_mask, working_shape


@dataclass(frozen=True)
class WorkingBreast:
    """The breast's bounding box on the 0.05 mm grid, and the way back.

    box: slices of the image's own grid. own_shape: that box's shape in own pixels.
    values: (rows, cols) float32, normalised; inside: bool, breast; deviation: float32, local
    deviation in grey values.
    """

    box: tuple[slice, slice]
    own_shape: tuple[int, int]
    values: np.ndarray
    inside: np.ndarray
    deviation: np.ndarray

    def own_mm(self, places_px: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
        """(n, 2) places of this grid in mm from the image's own first row and column."""
        own = (places_px + 0.5) * self.own_shape / self.values.shape - 0.5
        return (own + [side.start for side in self.box]) * spacing_mm


def working_breast(
    mammogram: Mammogram, breast: np.ndarray, progress: Progress | None = None
) -> WorkingBreast:
    """Cut out, resample and normalise the breast.

    breast: (rows, cols) bool, with at least one pixel, as `breast_region` gives it.
    """
    progress = progress or Silent()
    progress.report(0.0, "bringing the image to 0.05 mm")
    box = bounding_box(breast)
    own = mammogram.pixels[box]
    shape = working_shape(own.shape, mammogram.spacing_mm)
    inside, pixels = at_once(partial(resize_mask, breast[box], shape), partial(resize, own, shape))
    progress.report(0.5, "normalising")
    spacing_mm = tuple(
        spacing * size / new
        for spacing, size, new in zip(mammogram.spacing_mm, own.shape, shape, strict=True)
    )
    normalised = normalise(pixels, inside, spacing_mm)
    return WorkingBreast(box, own.shape, normalised.values, inside, normalised.deviation)
