"""Fields with the statistics of breast tissue, seen from afar and from near."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import fft
from scipy.ndimage import gaussian_filter

from ..resampling import resize

SMOOTH_GRID_MM = 0.2
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
    down = fft.fftfreq(rows, spacing_mm)[:, None].astype(np.float32)
    across = fft.rfftfreq(cols, spacing_mm)[None].astype(np.float32)
    ratio, angle = stretch
    along = np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down
    square = down**2 + across**2 + np.float32(ratio**2 - 1) * along**2
    frequency = np.sqrt(square + 1 / OUTER_SCALE_MM**2) / np.float32(corner)
    exponent = np.where(frequency < 1, np.float32(low), np.float32(high))
    white *= frequency ** (-exponent / 2)
    field = fft.irfft2(white, s=(rows, cols), workers=1)[: shape[0], : shape[1]]
    return ((field - field.mean()) / field.std()).astype(np.float32)


def smooth_noise(
    shape: tuple[int, int],
    spacing_mm: float,
    exponents: tuple[float, float, float],
    rng,
    stretch: tuple[float, float] = (1.0, 0.0),
) -> np.ndarray:
    """`coloured_noise` without detail below 0.4 mm, made on a grid of 0.2 mm and enlarged."""
    coarse = max(1.0, SMOOTH_GRID_MM / spacing_mm)
    small = tuple(int(np.ceil(size / coarse)) for size in shape)
    return resize(coloured_noise(small, spacing_mm * coarse, exponents, rng, stretch), shape)


def web(shape: tuple[int, int], spacing_mm: float, rng) -> np.ndarray:
    """Branching bright lines that cross and end, as ligaments and ducts project.

    The lines are where a smooth random field passes zero; how steeply it does so sets
    their width, a second field their strength from place to place.
    Returns (rows, cols) float32 >= 0 with peaks near 1.
    """
    total = np.zeros(shape, np.float32)
    direction = rng.uniform(0, np.pi)
    for _ in range(rng.integers(1, 4)):
        stretch = (rng.uniform(1, 5), direction + rng.normal(0, 0.4))
        corner = 1 / rng.uniform(2.5, 10.0)
        # So steep a fall leaves the field smooth, and the lines with it.
        field = smooth_noise(shape, spacing_mm, (0.5, 7.0, corner), rng, stretch)
        where = smooth_noise(shape, spacing_mm, (2.5, 3.5, 0.3), rng)
        lines = np.exp(-((field / rng.uniform(0.06, 0.25)) ** 2))
        total += lines * np.exp(rng.uniform(0.4, 0.9) * where - 1).astype(np.float32)
    return total


def strands(
    shape: tuple[int, int], spacing_mm: float, count: int, rng, widths_mm=(0.04, 0.4)
) -> np.ndarray:
    """Curved bright lines (ligaments, ducts, vessels) of log-uniform width.

    widths_mm: smallest and largest Gaussian radius of a line's profile.
    Returns (rows, cols) float32 >= 0; a line of full strength peaks near 1.
    """
    levels = np.geomspace(*widths_mm, 5)
    total = np.zeros(shape, np.float32)
    for sigma_mm in levels:
        # Wide lines are drawn on a coarser canvas, two pixels of it to a radius.
        coarse = max(1.0, sigma_mm / spacing_mm / 2)
        sigma = sigma_mm / spacing_mm / coarse
        canvas = Image.new("F", tuple(int(np.ceil(size / coarse)) for size in shape[::-1]))
        draw = ImageDraw.Draw(canvas)
        for _ in range(rng.poisson(count / len(levels))):
            path = random_curve(shape, spacing_mm, rng) / coarse
            strength = float(rng.lognormal(-0.7, 0.6))
            draw.line([tuple(point) for point in path[:, ::-1]], fill=strength, width=1)
        # A 1-pixel line blurred in two dimensions peaks at 1 / (sqrt(2 pi) sigma).
        peak = np.float32(np.sqrt(2 * np.pi) * max(sigma, 0.4))
        total += resize(gaussian_filter(np.asarray(canvas), sigma, truncate=3.0) * peak, shape)
    return total


def random_curve(shape: tuple[int, int], spacing_mm: float, rng, length_mm=(5.0, 40.0)):
    """(n, 2) points (row, col), 0.5 mm apart, of a smooth line with random turns."""
    steps = int(rng.uniform(*length_mm) / 0.5)
    bend = rng.normal(0, 0.02) + np.cumsum(rng.normal(0, 0.006, steps))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
    step = 0.5 / spacing_mm
    start = rng.uniform(0, 1, 2) * shape
    moves = np.stack([np.sin(heading), np.cos(heading)], axis=1) * step
    return start + np.cumsum(moves, axis=0)
