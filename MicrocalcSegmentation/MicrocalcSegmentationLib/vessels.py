"""Bright bands in the image, such as an artery with calcium in its walls shows as."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, label
from scipy.spatial.distance import pdist

from .resampling import resize, resize_mask, working_shape

STEP_MM = 0.2  # single plaques run together at this spacing
SIGMAS_MM = (0.4, 0.7, 1.1)  # of bands 1 to 3 mm wide
AROUND_MM = 15.0  # what a band is compared with
RISING, STANDING = 1.5, 2.8  # height over the typical one: of all of a band, of its highest
SHORTEST_MM = 10.0
TAKEN_OUT_MM, FILLED_MM = 0.15, 0.5  # around a calcification; width of what fills its place


@dataclass(frozen=True)
class Bands:
    """places_mm: (n, 2) points on their middle lines, from the image's first row and column.

    heights: (n,) how far a band stands out there, over the median of all that stands out.
    """

    places_mm: np.ndarray
    heights: np.ndarray


def bands_around(
    positions_mm: np.ndarray,
    pixels: np.ndarray,
    labels: np.ndarray,
    breast: np.ndarray,
    spacing_mm: tuple[float, float],
) -> Bands:
    """The long bright bands of the breast near the (n, 2) positions.

    The calcifications of the labels are taken out first: a line of bright MCs is no band.
    Ridges by the Hessian's eigenvalues (Sato et al., Medical Image Analysis 1998), thinned
    to their middle lines.
    """
    # Together they take 0.7 s to import, and most mammograms show no vessel.
    from skimage.filters import apply_hysteresis_threshold, sato
    from skimage.morphology import skeletonize

    window = _window(positions_mm, pixels.shape, spacing_mm)
    shape = working_shape(pixels[window].shape, spacing_mm, STEP_MM)
    inside = resize_mask(breast[window], shape)
    grey = resize(_without(labels[window] > 0, pixels[window], spacing_mm), shape)
    sigmas = [sigma / STEP_MM for sigma in SIGMAS_MM]
    height = np.where(inside, sato(grey, sigmas, black_ridges=False, mode="reflect"), 0)
    if not (height > 0).any():
        return Bands(np.zeros((0, 2)), np.zeros(0))
    height /= np.median(height[height > 0])
    lines = skeletonize(apply_hysteresis_threshold(height, RISING, STANDING))
    numbers, count = label(lines, np.ones((3, 3)))
    long = [number for number in range(1, count + 1) if _reach_mm(numbers == number) >= SHORTEST_MM]
    places = np.argwhere(np.isin(numbers, long))
    own = (places + 0.5) * pixels[window].shape / shape - 0.5 + [side.start for side in window]
    return Bands(own * spacing_mm, height[tuple(places.T)])


def _without(mask: np.ndarray, pixels: np.ndarray, spacing_mm) -> np.ndarray:
    """The image with the mean of what is around in place of the mask."""
    if not mask.any():
        return pixels
    out = distance_transform_edt(~mask, sampling=spacing_mm) <= TAKEN_OUT_MM
    weight = (~out).astype(np.float32)
    sigmas = [FILLED_MM / mm for mm in spacing_mm]
    around, share = (gaussian_filter(values, sigmas) for values in (pixels * weight, weight))
    return np.where(out, around / np.maximum(share, 1e-3), pixels)


def _window(positions_mm: np.ndarray, shape, spacing_mm) -> tuple[slice, slice]:
    low, high = positions_mm.min(axis=0) - AROUND_MM, positions_mm.max(axis=0) + AROUND_MM
    return tuple(
        slice(max(0, int(first / mm)), min(size, int(last / mm) + 1))
        for first, last, size, mm in zip(low, high, shape, spacing_mm, strict=True)
    )


def _reach_mm(line: np.ndarray) -> float:
    """The distance between the ends of a thin line, which may bend."""
    places = np.argwhere(line)
    return float(pdist(places).max()) * STEP_MM if len(places) > 1 else 0.0
