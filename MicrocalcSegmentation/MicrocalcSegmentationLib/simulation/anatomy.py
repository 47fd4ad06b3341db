"""Breasts without calcifications, as line integrals of attenuation.

A breast is planned once on a grid of 0.2 mm (outline, gland, muscle, lesions) together with
its lines (ligaments, ducts, vessels); any window of it can then be rendered at any pixel
spacing, with the fine texture that the spacing resolves.
"""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from ..bands import in_bands
from ..resampling import resize, wide_blur
from .lines import Line, draw_lines
from .outline import GRID_MM, Outline, depths_cm, outline
from .parenchyma import gland_share, lesions_cm, muscle_share
from .septa import septa_cm
from .strands import breast_lines
from .texture import coloured_noise

PHANTOM_VOXEL_MM = 0.2
PHANTOM_SHAPE = (258, 539, 331)  # depth between the paddles, along the chest wall, to the nipple
# Linear attenuation near 19 keV, the mean of a 28 kVp W/Rh spectrum (fat 0.46/cm, gland 0.80/cm).
FAT_PER_CM, GLAND_PER_CM = 0.46, 0.80
_NOT_GLAND = (0, 1, 2, 40, 50)  # the phantom's air, fat, skin, muscle and paddles
DETAIL = 0.016  # attenuation, deviation of the texture below a millimetre in an average breast


@dataclass(frozen=True)
class Breast:
    """A planned breast, left, chest wall along the first column.

    size_mm: (height, width) of the detector. attenuation: (rows, cols) float32 on the
    0.2 mm grid, without lines and fine texture, 0 in air. texture: float32, the deviation
    of the fine texture in attenuation. roughness: its spectral exponent.
    """

    size_mm: tuple[float, float]
    density: str
    outline: Outline
    attenuation: np.ndarray
    texture: np.ndarray
    roughness: float
    lines: list[Line]


@dataclass(frozen=True)
class Anatomy:
    """attenuation: (rows, cols) float32, 0 in air; breast: bool, inside the skin line."""

    attenuation: np.ndarray
    breast: np.ndarray


def plan(view: str, density: str, size_mm: tuple[float, float], rng) -> Breast:
    """A breast of BI-RADS density "A" to "D" in the "CC" or "MLO" view."""
    shape = outline(view, size_mm, rng)
    inner_cm, skin_cm = depths_cm(shape, rng.uniform(1.0, 2.2))
    gland = gland_share(shape, density, rng)
    if rng.random() < 0.4:
        gland = np.clip(gland + _phantom_share(shape, rng) * (0.15 + gland), 0, 1)
    septa = septa_cm(shape, gland, rng) * np.clip(shape.to_air_mm / 5, 0, 1)
    muscle = muscle_share(shape, rng)
    gland = np.maximum(gland * (1 - muscle), muscle)
    contrast = GLAND_PER_CM - FAT_PER_CM
    attenuation = inner_cm * (FAT_PER_CM + contrast * gland) + skin_cm * GLAND_PER_CM
    attenuation += contrast * lesions_cm(shape, rng) * (shape.to_air_mm > 3)
    attenuation += contrast * (_folds_cm(shape, rng) + septa * (1 - 0.7 * muscle))
    inside = shape.to_air_mm > 0
    inner = np.clip(inner_cm / inner_cm.max(), 0, 1)
    texture = rng.uniform(0.7, 1.3) * np.sqrt(inner) * (0.6 + 0.6 * np.sqrt(gland))
    return Breast(
        size_mm,
        density,
        shape,
        np.where(inside, attenuation, 0).astype(np.float32),
        np.where(inside, texture, 0).astype(np.float32),
        rng.uniform(2.7, 3.2),
        breast_lines(shape, float(np.exp(rng.normal(0, 0.35))), rng),
    )


def render(
    breast: Breast, shape: tuple[int, int], spacing_mm: float, rng, corner_mm=(0.0, 0.0)
) -> Anatomy:
    """A window of (rows, cols) pixels of the breast. corner_mm: (down, out) where it begins."""
    coarse = window_of(breast.attenuation, shape, spacing_mm, corner_mm)
    edge = window_of(breast.outline.to_air_mm, shape, spacing_mm, corner_mm)
    inside = edge > 0
    texture = window_of(breast.texture, shape, spacing_mm, corner_mm)
    lines_cm = draw_lines(breast.lines, corner_mm, shape, spacing_mm)
    fine = _fine_texture(shape, spacing_mm, breast.roughness, rng)
    contrast = np.float32(GLAND_PER_CM - FAT_PER_CM)
    attenuation = np.empty(shape, np.float32)

    def add(band: slice) -> None:
        detail = np.float32(DETAIL) * texture[band] * fine[band]
        total = coarse[band] + (contrast * lines_cm[band] + detail) * np.clip(edge[band] / 3, 0, 1)
        attenuation[band] = np.where(inside[band], np.maximum(total, 0), 0)

    in_bands(shape[0], add)
    return Anatomy(attenuation, inside)


def _fine_texture(shape, spacing_mm: float, roughness: float, rng) -> np.ndarray:
    """Power-law texture below 3 mm, its detail below 1 mm of deviation 1."""
    grid_mm = max(spacing_mm, 0.1)
    size = tuple(int(np.ceil(s * spacing_mm / grid_mm)) for s in shape)
    field = coloured_noise(size, grid_mm, (1.0, roughness, 0.35), rng)
    detail = field - wide_blur(field, 1.0 / grid_mm)
    return resize(field / max(float(detail.std()), 1e-6), shape)


def window_of(
    field: np.ndarray, shape: tuple[int, int], spacing_mm: float, corner_mm=(0.0, 0.0)
) -> np.ndarray:
    """A field of the 0.2 mm grid on the pixels of a window, linearly interpolated.

    Returns (rows, cols) float32, not to be written to.
    """
    box = [
        (start / GRID_MM, (start + size * spacing_mm) / GRID_MM)
        for size, start in zip(shape, corner_mm, strict=True)
    ]
    first = [max(0, int(low) - 2) for low, _ in box]
    last = [int(np.ceil(high)) + 2 for _, high in box]
    part = np.ascontiguousarray(field[first[0] : last[0], first[1] : last[1]], np.float32)
    (top, bottom), (left, right) = (
        (max(low - f, 0), min(high - f, n))
        for (low, high), f, n in zip(box, first, part.shape, strict=True)
    )
    image = Image.fromarray(part)
    return np.asarray(
        image.resize(shape[::-1], Image.Resampling.BILINEAR, (left, top, right, bottom))
    )


def _folds_cm(shape: Outline, rng) -> np.ndarray:
    """(rows, cols) float32 cm of doubled skin: a soft band near the rim, on one breast of eight."""
    total = np.zeros(shape.to_air_mm.shape, np.float32)
    if rng.random() > 0.12:
        return total
    from_edge = rng.uniform(3, 12)
    band = np.exp(-(((shape.to_air_mm - from_edge) / rng.uniform(0.6, 1.5)) ** 2))
    rows = np.arange(total.shape[0])
    centre = shape.nipple_mm[0] / GRID_MM + rng.choice([-1, 1]) * rng.uniform(200, 400)
    reach = np.exp(-(((rows - centre) / rng.uniform(40, 90)) ** 2))[:, None]
    return (band * reach * rng.uniform(0.1, 0.4)).astype(np.float32)


@lru_cache(maxsize=1)
def _gland_sums() -> np.ndarray:
    """Cumulative gland-like depth of the phantom in voxels, (depth + 1, along, out), uint16."""
    packed = resources.files(__package__).joinpath("phantom/victre_pc_1_crop.raw.gz").read_bytes()
    labels = np.frombuffer(gzip.decompress(packed), np.uint8).reshape(PHANTOM_SHAPE)
    gland = ~np.isin(labels, _NOT_GLAND)
    sums = np.cumsum(gland, axis=0, dtype=np.uint16)
    return np.concatenate([np.zeros((1, *gland.shape[1:]), np.uint16), sums])


def _phantom_share(shape: Outline, rng) -> np.ndarray:
    """(rows, cols) float32 in 0..1: gland of a cut of the phantom, bent into the outline."""
    depth = int(rng.uniform(40, 180))
    start = int(rng.uniform(15, PHANTOM_SHAPE[0] - 15 - depth))
    sums = _gland_sums()
    share = (sums[start + depth].astype(np.float32) - sums[start]) / depth
    rows, cols = shape.to_air_mm.shape
    down = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * GRID_MM - shape.nipple_mm[0]
    behind = shape.nipple_mm[1] - (np.arange(cols, dtype=np.float32)[None] + 0.5) * GRID_MM
    scale = rng.uniform(0.75, 1.3) / PHANTOM_VOXEL_MM
    flip = rng.choice([-1, 1])
    bend = rng.uniform(-0.15, 0.15)
    row = PHANTOM_SHAPE[1] / 2 + flip * scale * (down + bend * behind)
    col = (PHANTOM_SHAPE[2] - 25) - scale * behind + 0 * down
    # The phantom ends at its chest wall: further back it is seen in a mirror.
    bent = map_coordinates(share, [row, np.abs(col)], order=1, mode="mirror", output=np.float32)
    near_skin = np.clip((shape.to_air_mm - 4) / 8, 0, 1)
    return gaussian_filter(bent, 0.8) * near_skin * np.float32(rng.uniform(0.4, 1.0))
