"""Fields with the statistics of breast tissue, seen from afar and from near."""

import numpy as np
from scipy import fft

from ..bands import in_bands

OUTER_SCALE_MM = 30.0  # structures wider than this are anatomy, drawn elsewhere


def coloured_noise(
    shape: tuple[int, int],
    spacing_mm: float,
    exponents: tuple[float, float, float],
    rng,
    stretch: tuple[float, float] = (1.0, 0.0),
) -> np.ndarray:
    """Gaussian field whose power spectrum falls as two power laws that meet.

    exponents: (beta below, beta above, frequency in 1/mm where they meet).
    stretch: (length over width of its structures, their direction in radians).
    Returns (rows, cols) float32 of mean 0 and standard deviation 1.
    """
    low, high, corner = exponents
    rows, cols = (fft.next_fast_len(size, real=True) for size in shape)
    white = fft.rfft2(rng.standard_normal((rows, cols), dtype=np.float32), workers=1)
    all_down = fft.fftfreq(rows, spacing_mm)[:, None].astype(np.float32)
    across = fft.rfftfreq(cols, spacing_mm)[None].astype(np.float32)
    ratio, angle = stretch

    def colour(band: slice) -> None:
        down = all_down[band]
        along = np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down
        square = down**2 + across**2 + np.float32(ratio**2 - 1) * along**2
        frequency = np.sqrt(square + 1 / OUTER_SCALE_MM**2) / np.float32(corner)
        exponent = np.where(frequency < 1, np.float32(low), np.float32(high))
        white[band] *= frequency ** (-exponent / 2)

    in_bands(rows, colour)
    field = fft.irfft2(white, s=(rows, cols), workers=1)[: shape[0], : shape[1]]
    normal = field - field.mean()
    normal /= field.std()
    return normal


def random_curve(shape: tuple[int, int], spacing_mm: float, rng, length_mm=(5.0, 40.0)):
    """(n, 2) points (row, col), 0.5 mm apart, of a smooth line with random turns."""
    steps = int(rng.uniform(*length_mm) / 0.5)
    bend = rng.normal(0, 0.02) + np.cumsum(rng.normal(0, 0.006, steps))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
    step = 0.5 / spacing_mm
    start = rng.uniform(0, 1, 2) * shape
    moves = np.stack([np.sin(heading), np.cos(heading)], axis=1) * step
    return start + np.cumsum(moves, axis=0)
