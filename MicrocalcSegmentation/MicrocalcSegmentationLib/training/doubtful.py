"""Dots of real tissue that may be calcifications which nobody annotated."""

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

# Sigmas in pixels of 0.05 mm: a dot of 0.2 mm, a larger one, and a speck of dust.
_DOT_PX, _LARGER_PX, _SPECK_PX = 2.0, 3.0, 1.2
# Curvature of a normalised image along the flatter direction, times sigma squared. At this
# height about one dot in 7 cm2 of digital tissue is taken, and one in 20 cm2 of film; most
# look like calcifications. Chosen by looking at them.
_CURVED_FROM = 1.0
_AROUND_PX = 6


def doubtful_dots(normalised: np.ndarray, film: bool) -> np.ndarray:
    """(rows, cols) bool: round bright dots and what is 0.3 mm around them.

    normalised: of tissue at 0.05 mm before anything was inserted. A line is flat along
    itself and no dot. On film, dots as sharp as dust are left out: dust is to be learnt.
    """
    dots = _least_curvature(normalised, _DOT_PX)
    found = dots > _CURVED_FROM
    if film:
        found &= _least_curvature(normalised, _LARGER_PX) > _least_curvature(normalised, _SPECK_PX)
    return binary_dilation(found, iterations=_AROUND_PX) if found.any() else found


def _least_curvature(values: np.ndarray, sigma: float) -> np.ndarray:
    """How much a surface bends down in the direction in which it bends least."""
    down, across = (-gaussian_filter(values, sigma, order) for order in ((2, 0), (0, 2)))
    twist = gaussian_filter(values, sigma, order=(1, 1))
    return sigma**2 * ((down + across) / 2 - np.hypot((down - across) / 2, twist))
