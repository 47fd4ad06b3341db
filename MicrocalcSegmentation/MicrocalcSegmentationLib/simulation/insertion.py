"""Calcifications drawn into any image, real or simulated, against its own texture."""

from dataclasses import dataclass, replace

import numpy as np

from ..normalisation import local_statistics
from .calcifications import Placed, draw
from .visibility import AROUND_MM, VISIBLE_FROM, signal_to_noise

BLUR_RANGE_PX = (0.35, 1.1)
# What screens and focal spots add to it before grain and the scanner's noise: an MTF of one
# half from 2.7 /mm on. Calcifications of 0.3 to 0.7 mm in real film clusters have edges 0.16 to
# 0.22 mm wide (from three quarters to a quarter of their height), 0.12 to 0.20 without it; but
# those below 0.2 mm, in clusters of plain specks, have 0.05 to 0.06, as without it.
UNSHARP_MM = (0.0, 0.07)
# The noise of a digital detector goes through a part of its blur; the rest, on simulated ones.
DIGITAL_UNSHARP_MM = (0.015, 0.05)
_BLUR_WINDOW_MM = 3.0


@dataclass(frozen=True)
class Inserted:
    """pixels: (rows, cols) float32 with the calcifications in.

    labels: int32, 0 or the number (from 1) in `placed` of the calcification whose mask
    covers the pixel. placed: those that were drawn, in the order of their numbers.
    deviation: float32, of the local texture before anything was drawn.
    """

    pixels: np.ndarray
    labels: np.ndarray
    placed: tuple[Placed, ...]
    deviation: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(rows, cols) bool, pixels of MCs that count."""
        return counted_mask(self.labels, self.placed)

    @property
    def ignored(self) -> np.ndarray:
        """(rows, cols) bool, pixels of those too faint, or benign: neither MC nor tissue."""
        return (self.labels > 0) & ~self.mask


def counts(placed: Placed) -> bool:
    """True for an MC that a reader could mark: no benign kind, and not too faint.

    Of one that was drawn: only then its signal-to-noise ratio is known.
    """
    return placed.counted and placed.snr >= VISIBLE_FROM


def counted_mask(labels: np.ndarray, placed: tuple[Placed, ...]) -> np.ndarray:
    """Of labels that number `placed` from 1: (rows, cols) bool, True on MCs that count."""
    return np.array([False, *map(counts, placed)])[labels]


@dataclass(frozen=True)
class Ground:
    """What to insert into.

    pixels: (rows, cols) float32, brighter is denser. inside: bool, where the breast is.
    blur_px: the system's Gaussian blur; None blurs each calcification as the finest
    texture around it is, and by an unsharpness that grain and noise do not show, of
    unsharp_mm (radius, from, to).
    """

    pixels: np.ndarray
    inside: np.ndarray
    spacing_mm: float
    blur_px: float | None = None
    unsharp_mm: tuple[float, float] = UNSHARP_MM


def insert(ground: Ground, calcifications: list[Placed], rng) -> Inserted:
    """Draw calcifications whose centres lie inside; strength in local deviations.

    A mask is drawn before blur and noise; where two overlap, the stronger one's covers. How
    well each MC can be seen is told from the tissue before anything was drawn.
    """
    pixels, inside, spacing_mm = ground.pixels, ground.inside, ground.spacing_mm
    _, deviation = local_statistics(pixels, inside, (spacing_mm, spacing_mm))
    unsharp_px = 0.0 if ground.blur_px else rng.uniform(*ground.unsharp_mm) / spacing_mm
    out = pixels.astype(np.float32, copy=True)
    labels = np.zeros(pixels.shape, np.int32)
    drawn: list[Placed] = []
    for placed in sorted(calcifications, key=lambda one: one.strength):
        row, col = round(placed.row), round(placed.col)
        if not _within(row, col, inside):
            continue
        blur_px = ground.blur_px or float(
            np.hypot(local_blur_px(pixels, (row, col), spacing_mm), unsharp_px)
        )
        template = draw(placed, spacing_mm, blur_px, rng)
        window, part = _overlap(row, col, template.mask.shape[0], pixels.shape)
        reach = inside[window]
        signal = placed.strength * deviation[row, col] * template.thickness
        out[window] += signal[part] * reach
        if placed.counted:
            placed = replace(placed, snr=_snr(signal, (row, col), ground))
        drawn.append(placed)
        labels[window][template.mask[part] & reach] = len(drawn)
    return Inserted(out, labels, tuple(drawn), deviation)


def _snr(signal: np.ndarray, place_rc: tuple[int, int], ground: Ground) -> float:
    """Of a signal centred on a place, in the tissue around it, as much as the image holds."""
    side = max(len(signal), round(AROUND_MM / ground.spacing_mm))
    half = side // 2
    window, part = _overlap(*place_rc, 2 * half + 1, ground.pixels.shape)
    tissue = np.zeros((2 * half + 1, 2 * half + 1), ground.pixels.dtype)
    inside = np.zeros(tissue.shape, bool)
    tissue[part], inside[part] = ground.pixels[window], ground.inside[window]
    return signal_to_noise(signal, tissue, inside)


def local_blur_px(pixels: np.ndarray, place_rc: tuple[int, int], spacing_mm: float) -> float:
    """Gaussian radius, in pixels, that the finest texture around a place has gone through.

    Of noise that was blurred by sigma, neighbours correlate by p = exp(-1 / (4 sigma^2)),
    next neighbours by p^4; the mean squares of differences over one and two pixels are
    therefore as 1 to 1 + p + p^2 + p^3. Kept within `BLUR_RANGE_PX`: tissue, which is
    smooth itself, would pass for more.
    """
    reach = max(8, int(_BLUR_WINDOW_MM / spacing_mm / 2))
    row, col = place_rc
    around = pixels[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1]
    one = _mean_square(around[1:] - around[:-1]) + _mean_square(around[:, 1:] - around[:, :-1])
    two = _mean_square(around[2:] - around[:-2]) + _mean_square(around[:, 2:] - around[:, :-2])
    if one <= 0:
        return BLUR_RANGE_PX[1]
    ratio = two / one
    correlation = np.roots([1, 1, 1, 1 - ratio])
    real = float(correlation[np.abs(correlation.imag).argmin()].real)
    if real <= 0:
        return BLUR_RANGE_PX[0]
    sigma = np.sqrt(-0.25 / np.log(min(real, 0.999)))
    return float(np.clip(sigma, *BLUR_RANGE_PX))


def _mean_square(values: np.ndarray) -> float:
    return float(np.mean(np.square(values, dtype=np.float64))) if values.size else 0.0


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
