"""Vessels as a mammogram shows them: calcified arteries, and others that are not.

Calcium lies in the wall of an artery, in sheets and grains, here dense, there missing. Seen
from the side a wall is a band, brightest along both edges ("tram tracks"). Drawn is what the
rays pass of it: the wall, unrolled, is a field of calcium that is rolled up and projected.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from .texture import random_curve

STEP_MM = 0.05  # along the vessel
AROUND = 96  # points around the wall
CALCIFIED_RADIUS_MM, PLAIN_RADIUS_MM = (0.15, 0.75), (0.08, 0.9)
LENGTH_MM = (8.0, 60.0)
_TOP = 0.9  # quantile of the thickness where there is any, for what counts as typical


@dataclass(frozen=True)
class Vessel:
    """thickness: (rows, cols) float32, typically 1 where the wall is. band: bool, the vessel."""

    thickness: np.ndarray
    band: np.ndarray


def vessel(shape: tuple[int, int], spacing_mm: float, calcified: bool, rng) -> Vessel | None:
    """One vessel somewhere in an image; None where it does not reach into it."""
    path = _tortuous(random_curve(shape, spacing_mm, rng, LENGTH_MM), spacing_mm, rng)
    radius_mm = np.exp(rng.uniform(*np.log(CALCIFIED_RADIUS_MM if calcified else PLAIN_RADIUS_MM)))
    radii_mm = radius_mm * np.exp(0.12 * _wave(len(path), rng.uniform(1, 4), rng))
    density = _calcium(len(path), radius_mm, rng) if calcified else np.ones((len(path), AROUND))
    ends = np.minimum(np.arange(len(path)), np.arange(len(path))[::-1]) * STEP_MM
    density = density * np.clip(ends / rng.uniform(1, 5), 0, 1)[:, None]
    across = radii_mm[:, None] * np.cos(np.arange(AROUND) * 2 * np.pi / AROUND)
    if not calcified:  # blood fills it
        across = across * np.sqrt(rng.random(across.shape))
    thickness = _projected(path, across / spacing_mm, density, shape)
    thickness = gaussian_filter(thickness, rng.uniform(0.03, 0.07) / spacing_mm)
    if not (thickness > 0).any():
        return None
    typical = thickness > 0.3 * np.quantile(thickness[thickness > 0], _TOP)
    thickness /= np.median(thickness[typical])
    band = gaussian_filter(thickness, 0.15 / spacing_mm) > 0.25
    return Vessel(thickness.astype(np.float32), band)


def _tortuous(curve: np.ndarray, spacing_mm: float, rng) -> np.ndarray:
    """(n, 2) pixels, STEP_MM apart, of a curve of points 0.5 mm apart; half of them wind."""
    count = int(len(curve) * 0.5 / STEP_MM)
    along = np.linspace(0, len(curve) - 1, count)
    path = np.stack([np.interp(along, np.arange(len(curve)), line) for line in curve.T], axis=1)
    if rng.random() < 0.5:
        reach, length_mm = rng.uniform(0.2, 1.5) / spacing_mm, rng.uniform(2, 6)
        path = path + reach * np.stack([_wave(count, length_mm, rng) for _ in range(2)], axis=1)
    return path


def _calcium(count: int, radius_mm: float, rng) -> np.ndarray:
    """(count, AROUND) calcium of the unrolled wall: where there is any, and its grains."""
    around_mm = 2 * np.pi * radius_mm / AROUND

    def field(length_mm: float) -> np.ndarray:
        sigmas = length_mm / STEP_MM, max(0.7, length_mm / around_mm)
        values = gaussian_filter(
            rng.standard_normal((count, AROUND)), sigmas, mode=("nearest", "wrap")
        )
        return values / max(float(values.std()), 1e-9)

    where, grains = field(rng.uniform(0.5, 2.5)), field(rng.uniform(0.06, 0.2))
    none_below = np.quantile(where, 1 - rng.uniform(0.35, 0.97))
    return np.clip((where - none_below) / 0.5, 0, 1) * np.exp(rng.uniform(0.3, 1.2) * grains)


def _wave(count: int, length_mm: float, rng) -> np.ndarray:
    """(count,) smooth values of deviation 1."""
    values = gaussian_filter1d(rng.standard_normal(count), length_mm / STEP_MM)
    return values / max(float(values.std()), 1e-9)


def _projected(path: np.ndarray, across: np.ndarray, density: np.ndarray, shape) -> np.ndarray:
    """(rows, cols) sum of the densities, each shared by the four pixels around its place.

    across: (n, AROUND) pixels from the middle of the vessel.
    """
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    places = path[:, None] + across[..., None] * normal[:, None]
    first = np.floor(places).astype(int)
    part = places - first
    image = np.zeros(shape)
    for row in (0, 1):
        for col in (0, 1):
            weight = np.abs(1 - row - part[..., 0]) * np.abs(1 - col - part[..., 1])
            at = first + np.array([row, col])
            within = ((at >= 0) & (at < shape)).all(axis=-1)
            np.add.at(image, tuple(at[within].T), (weight * density)[within])
    return image
