"""Images as another unit would show them, to see what of a result hangs on one unit's look."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..mammogram import Mammogram
from ..resampling import resize, resize_mask
from .survey import Place

AS_IT_IS = "as it is"
# Unlike `acquisition.noisy`, which knows one square of tissue, by the local detail: a whole image
# has a skin line and a background. Its level is the least of five real digital mammograms there.
_NOISE = 0.6
_SCALES = {"coarser": 0.7, "finer": 1.25}  # pixels along a side, of those there were


def _sharper(pixels: np.ndarray) -> np.ndarray:
    return 2 * pixels - gaussian_filter(pixels, 1.5)


def _softer(pixels: np.ndarray) -> np.ndarray:
    return gaussian_filter(pixels, 0.8)


def _noisier(pixels: np.ndarray) -> np.ndarray:
    detail = pixels - gaussian_filter(pixels, 2)
    deviation = np.sqrt(gaussian_filter(np.square(detail), 30))
    noise = np.random.default_rng(0).standard_normal(pixels.shape, np.float32)
    return pixels + _NOISE * deviation * noise


def _brighter(pixels: np.ndarray) -> np.ndarray:
    low, high = float(pixels.min()), float(pixels.max())
    return low + (high - low) * ((pixels - low) / max(high - low, 1e-9)) ** 0.6


_TONES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sharper": _sharper,
    "softer": _softer,
    "noisier": _noisier,
    "brighter": _brighter,
}
LOOKS = (*_TONES, "turned", *_SCALES)


def shown(mammogram: Mammogram, look: str) -> Mammogram:
    """The same breast as a unit of another look would show it.

    look: `AS_IT_IS`, or one of `LOOKS`: sharper (unsharp mask of 1.5 pixels, once), softer
    (blur of 0.8 pixels), noisier (white, 0.6 of the deviation of detail below 2 pixels),
    brighter (a tone curve, power 0.6), turned (by a quarter), coarser (0.7 times as many
    pixels along a side) or finer (1.25 times).
    """
    if look in _TONES:
        return replace(mammogram, pixels=_TONES[look](mammogram.pixels).astype(np.float32))
    if look == "turned":
        return _turned(mammogram)
    return _resized(mammogram, look) if look in _SCALES else mammogram


def place_shown(place: Place, shape: tuple[int, int], look: str) -> Place:
    """Where a place in an image of (rows, cols) lies in the image that `shown` gives of it."""
    if look == "turned":
        return replace(place, row=shape[1] - 1 - place.col, col=place.row)
    row_step, col_step = np.divide(shape, _resized_shape(shape, look))
    return replace(
        place,
        row=float((place.row + 0.5) / row_step - 0.5),
        col=float((place.col + 0.5) / col_step - 0.5),
    )


def _turned(mammogram: Mammogram) -> Mammogram:
    pixels, valid, old = mammogram.pixels, mammogram.valid, mammogram.geometry
    along_col, along_row, through = np.asarray(old.directions_lps)
    turned = replace(
        old,
        spacing_mm=old.spacing_mm[::-1],
        origin_lps=_three(old.position_lps(np.array([0, pixels.shape[1] - 1]))),
        directions_lps=(_three(along_row), _three(-along_col), _three(through)),
    )
    return replace(
        mammogram,
        pixels=np.rot90(pixels).copy(),
        valid=None if valid is None else np.rot90(valid).copy(),
        geometry=turned,
    )


def _resized(mammogram: Mammogram, look: str) -> Mammogram:
    pixels, valid, old = mammogram.pixels, mammogram.valid, mammogram.geometry
    shape = _resized_shape(pixels.shape, look)
    steps = np.divide(pixels.shape, shape)
    row_mm, col_mm = steps * old.spacing_mm
    resized = replace(
        old,
        spacing_mm=(float(row_mm), float(col_mm)),
        origin_lps=_three(old.position_lps((steps - 1) / 2)),
    )
    return replace(
        mammogram,
        pixels=resize(pixels, shape),
        valid=None if valid is None else resize_mask(valid, shape),
        geometry=resized,
    )


def _resized_shape(shape: tuple[int, int], look: str) -> tuple[int, int]:
    rows, cols = (max(1, round(size * _SCALES.get(look, 1))) for size in shape)
    return rows, cols


def _three(values) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
