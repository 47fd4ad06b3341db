"""From attenuation to pixels: blur, noise and processing of digital and film systems."""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from ..resampling import wide_blur
from .texture import coloured_noise, random_curve


def correlated_noise(shape: tuple[int, int], spacing_mm: float, rng) -> np.ndarray:
    """Noise of deviation 1 whose spectrum falls slowly, as behind a real detector.

    Real images slope by 1.2 to 2.1 above 2 /mm, tissue included.
    """
    slope = rng.uniform(0.2, 1.6)
    return coloured_noise(shape, spacing_mm, (slope, slope, 1.0), rng)


def noisy(field: np.ndarray, spacing_mm: float, level: float, rng) -> np.ndarray:
    """Add correlated noise, somewhat stronger where the field is bright.

    level: standard deviation of the noise over that of the field's own detail below 1 mm;
    on five real digital mammograms 0.6 to 1.4.
    """
    detail = field - wide_blur(field, 1.0 / spacing_mm)
    noise = correlated_noise(field.shape, spacing_mm, rng)
    bright = (field - field.mean()) / max(float(field.std()), 1e-9)
    noise *= np.clip(1 + rng.uniform(-0.1, 0.25) * bright, 0.4, 2.5)
    return field + np.float32(level * detail.std()) * noise


def sharpened(pixels: np.ndarray, spacing_mm: float, rng) -> np.ndarray:
    """Edge enhancement as vendors apply to images for presentation."""
    width = rng.uniform(0.1, 0.6) / spacing_mm
    return pixels + np.float32(rng.uniform(0.3, 1.5)) * (pixels - wide_blur(pixels, width))


def hot_pixels(pixels: np.ndarray, deviation: np.ndarray, count: int, rng) -> np.ndarray:
    """Bright single pixels (detector defects, emulsion specks) of 2 to 10 deviations."""
    out = pixels.copy()
    rows, cols = (rng.integers(0, size, count) for size in pixels.shape)
    out[rows, cols] += rng.uniform(2, 10, count).astype(np.float32) * deviation[rows, cols]
    return out


def film_damage(
    pixels: np.ndarray, deviation: np.ndarray, spacing_mm: float, rng, rate: float = 1.0
) -> np.ndarray:
    """Scratches, fibres and dust of sharp edges lying on the film, bright or dark.

    rate: how many; 1 is a film in poor state, about one flaw on 3 cm2.
    """
    canvas = Image.new("F", pixels.shape[::-1])
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.poisson(3 * rate)):
        fibre = random_curve(pixels.shape, spacing_mm, rng, (1.5, 12.0))
        points = [tuple(point) for point in fibre[:, ::-1]]
        pen.line(points, fill=float(rng.uniform(2, 12)), width=int(rng.integers(1, 4)))
    for _ in range(rng.poisson(2 * rate)):
        start = rng.uniform(0, 1, 2) * pixels.shape[::-1]
        stop = start + rng.normal(0, 1, 2) * 6 / spacing_mm
        pen.line([tuple(start), tuple(stop)], fill=float(rng.uniform(2, 9)), width=1)
    for _ in range(rng.poisson(4 * rate)):
        _draw_dust(pen, rng.uniform(0, 1, 2) * pixels.shape[::-1], rng)
    sharp = gaussian_filter(np.asarray(canvas), rng.uniform(0.2, 0.5))
    sign = 1 if rng.random() < 0.8 else -1
    return pixels + sign * sharp * deviation


def _draw_dust(pen, centre, rng) -> None:
    """An angular chip of 2 to 6 pixels across."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 5))
    radii = rng.uniform(0.5, 3.0, 5)
    corners = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    pen.polygon([tuple(corner) for corner in corners], fill=float(rng.uniform(4, 20)))


def bead(pixels: np.ndarray, spacing_mm: float, height: float, rng) -> np.ndarray:
    """A skin marker: a metal bead of 1 to 2 mm, saturated and sharp."""
    centre = rng.uniform(0, 1, 2) * pixels.shape
    rows, cols = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    distance_mm = np.hypot(rows - centre[0], cols - centre[1]) * spacing_mm
    disc = np.clip((rng.uniform(0.5, 1.0) - distance_mm) / spacing_mm + 0.5, 0, 1)
    return (pixels + height * disc).astype(np.float32)
