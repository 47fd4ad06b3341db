"""Microcalcifications and their clusters, as projected thickness of 3-D shapes."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

SUPERSAMPLING = 4
MASK_LEVEL = 0.25  # of the peak thickness before blur: there an MC begins

# Facts measured on real images: median diameter 0.24 - 0.26 mm, 0.1 - 1.2 mm in all.
SIZE_MEDIAN_MM, SIZE_LOG_SIGMA, SIZE_RANGE_MM = 0.26, 0.5, (0.1, 1.2)


@dataclass(frozen=True)
class Placed:
    """One calcification to be drawn.

    row, col: centre in pixels. size_mm: diameter. strength: peak height after blur, in
    deviations of the local texture. elongation: minor over major axis.
    lumps: number of ellipsoids that it is the union of. rim: True for a shell.
    """

    row: float
    col: float
    size_mm: float
    strength: float
    elongation: float = 1.0
    lumps: int = 1
    rim: bool = False


@dataclass(frozen=True)
class Template:
    """thickness: (n, n) float32 of peak 1 after blur; mask: (n, n) bool before blur."""

    thickness: np.ndarray
    mask: np.ndarray


def draw(placed: Placed, spacing_mm: float, blur_px: float, rng) -> Template:
    """The projected thickness of one calcification on an (n, n) grid around its pixel.

    The shape is drawn 4 times finer and averaged; its mask is where the averaged
    thickness is at least a quarter of its peak, before any blur.
    """
    half = int(np.ceil(0.75 * placed.size_mm / spacing_mm + 4 * blur_px)) + 1
    n = 2 * half + 1
    axis = (np.arange(n * SUPERSAMPLING) + 0.5) / SUPERSAMPLING - n / 2
    row_mm = (axis[:, None] - (placed.row - round(placed.row))) * spacing_mm
    col_mm = (axis[None] - (placed.col - round(placed.col))) * spacing_mm
    thickness = _union_thickness(placed, row_mm, col_mm, rng)
    grid = thickness.reshape(n, SUPERSAMPLING, n, SUPERSAMPLING).mean(axis=(1, 3))
    mask = grid >= MASK_LEVEL * grid.max()
    blurred = gaussian_filter(grid, blur_px)
    return Template((blurred / blurred.max()).astype(np.float32), mask)


def _union_thickness(placed: Placed, row_mm, col_mm, rng) -> np.ndarray:
    radius = placed.size_mm / 2
    total = np.zeros(np.broadcast_shapes(row_mm.shape, col_mm.shape))
    for lump in range(placed.lumps):
        reach = 0.0 if lump == 0 else radius * 0.7
        r, c = row_mm - rng.uniform(-reach, reach), col_mm - rng.uniform(-reach, reach)
        major = radius * (1.0 if lump == 0 else rng.uniform(0.4, 0.9))
        ratio = placed.elongation if lump == 0 else rng.uniform(0.5, 1.0)
        total = np.maximum(total, _ellipsoid(r, c, (major, major * ratio), rng.uniform(0, np.pi)))
    if placed.rim:
        total -= 0.8 * _ellipsoid(row_mm, col_mm, (0.75 * radius, 0.75 * radius), 0.0)
    return np.maximum(total, 0)


def _ellipsoid(row_mm, col_mm, axes_mm, angle) -> np.ndarray:
    """Thickness of an ellipsoid, as deep as its minor axis is wide."""
    along = np.cos(angle) * row_mm + np.sin(angle) * col_mm
    across = -np.sin(angle) * row_mm + np.cos(angle) * col_mm
    inside = 1 - (along / axes_mm[0]) ** 2 - (across / axes_mm[1]) ** 2
    return 2 * axes_mm[1] * np.sqrt(np.maximum(inside, 0))


def cluster(centre_rc, spacing_mm: float, rng) -> list[Placed]:
    """A cluster of 6 to 40 MCs in an ellipse or along a line, alike in kind.

    Strength is log-uniform over clusters and varies within one as measured: an MC's peak
    relative to the strongest 0.31 / 0.80 / 1.0 (5 / 50 / 95 %).
    """
    count = int(np.clip(rng.lognormal(np.log(14), 0.55), 4, 45))
    radius_mm = rng.uniform(1.2, 5.5)
    axis_ratio = rng.uniform(0.15, 0.4) if rng.random() < 0.2 else rng.uniform(0.45, 1.0)
    angle = rng.uniform(0, np.pi)
    level = np.exp(rng.uniform(np.log(2.2), np.log(10)))
    size_mm = SIZE_MEDIAN_MM * rng.lognormal(0, 0.25)
    round_kind = rng.random() < 0.25
    offsets = _spread(count, radius_mm, rng) * (1, axis_ratio)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    places = np.asarray(centre_rc) + offsets @ turn / spacing_mm
    return [
        _one(place, size_mm, level * np.exp(0.35 * rng.standard_normal()), rng, round_kind)
        for place in places
    ]


def _spread(count: int, radius_mm: float, rng) -> np.ndarray:
    """(count, 2) places in a disc, denser in the middle, at least 0.3 mm apart where possible."""
    places = []
    for _ in range(40 * count):
        if len(places) == count:
            break
        place = rng.normal(0, 0.5 * radius_mm, 2)
        if np.hypot(*place) > radius_mm:
            continue
        if all(np.hypot(*(place - other)) > 0.3 for other in places):
            places.append(place)
    return np.array(places).reshape(-1, 2)


def scattered(shape: tuple[int, int], count: int, rng) -> list[Placed]:
    """Single calcifications anywhere, mostly small, now and then coarse or rim-like."""
    return [_scattered_one(rng.uniform(0, 1, 2) * shape, rng) for _ in range(count)]


def _scattered_one(place, rng) -> Placed:
    strength = float(np.exp(rng.uniform(np.log(2), np.log(14))))
    if rng.random() < 0.15:
        rim = rng.random() < 0.5
        return Placed(*place, rng.uniform(0.6, 2.0), strength * 1.5, rng.uniform(0.7, 1.0), 1, rim)
    return _one(place, SIZE_MEDIAN_MM * rng.lognormal(0, 0.3), strength, rng)


def _one(place, median_mm: float, strength: float, rng, round_kind: bool = False) -> Placed:
    size_mm = float(np.clip(rng.lognormal(np.log(median_mm), SIZE_LOG_SIGMA), *SIZE_RANGE_MM))
    if round_kind:
        return Placed(*place, size_mm, strength, rng.uniform(0.8, 1.0))
    elongation = rng.uniform(0.15, 0.4) if rng.random() < 0.15 else rng.uniform(0.5, 1.0)
    lumps = 1 if rng.random() < 0.4 else int(rng.integers(2, 5))
    return Placed(*place, size_mm, strength, elongation, lumps)
