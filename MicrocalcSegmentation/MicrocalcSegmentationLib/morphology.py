"""Shapes in masks: connected parts, discs taken off or added, the rectangle around.

step_mm is (row, col), between neighbouring pixels.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt, label


def bounding_box(mask: np.ndarray, margin: Sequence[int] = (0, 0)) -> tuple[slice, slice]:
    """The rectangle around a mask that is not empty, and so many (rows, cols) more."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return tuple(
        slice(max(0, int(places[0]) - by), int(places[-1]) + by + 1)
        for places, by in zip((rows, cols), margin, strict=True)
    )


def largest(mask: np.ndarray) -> np.ndarray:
    """The connected part of most pixels; the mask itself where it is empty."""
    parts, count = label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts == sizes.argmax()


def connected_with(core: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The part of a mask that is connected with the core, which lies in it."""
    parts, _ = label(mask)
    return parts == parts[core][0]


def touching_border(mask: np.ndarray) -> np.ndarray:
    """The connected parts that reach the image's edge."""
    parts, _ = label(mask)
    rim = _rim(parts)
    return np.isin(parts, rim[rim > 0])


def _rim(parts: np.ndarray) -> np.ndarray:
    return np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])


def without_small_holes(
    mask: np.ndarray, most_mm2: float, step_mm: tuple[float, float]
) -> np.ndarray:
    """Fills what fat leaves open, not the air that a film's borders and a scratch enclose."""
    parts, _ = label(~mask)
    small = np.bincount(parts.ravel()) * step_mm[0] * step_mm[1] <= most_mm2
    # No hole: the mask itself, and what is open to the image's edge.
    small[0] = False
    small[_rim(parts)] = False
    return mask | small[parts]


def eroded(mask: np.ndarray, radius_mm: float, step_mm: tuple[float, float]) -> np.ndarray:
    """By a disc of a few pixels, in runs of its rows; the image's edge is no edge of the mask."""
    rows, cols = (np.arange(int(radius_mm / step) + 1) * step for step in step_mm)
    disc = np.sqrt(rows[:, None] ** 2 + cols**2) <= radius_mm
    runs = [mask]  # eroded by 0, 1, 2, ... pixels to either side
    for by in range(1, len(cols)):
        run = runs[-1].copy()
        run[:, by:] &= mask[:, :-by]
        run[:, :-by] &= mask[:, by:]
        runs.append(run)
    left = np.ones(mask.shape, bool)
    for down, width in enumerate(disc.sum(axis=1)):
        if width:
            run, both = runs[width - 1], max(len(mask) - down, 0)
            left[down:] &= run[:both]
            left[:both] &= run[down:]
    return left


def opened(mask: np.ndarray, radius_mm: float, step_mm: tuple[float, float]) -> np.ndarray:
    """By a disc, the image's surroundings counted as background."""
    kept = np.zeros(mask.shape, bool)
    if not mask.any():
        return kept
    box = bounding_box(mask)
    inner = distance_transform_edt(np.pad(mask[box], 1), sampling=step_mm)[1:-1, 1:-1] > radius_mm
    if inner.any():
        kept[box] = distance_transform_edt(~inner, sampling=step_mm) <= radius_mm
    return kept


def near(mask: np.ndarray, most_mm: np.ndarray, step_mm: tuple[float, float]) -> np.ndarray:
    """What lies at most so far from a mask that is not empty; most_mm: for each pixel."""
    box = bounding_box(mask, [int(most_mm.max() / step) + 1 for step in step_mm])
    close = np.zeros(mask.shape, bool)
    close[box] = distance_transform_edt(~mask[box], sampling=step_mm) <= most_mm[box]
    return close
