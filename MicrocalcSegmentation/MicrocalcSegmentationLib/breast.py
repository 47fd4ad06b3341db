"""Where the breast is: Otsu's threshold, made robust to what else is on an image."""

import numpy as np
from scipy.ndimage import (
    binary_fill_holes,
    binary_propagation,
    distance_transform_edt,
    label,
    uniform_filter,
)
from skimage.filters import threshold_otsu

from .errors import InputError
from .mammogram import Mammogram
from .resampling import resize_mask

COARSE_MM = 0.4  # the skin line needs no more
STRIP_MM = 3.0  # half the width of film borders, letters and scratches that are cut off
REGROWTH = 1.3  # times STRIP_MM: how far the cut mask grows back into what was bright
AIR_LEVEL = 0.3  # of the tissue's median grey level above black, at most
AIR_ROUGHNESS = 0.4  # of the tissue's local deviation, at most,
BLACK_LEVEL = 0.02  # unless it is as dark as this: no tissue is
SMALLEST_SHARE = 0.01  # of the image: less is no breast
_DARK = 0.02  # of the grey range; compresses the scale so that fat and gland stay together


def breast_region(mammogram: Mammogram) -> np.ndarray:
    """The breast, (rows, cols) bool: the largest bright region with its holes filled.

    Otsu's threshold is taken on a logarithmic scale, where air stands apart from fat and
    fat is close to gland. Bright strips, letters and scratches narrower than 6 mm are cut
    off. What is darker counts as air only if it reaches the border of the image, is much
    darker than the rest and much smoother; a crop without air is breast throughout.

    Raises InputError for a constant image, and when nothing as large as a breast is found.
    """
    name, valid = mammogram.source.name, mammogram.valid
    coarse, known = _coarse(mammogram)
    values = coarse[known]
    if not known.any() or values.min() == values.max():
        raise InputError(f"{name}: all pixels are equal; give an image with a breast in it")
    low, high = np.percentile(values, [0.5, 99.5])
    grey = np.clip((coarse - low) / max(high - low, 1e-9), 0, 1)
    shown = np.log1p(grey / _DARK)
    bright = (shown > threshold_otsu(shown[known])) & known
    air = _air(grey, bright, known)
    if not air.any():
        whole = np.ones(mammogram.pixels.shape, bool)
        return whole if valid is None else valid.copy()
    region = _largest(_without_strips(known & ~air, COARSE_MM))
    if region.mean() < SMALLEST_SHARE:
        raise InputError(f"{name}: no breast was found; check that this is a mammogram")
    fine = _enlarged(region, mammogram)
    return fine if valid is None else fine & valid


def _block(mammogram: Mammogram) -> tuple[int, int]:
    return tuple(max(1, round(COARSE_MM / spacing)) for spacing in mammogram.spacing_mm)


def _coarse(mammogram: Mammogram) -> tuple[np.ndarray, np.ndarray]:
    """Block means of the valid pixels, and where most of a block is valid."""
    block = _block(mammogram)
    short = [-size % b for size, b in zip(mammogram.pixels.shape, block, strict=True)]
    valid = mammogram.valid
    pixels = np.pad(mammogram.pixels, [(0, s) for s in short], mode="edge")
    if valid is None:
        return _block_mean(pixels, block), np.ones(
            [size // b for size, b in zip(pixels.shape, block, strict=True)], bool
        )
    weight = np.pad(valid, [(0, s) for s in short], mode="edge").astype(np.float32)
    share = _block_mean(weight, block)
    return _block_mean(pixels * weight, block) / np.maximum(share, 1e-6), share >= 0.5


def _block_mean(values: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    rows, cols = (size // b for size, b in zip(values.shape, block, strict=True))
    return values.reshape(rows, block[0], cols, block[1]).mean(axis=(1, 3), dtype=np.float64)


def _air(grey: np.ndarray, bright: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Dark, smooth pixels connected to the border; none where the dark part is tissue."""
    dark = known & ~bright
    border = np.zeros(dark.shape, bool)
    border[[0, -1]] = True
    border[:, [0, -1]] = True
    air = binary_propagation(border & dark, mask=dark)
    if not air.any() or not bright.any():
        return np.zeros(dark.shape, bool)
    roughness = np.sqrt(np.maximum(uniform_filter(grey**2, 3) - uniform_filter(grey, 3) ** 2, 0))
    level = np.median(grey[air]) / np.median(grey[bright])
    is_smooth = np.median(roughness[air]) <= AIR_ROUGHNESS * np.median(roughness[bright])
    is_air = level <= BLACK_LEVEL or (level <= AIR_LEVEL and is_smooth)
    return air if is_air else np.zeros(dark.shape, bool)


def _without_strips(bright: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Keep what a disc of 3 mm radius fits into, and what lies close around it.

    Outside the image counts as dark, so that strips along its borders go too.
    """
    depth = distance_transform_edt(np.pad(bright, 1))[1:-1, 1:-1] * spacing_mm
    core = depth > STRIP_MM
    if not core.any():
        return core
    core = _largest(core)
    near = distance_transform_edt(~core) * spacing_mm <= STRIP_MM * REGROWTH
    return binary_propagation(core, mask=bright & near)


def _largest(mask: np.ndarray) -> np.ndarray:
    regions, count = label(mask)
    if count == 0:
        return mask
    largest = np.bincount(regions.ravel())[1:].argmax() + 1
    return binary_fill_holes(regions == largest)


def _enlarged(region: np.ndarray, mammogram: Mammogram) -> np.ndarray:
    full = tuple(size * b for size, b in zip(region.shape, _block(mammogram), strict=True))
    rows, cols = mammogram.pixels.shape
    return resize_mask(region, full)[:rows, :cols]
