"""Between an image's own grid and the method's 0.05 mm grid, and back.

Both grids cover the same rectangle: the outer edges of the first and last pixels
coincide, so neither direction shifts anything.
"""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.measure import block_reduce

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
    row_scale, col_scale = (old / new for old, new in zip(values.shape, shape, strict=True))
    image = Image.fromarray(np.ascontiguousarray(np.pad(values, 1, mode="edge"), dtype=np.float32))
    # Pillow's affine maps pixel centres at +0.5; the padding of one pixel keeps the rim defined.
    affine = (col_scale, 0, 1, 0, row_scale, 1)
    sampled = image.transform(
        shape[::-1], Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
    return np.array(sampled)


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A bool mask on a (rows, cols) grid: True where it covers at least half."""
    if mask.shape == shape:
        return mask
    return sample(mask.astype(np.float32), shape) >= 0.5


def wide_blur(values: np.ndarray, sigma_px: float | tuple[float, float]) -> np.ndarray:
    """Gaussian blur, computed on a grid as coarse as its width allows.

    Beyond the border counts as a mirror image. Differs from a blur at full resolution by
    about a hundredth of what it smooths away.
    """
    sigmas = np.broadcast_to(sigma_px, 2)
    block = tuple(max(1, int(sigma / GRID_PER_SIGMA)) for sigma in sigmas)
    short = [-size % b for size, b in zip(values.shape, block, strict=True)]
    padded = np.pad(values, [(0, s) for s in short], mode="symmetric")
    coarse = block_reduce(padded, block, np.mean).astype(np.float32)
    smooth = gaussian_filter(coarse, sigmas / block, truncate=3.0)
    return sample(smooth, padded.shape)[: values.shape[0], : values.shape[1]]
