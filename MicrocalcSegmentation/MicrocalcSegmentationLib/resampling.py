"""Between an image's own grid and the method's 0.05 mm grid, and back.

Both grids cover the same rectangle: the outer edges of the first and last pixels
coincide, so neither direction shifts anything.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from .bands import in_bands
from .settings import METHOD_SPACING_MM

GRID_PER_SIGMA = 2.5  # wide blurs are computed on a grid this much finer than their width
_SAME_GRID = 0.002  # relative; at most half a pixel off in 250


def working_shape(
    shape: tuple[int, int], spacing_mm: tuple[float, float], target_mm: float = METHOD_SPACING_MM
) -> tuple[int, int]:
    """(rows, cols) of the working grid for an image of that shape and spacing."""
    scales = [spacing / target_mm for spacing in spacing_mm]
    return tuple(
        size if abs(scale - 1) < _SAME_GRID else max(1, round(size * scale))
        for size, scale in zip(shape, scales, strict=True)
    )


def resize(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cubic interpolation to (rows, cols), averaging first where that is coarser."""
    if pixels.shape == shape:
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    return np.array(image.resize(shape[::-1], Image.Resampling.BICUBIC))


def sample(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation at the pixel centres of a (rows, cols) grid, nothing averaged.

    Averaging would lower the peak probability of an MC of two or three pixels.
    """
    if values.shape == shape:
        return values
    if shape[0] >= values.shape[0] and shape[1] >= values.shape[1]:
        # Where nothing is averaged, resizing is the same interpolation, and quicker.
        image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
        return np.array(image.resize(shape[::-1], Image.Resampling.BILINEAR))
    row_scale, col_scale = _scales(values.shape, shape)
    sampled = np.empty(shape, np.float32)

    def fill(rows: slice) -> None:
        # From the row before the band's first pixel centres to the one behind its last.
        first = max(0, int(row_scale * (rows.start + 0.5) - 0.5))
        last = int(row_scale * (rows.stop - 0.5) - 0.5) + 1
        part = np.ascontiguousarray(values[first : last + 1], dtype=np.float32)
        # Pillow's affine maps pixel centres at +0.5.
        affine = (col_scale, 0, 0, 0, row_scale, row_scale * rows.start - first)
        sampled[rows] = Image.fromarray(part).transform(
            (shape[1], rows.stop - rows.start),
            Image.Transform.AFFINE,
            affine,
            Image.Resampling.BILINEAR,
        )

    in_bands(shape[0], fill)
    return sampled


def sample_at(values: np.ndarray, shape: tuple[int, int], places) -> np.ndarray:
    """`sample`, at some pixels of the (rows, cols) grid alone.

    places: their rows and their columns, two arrays of one shape, which is the result's.
    """
    rows, cols = places
    if values.shape == shape:
        return values[rows, cols]
    return map_coordinates(values, _centres(values.shape, shape, places), order=1, mode="nearest")


def _centres(old: tuple[int, int], new: tuple[int, int], places) -> list[np.ndarray]:
    """Where the pixel centres of a new grid lie on an old one, rows and columns."""
    scales = _scales(old, new)
    return [(axis + 0.5) * scale - 0.5 for axis, scale in zip(places, scales, strict=True)]


def _scales(old: tuple[int, int], new: tuple[int, int]) -> tuple[float, float]:
    return old[0] / new[0], old[1] / new[1]


def sample_plateaus_at(values: np.ndarray, shape: tuple[int, int], places) -> np.ndarray:
    """As `sample_at`, of values that are level all over a region and 0 between regions.

    They stay level, and a region ends where it covers half of a pixel: between its height
    and 0, a threshold on interpolated values would draw it larger or smaller.
    """
    if values.shape == shape:
        return sample_at(values, shape, places)
    sampled = np.zeros(np.shape(places[0]), np.float32)
    # Most places lie between four zeros, and to see that is quicker than to interpolate.
    corners = tuple(axis.astype(np.intp) for axis in _centres(values.shape, shape, places))
    near = _beside(values > 0)[corners]
    places = tuple(axis[near] for axis in places)
    cover = sample_at((values > 0).astype(np.float32), shape, places)
    level = sample_at(values, shape, places) / np.maximum(cover, 0.5)
    sampled[near] = np.where(cover >= 0.5, level, 0)
    return sampled


def _beside(mask: np.ndarray) -> np.ndarray:
    """Whether a pixel or the next one, down, right or both, is of a (rows, cols) mask."""
    wide = mask.copy()
    wide[:-1] |= mask[1:]
    beside = wide.copy()
    beside[:, :-1] |= wide[:, 1:]
    return beside


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A bool mask on a (rows, cols) grid: True where it covers at least half."""
    if mask.shape == shape:
        return mask
    return sample(mask, shape) >= 0.5


@dataclass(frozen=True)
class CoarseBlur:
    """A Gaussian blur of an image, kept on a grid as coarse as its width allows.

    coarse: the blur, one value per block of (rows, cols) pixels.
    """

    coarse: np.ndarray
    block: tuple[int, int]

    def part(self, rows: slice, cols: slice) -> np.ndarray:
        """The blur at every pixel of a part of the image, by linear interpolation."""
        height, width = self.coarse.shape
        at, part = _between(np.arange(rows.start, rows.stop), self.block[0], height)
        lines = self.coarse[at]
        lines += part[:, None] * (self.coarse[np.minimum(at + 1, height - 1)] - lines)
        at, part = _between(np.arange(cols.start, cols.stop), self.block[1], width)
        # Of a narrow part, only the columns that it lies between.
        lines, at = lines[:, at[0] : at[-1] + 2], at - at[0]
        steps = np.diff(lines, axis=1, append=lines[:, -1:])
        values = steps.take(at, axis=1)
        values *= part
        values += lines.take(at, axis=1)
        return values


def wide_blur(values: np.ndarray, sigma_px: float | tuple[float, float]) -> np.ndarray:
    """Gaussian blur, computed on a grid as coarse as its width allows.

    Beyond the border counts as a mirror image. Differs from a blur at full resolution by
    about a hundredth of what it smooths away.
    """
    blur = coarse_blur(values, sigma_px)
    smooth = np.empty(values.shape, np.float32)

    def fill(rows: slice) -> None:
        smooth[rows] = blur.part(rows, slice(0, values.shape[1]))

    in_bands(len(values), fill)
    return smooth


def coarse_blur(values: np.ndarray, sigma_px: float | tuple[float, float]) -> CoarseBlur:
    """The blur of `wide_blur`, not yet brought back to every pixel."""
    sigmas = np.broadcast_to(sigma_px, 2)
    block = tuple(max(1, int(sigma / GRID_PER_SIGMA)) for sigma in sigmas)
    coarse = block_means(values, block)
    return CoarseBlur(gaussian_filter(coarse, sigmas / block, truncate=3.0), block)


def block_means(values: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Means of blocks of (rows, cols) pixels; the last ones are filled up by reflection."""
    short = [-size % b for size, b in zip(values.shape, block, strict=True)]
    rows, cols = (-(-size // b) for size, b in zip(values.shape, block, strict=True))
    means = np.empty((rows, cols), np.float32)

    def reduce(band: slice) -> None:
        part = values[band.start * block[0] : band.stop * block[0]]
        down = short[0] if band.stop == rows else 0
        if down or short[1]:
            part = np.pad(part, [(0, down), (0, short[1])], mode="symmetric")
        # Rows and columns that lie a block apart: numpy is slow to sum along short axes.
        lines = sum(part[first :: block[0]] for first in range(block[0]))
        means[band] = sum(lines[:, first :: block[1]] for first in range(block[1]))

    in_bands(rows, reduce, block[0])
    means /= block[0] * block[1]
    return means


def _between(pixels: np.ndarray, block: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel, the block centre before it, and how far it is on the way to the next."""
    place = np.clip((pixels + 0.5) / block - 0.5, 0, count - 1)
    before = place.astype(np.intp)
    return before, (place - before).astype(np.float32)
