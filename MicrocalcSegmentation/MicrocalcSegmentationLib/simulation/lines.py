"""Long soft lines of changing width, drawn at any fineness."""

from dataclasses import dataclass

import numpy as np

from ..resampling import resize, wide_blur

# Neighbours are mixed for the widths between them.
_SIGMA_LEVELS_MM = (0.06, 0.1, 0.17, 0.28, 0.46, 0.76)
_PIXELS_PER_SIGMA = 2.2
_POINTS_PER_PIXEL = 1.5


@dataclass(frozen=True)
class Line:
    """path_mm: (n, 2) points (down, out). sigma_mm: (n,) Gaussian radius of its profile.

    strength: along the path, (n,) cm of gland-like depth at the crest.
    """

    path_mm: np.ndarray
    sigma_mm: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class _Pieces:
    """Straight pieces of all lines: (n, 2) ends in mm, (n,) strength and width level."""

    start_mm: np.ndarray
    stop_mm: np.ndarray
    strength: np.ndarray
    level: np.ndarray


def draw_lines(
    lines: list[Line], corner_mm: tuple[float, float], shape: tuple[int, int], spacing_mm: float
) -> np.ndarray:
    """(rows, cols) float32 cm of gland-like depth of the lines in a window of the breast.

    corner_mm: the window's first corner. Lines are drawn by width, wide ones coarsely; where
    two cross, their depths add up, as along a ray.
    """
    total = np.zeros(shape, np.float32)
    if not lines:
        return total
    pieces = _pieces(lines)
    for number, level_mm in enumerate(_SIGMA_LEVELS_MM):
        share = np.clip(1 - np.abs(pieces.level - number), 0, None)
        pixel_mm = max(spacing_mm, level_mm / _PIXELS_PER_SIGMA)
        canvas_shape = tuple(int(np.ceil(size * spacing_mm / pixel_mm)) for size in shape)
        canvas = _splatted(pieces, share, (corner_mm, pixel_mm, canvas_shape))
        if not canvas.any():
            continue
        sigma = max(level_mm / pixel_mm, 0.7)
        # A line one pixel wide, blurred in two dimensions, peaks at 1 / (sqrt(2 pi) sigma).
        crest = np.float32(np.sqrt(2 * np.pi) * sigma)
        blurred = wide_blur(canvas, sigma)
        blurred *= crest
        total += resize(blurred, shape)
    return total


def _pieces(lines: list[Line]) -> _Pieces:
    sigma = np.concatenate([(line.sigma_mm[1:] + line.sigma_mm[:-1]) / 2 for line in lines])
    levels = np.arange(len(_SIGMA_LEVELS_MM))
    return _Pieces(
        np.concatenate([line.path_mm[:-1] for line in lines]),
        np.concatenate([line.path_mm[1:] for line in lines]),
        np.concatenate([(line.strength[1:] + line.strength[:-1]) / 2 for line in lines]),
        np.interp(np.log(sigma), np.log(_SIGMA_LEVELS_MM), levels),
    )


def _splatted(pieces: _Pieces, share: np.ndarray, grid) -> np.ndarray:
    """(rows, cols) float32: a share of each piece, one pixel wide, shared among four pixels."""
    corner_mm, pixel_mm, (rows, cols) = grid
    start, stop = ((end - corner_mm) / pixel_mm - 0.5 for end in (pieces.start_mm, pieces.stop_mm))
    near = ((np.maximum(start, stop) > -1) & (np.minimum(start, stop) < (rows, cols))).all(axis=1)
    used = near & (share > 0)
    canvas = np.zeros(rows * cols, np.float32)
    if not used.any():
        return canvas.reshape(rows, cols)
    start, run = start[used], (stop - start)[used]
    length = np.hypot(*run.T)
    count = int(np.ceil(length.max() * _POINTS_PER_PIXEL))
    at = (np.arange(count) + 0.5) / count
    points = (start[:, None] + run[:, None] * at[None, :, None]).reshape(-1, 2)
    mass = np.repeat(pieces.strength[used] * share[used] * length / count, count)
    first = np.floor(points).astype(int)
    part = points - first
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, col = first[:, 0] + down, first[:, 1] + right
        inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        weight = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1]) * mass
        np.add.at(canvas, (row * cols + col)[inside], weight[inside].astype(np.float32))
    return canvas.reshape(rows, cols)
