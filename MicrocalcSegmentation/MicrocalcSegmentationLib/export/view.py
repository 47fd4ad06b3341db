"""A rectangle of the mammogram drawn at some size: grey levels, places, scale."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

Window = tuple[float, float]  # the pixel values shown black and white


@dataclass(frozen=True)
class View:
    """Pixels [row_start, row_stop) x [col_start, col_stop) shown at width x height.

    spacing_mm: (row, col) of the mammogram's pixels, in the breast.
    """

    row_start: int
    row_stop: int
    col_start: int
    col_stop: int
    width: int
    height: int
    spacing_mm: tuple[float, float]

    @property
    def window_rc(self) -> tuple[slice, slice]:
        """Index of the shown pixels."""
        return slice(self.row_start, self.row_stop), slice(self.col_start, self.col_stop)

    @property
    def dots_per_mm(self) -> float:
        """Scale of the drawing, the same both ways but for rounding."""
        return self.width / ((self.col_stop - self.col_start) * self.spacing_mm[1])

    def xy(self, rows_cols: np.ndarray) -> np.ndarray:
        """(..., 2) x and y in the drawing of (row, col) in the mammogram."""
        rows_cols = np.asarray(rows_cols, dtype=float)
        # Positions count from pixel centres; edges of the drawing are edges of pixels.
        rows = (rows_cols[..., 0] + 0.5 - self.row_start) / (self.row_stop - self.row_start)
        cols = (rows_cols[..., 1] + 0.5 - self.col_start) / (self.col_stop - self.col_start)
        return np.stack([cols * self.width - 0.5, rows * self.height - 0.5], axis=-1)

    def draw_grey(self, pixels: np.ndarray, window: Window) -> Image.Image:
        """The mammogram's pixels as an RGB image of width x height."""
        black, white = window
        shown = pixels[self.window_rc] - np.float32(black)
        shown *= np.float32(255.0 / (white - black))
        grey = np.clip(shown, 0, 255, out=shown).astype(np.uint8)
        size = (self.width, self.height)
        return Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")

    def sample_nearest(self, labels: np.ndarray) -> np.ndarray:
        """(height, width) labels of the nearest mammogram pixels."""
        shown = labels[self.window_rc]
        rows = (np.arange(self.height) + 0.5) * shown.shape[0] / self.height
        cols = (np.arange(self.width) + 0.5) * shown.shape[1] / self.width
        return shown[np.ix_(rows.astype(int), cols.astype(int))]


def fit_view(
    box: tuple[int, int, int, int], spacing_mm: tuple[float, float], size: tuple[int, int]
) -> View:
    """The largest drawing of box (row_start, row_stop, col_start, col_stop) within size."""
    row_start, row_stop, col_start, col_stop = box
    height_mm = (row_stop - row_start) * spacing_mm[0]
    width_mm = (col_stop - col_start) * spacing_mm[1]
    scale = min(size[0] / width_mm, size[1] / height_mm)
    width = max(1, round(width_mm * scale))
    height = max(1, round(height_mm * scale))
    return View(row_start, row_stop, col_start, col_stop, width, height, spacing_mm)


def bounding_box(
    inside: np.ndarray, margin_mm: float, spacing_mm: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Box around the True pixels plus a margin, within the image; the image when none is."""
    rows = np.flatnonzero(inside.any(axis=1))
    cols = np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        return 0, inside.shape[0], 0, inside.shape[1]
    row_margin, col_margin = (round(margin_mm / mm) for mm in spacing_mm)
    return (
        max(0, rows[0] - row_margin),
        min(inside.shape[0], rows[-1] + 1 + row_margin),
        max(0, cols[0] - col_margin),
        min(inside.shape[1], cols[-1] + 1 + col_margin),
    )


def square_box(
    center_rc: tuple[float, float],
    side_mm: float,
    spacing_mm: tuple[float, float],
    shape: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Box of side_mm both ways, moved rather than cut at the border of the image."""
    spans = []
    for center, mm, length in zip(center_rc, spacing_mm, shape, strict=True):
        side = min(length, max(1, round(side_mm / mm)))
        start = min(max(0, round(center - side / 2)), length - side)
        spans += [start, start + side]
    return tuple(spans)


def grey_window(values: np.ndarray, low_percent: float, high_percent: float) -> Window:
    """Percentiles of the values as black and white; never empty, also on a flat image."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (low_percent, high_percent))
    return float(low), float(high) if high > low else float(low) + 1.0
