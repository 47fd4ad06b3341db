"""The shape of one calcification, and what kind of coarse one it is."""

import numpy as np
from scipy.ndimage import binary_fill_holes
from scipy.spatial import ConvexHull

from .findings import COARSE, MICROCALCIFICATION, POPCORN, RIM, ROD, ROUND
from .morphology import bounding_box

COARSE_FROM_MM = 1.0  # diameter of the filled shape; MCs are 0.1 to 1 mm
POPCORN_FROM_MM = 2.0  # BI-RADS: popcorn is larger than 2 to 3 mm
ROD_RATIO = 3.0  # of length to width, from here on; our own choice, as all below
ROUND_RATIO = 1.5  # up to here
HOLLOW_SHARE = 0.2  # of the filled area: a rim
LOBED_SOLIDITY = 0.92  # of the filled area to its convex outline: popcorn is less


def axes(
    rows_mm: np.ndarray, cols_mm: np.ndarray, spacing_mm: tuple[float, float]
) -> tuple[float, float, float]:
    """Length and width in mm of the ellipse with the pixels' second moments, and its direction.

    The direction is the longer axis's, in degrees in [0, 180), from growing columns to
    growing rows.
    """
    # A pixel is a square, not a point: without its own moment a single one has no width.
    own = np.diag(np.square(spacing_mm)) / 12
    places_mm = np.stack([rows_mm, cols_mm])
    places_mm -= places_mm.mean(axis=1, keepdims=True)
    moments = places_mm @ places_mm.T * (1 / len(rows_mm)) + own
    values, vectors = np.linalg.eigh(moments)
    width_mm, length_mm = 4 * np.sqrt(values)
    row, col = vectors[:, 1]
    return float(length_mm), float(width_mm), float(np.degrees(np.arctan2(row, col)) % 180)


def kind_of(mask: np.ndarray, length_to_width: float, spacing_mm: tuple[float, float]) -> str:
    """One of `findings.KINDS` but "vascular", which a single calcification cannot tell.

    mask: (rows, cols) bool of one calcification.
    """
    mask = mask[bounding_box(mask)]
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    corners_mm = [side * mm for side, mm in zip(mask.shape, spacing_mm, strict=True)]
    if corners_mm[0] * corners_mm[1] <= np.pi / 4 * COARSE_FROM_MM**2:
        return MICROCALCIFICATION
    filled = binary_fill_holes(mask)
    area_mm2 = np.count_nonzero(filled) * pixel_mm2
    diameter_mm = 2 * np.sqrt(area_mm2 / np.pi)
    if diameter_mm <= COARSE_FROM_MM:
        return MICROCALCIFICATION
    if 1 - np.count_nonzero(mask) * pixel_mm2 / area_mm2 >= HOLLOW_SHARE:
        return RIM
    if length_to_width >= ROD_RATIO:
        return ROD
    if diameter_mm > POPCORN_FROM_MM and area_mm2 / _convex_mm2(filled, spacing_mm) < (
        LOBED_SOLIDITY
    ):
        return POPCORN
    return ROUND if length_to_width <= ROUND_RATIO else COARSE


def _convex_mm2(mask: np.ndarray, spacing_mm) -> float:
    places = np.argwhere(mask)
    corners = [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)]
    outline = np.concatenate([places + corner for corner in corners]) * spacing_mm
    return float(ConvexHull(outline).volume)
