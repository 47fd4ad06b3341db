"""Calcifications drawn into any image, real or simulated, against its own texture."""

from dataclasses import dataclass

import numpy as np

from ..normalisation import local_statistics
from .calcifications import Placed, draw

LABEL_FROM = 1.8  # deviations; a weaker MC is drawn, but no reader could mark it


@dataclass(frozen=True)
class Inserted:
    """pixels: (rows, cols) float32 with the calcifications in.

    mask: bool, pixels of those that can be seen. faint: bool, pixels of those too weak
    to be counted: neither MC nor background.
    """

    pixels: np.ndarray
    mask: np.ndarray
    faint: np.ndarray


def insert(
    pixels: np.ndarray, inside: np.ndarray, spacing_mm: float, calcifications: list[Placed], rng
) -> Inserted:
    """Draw calcifications whose centres lie inside; strength in local deviations.

    pixels: (rows, cols) float32, brighter is denser. inside: bool, where the breast is.
    """
    _, deviation = local_statistics(pixels, inside, (spacing_mm, spacing_mm))
    out = pixels.astype(np.float32, copy=True)
    mask = np.zeros(pixels.shape, bool)
    faint = np.zeros(pixels.shape, bool)
    blur_px = rng.uniform(0.45, 0.85)
    for placed in calcifications:
        row, col = round(placed.row), round(placed.col)
        if not _within(row, col, inside):
            continue
        template = draw(placed, spacing_mm, blur_px, rng)
        window, part = _overlap(row, col, template.mask.shape[0], pixels.shape)
        out[window] += placed.strength * deviation[row, col] * template.thickness[part]
        target = mask if placed.strength >= LABEL_FROM else faint
        target[window] |= template.mask[part]
    return Inserted(out, mask, faint & ~mask)


def _within(row: int, col: int, inside: np.ndarray) -> bool:
    return 0 <= row < inside.shape[0] and 0 <= col < inside.shape[1] and bool(inside[row, col])


def _overlap(row: int, col: int, n: int, shape: tuple[int, int]):
    """Slices of the image and of an (n, n) template centred on (row, col)."""
    window, part = [], []
    for centre, size in zip((row, col), shape, strict=True):
        first = centre - n // 2
        start, stop = max(first, 0), min(first + n, size)
        window.append(slice(start, stop))
        part.append(slice(start - first, stop - first))
    return tuple(window), tuple(part)
