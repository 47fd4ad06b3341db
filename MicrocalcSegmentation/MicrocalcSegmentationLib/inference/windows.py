"""The method as it was published: one patch at a time, through each network.

This is the reference. It defines the result; faster ways must give the same numbers.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..networks import Architecture
from ..progress import Part, Progress
from .network import Predict


def window_starts(size: int, side: int) -> np.ndarray:
    """First pixels of windows of `side` that overlap by half and cover `size` pixels.

    The step is side // 2 (24 for 49). The last window is flush with the border, so no
    pixel is left out. size must be at least side.
    """
    starts = np.arange(0, size - side + 1, side // 2)
    return starts if starts[-1] == size - side else np.append(starts, size - side)


def window_grid(inside: np.ndarray, side: int) -> np.ndarray:
    """(n, 2) first (row, col) of every window that holds at least one pixel of the breast."""
    rows, cols = (window_starts(size, side) for size in inside.shape)
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    # Between the rows where windows start and end, a column of pixels goes in or out as one.
    row_cuts, col_cuts = (np.union1d(s, s[:-1] + side) for s in (rows, cols))
    # Over whole rows, NumPy's `any` is ten times as fast as `reduceat`.
    strips = np.stack([strip.any(axis=0) for strip in np.split(inside, row_cuts[1:])])
    blocks = np.logical_or.reduceat(strips, col_cuts, axis=1)
    # Sums of any rectangle from a table of sums, instead of looking at each window.
    table = np.pad(blocks, [(1, 0), (1, 0)]).astype(np.int32).cumsum(0).cumsum(1)
    (r, c), (r_end, c_end) = (
        (np.searchsorted(row_cuts, grid[:, 0] + by), np.searchsorted(col_cuts, grid[:, 1] + by))
        for by in (0, side)
    )
    count = table[r_end, c_end] - table[r, c_end] - table[r_end, c] + table[r, c]
    return grid[count > 0]


def score_patches(
    pixels: np.ndarray,
    starts_rc: np.ndarray,
    architecture: Architecture,
    predict: Predict,
    work: "Work",
) -> np.ndarray:
    """(n,) float32 probability for each patch of the architecture's side starting at starts_rc.

    A patch lies within the image; what a network sees around it need not.
    """
    pixels, side = surrounded(pixels, architecture)
    patches = sliding_window_view(pixels, (side, side))
    scores = np.empty(len(starts_rc), np.float32)
    for first in range(0, len(starts_rc), work.batch_size):
        batch = starts_rc[first : first + work.batch_size]
        scores[first : first + len(batch)] = predict(patches[batch[:, 0], batch[:, 1]])
        work.progress.report((first + len(batch)) / len(starts_rc), work.text)
    return scores


def surrounded(pixels: np.ndarray, architecture: Architecture) -> tuple[np.ndarray, int]:
    """The image with room for what a network sees around a patch, and that square's side.

    The square of the patch that starts at (r, c) of the image starts at (r, c) of what is
    returned. Beyond the image lies 0, as in the background.
    """
    margin = architecture.margin
    return (np.pad(pixels, margin) if margin else pixels), architecture.input_side


class Work:
    """How patches are run through: so many at once, reporting under this text."""

    def __init__(self, batch_size: int, progress: Progress, text: str):
        self.batch_size = batch_size
        self.progress = progress
        self.text = text

    def part(self, start: float, stop: float) -> "Work":
        """A stretch of this work, by its share of the whole."""
        return Work(self.batch_size, Part(self.progress, start, stop), self.text)


def candidate_mask(
    shape: tuple[int, int], starts_rc: np.ndarray, positive: np.ndarray, side: int
) -> np.ndarray:
    """(rows, cols) bool: the union of the positive windows, the candidate ROIs."""
    mask = np.zeros(shape, bool)
    for row, col in starts_rc[positive]:
        mask[row : row + side, col : col + side] = True
    return mask


def score_pixels(
    pixels: np.ndarray, where: np.ndarray, architecture: Architecture, predict: Predict, work: Work
) -> np.ndarray:
    """(rows, cols) float32: the segmentator's probability at each pixel of `where`, once.

    Elsewhere 0. Patches that reach over the border see 0 there, as over background.
    """
    padded = np.pad(pixels, architecture.patch_side // 2)
    scores = np.zeros(where.shape, np.float32)
    # A patch centred on (r, c) starts at (r, c) of the padded image.
    scores[where] = score_patches(padded, np.argwhere(where), architecture, predict, work)
    return scores
