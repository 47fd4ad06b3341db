"""Breasts without calcifications, as line integrals of attenuation.

One voxel phantom (VICTRE, see `phantom/README.md`), cut to random depths, turned,
sheared and bent, gives the anatomy that a 0.2 mm voxel resolves; random fields and
strands give what is finer.
"""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates

from ..resampling import resize, wide_blur
from .texture import coloured_noise, smooth_noise, strands, web

PHANTOM_VOXEL_MM = 0.2
PHANTOM_SHAPE = (258, 539, 331)  # depth between the paddles, along the chest wall, to the nipple
# Linear attenuation near 19 keV, the mean of a 28 kVp W/Rh spectrum (fat 0.46/cm, gland 0.80/cm).
FAT_PER_CM, GLAND_PER_CM = 0.46, 0.80
DETAIL = 0.04  # of attenuation: fine structure of a breast of average thickness
_FAT, _AIR, _PADDLE = 1, 0, 50


@dataclass(frozen=True)
class Anatomy:
    """attenuation: (rows, cols) float32, 0 in air; breast: bool, inside the skin line."""

    attenuation: np.ndarray
    breast: np.ndarray


@lru_cache(maxsize=1)
def _tissue_sums() -> tuple[np.ndarray, np.ndarray]:
    """Cumulative fat and gland-like depth in cm, (depth + 1, along, out), float16."""
    packed = resources.files(__package__).joinpath("phantom/victre_pc_1_crop.raw.gz").read_bytes()
    labels = np.frombuffer(gzip.decompress(packed), np.uint8).reshape(PHANTOM_SHAPE)
    fat = labels == _FAT
    gland = ~fat & (labels != _AIR) & (labels != _PADDLE)
    voxel_cm = PHANTOM_VOXEL_MM / 10

    def depth(tissue):
        sums = np.cumsum(tissue, axis=0, dtype=np.uint16)
        return np.concatenate([np.zeros((1, *tissue.shape[1:]), np.uint16), sums]) * np.float16(
            voxel_cm
        )

    return depth(fat), depth(gland)


def project(start: int, stop: int, density: float = 1.0) -> np.ndarray:
    """(539, 331) float32 attenuation of the phantom's slices start to stop.

    density: factor on the contrast of gland over fat.
    """
    fat, gland = _tissue_sums()
    fat_cm = fat[stop].astype(np.float32) - fat[start]
    gland_cm = gland[stop].astype(np.float32) - gland[start]
    gland_per_cm = FAT_PER_CM + density * (GLAND_PER_CM - FAT_PER_CM)
    return fat_cm * FAT_PER_CM + gland_cm * gland_per_cm


def tissue(shape: tuple[int, int], spacing_mm: float, rng) -> np.ndarray:
    """A field of inner breast, (rows, cols) float32: no skin line, no air.

    Three fields in five show the phantom; all have fine texture, whose strength varies
    with place, and strands. In units of its own: only differences matter.
    """
    field = _fine_structure(shape, spacing_mm, rng)
    if rng.random() < 0.6:
        depth = int(rng.uniform(40, 200))
        start = int(rng.uniform(20, PHANTOM_SHAPE[0] - 20 - depth))
        projection = project(start, start + depth)[40:500, :280]
        coarse = _warped_window(projection, shape, spacing_mm, rng)
        field += rng.uniform(0.2, 0.9) * _in_detail_units(coarse, spacing_mm)
    return field.astype(np.float32)


def _fine_structure(shape, spacing_mm, rng) -> np.ndarray:
    """Power-law texture, a web of ligaments and single strands, in random proportions."""
    beta = rng.uniform(2.2, 3.3)
    field = coloured_noise(shape, spacing_mm, (beta, beta + rng.uniform(0, 0.6), 2.0), rng)
    total = rng.uniform(0.3, 1.0) * _in_detail_units(field, spacing_mm)
    if rng.random() < 0.85:
        lines = web(shape, spacing_mm, rng)
        total += rng.uniform(0.3, 1.3) * _in_detail_units(lines, spacing_mm)
    area_cm2 = np.prod(shape) * spacing_mm**2 / 100
    lines = strands(shape, spacing_mm, area_cm2 * rng.uniform(0.5, 6), rng)
    total += rng.uniform(0.1, 0.8) * _in_detail_units(lines, spacing_mm)
    if rng.random() < 0.7:
        smooth = smooth_noise(shape, spacing_mm, (3.5, 3.5, 1.0), rng)
        total *= np.exp(rng.uniform(0.1, 0.5) * smooth)
    return total


def _in_detail_units(field: np.ndarray, spacing_mm: float) -> np.ndarray:
    """The field over the standard deviation of what it holds below a millimetre."""
    detail = field - wide_blur(field, 1.0 / spacing_mm)
    return (field - field.mean()) / max(float(detail.std()), 1e-6)


def _warped_window(projection, shape, spacing_mm, rng) -> np.ndarray:
    """A turned, sheared, scaled and bent piece of a projection on a finer grid."""
    angle, shear = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scale = spacing_mm / PHANTOM_VOXEL_MM / rng.uniform(1.2, 2.4)
    matrix = turn @ np.array([[1, shear], [0, rng.choice([-1, 1])]]) * scale
    rows, cols = np.meshgrid(
        *[np.arange(s, dtype=np.float32) - s / 2 for s in shape], indexing="ij"
    )
    centre = np.asarray(projection.shape) * rng.uniform(0.35, 0.65, 2)
    row = matrix[0, 0] * rows + matrix[0, 1] * cols + centre[0]
    col = matrix[1, 0] * rows + matrix[1, 1] * cols + centre[1]
    return map_coordinates(projection, [row, col], order=3, mode="mirror", output=np.float32)


def breast(shape: tuple[int, int], spacing_mm: float, rng) -> Anatomy:
    """A whole breast in the craniocaudal view, chest wall along the first column."""
    depth = int(rng.uniform(140, 230))
    start = int(rng.uniform(5, PHANTOM_SHAPE[0] - 5 - depth))
    projection = project(start, start + depth, rng.uniform(0.3, 1.3))
    scale = _fit(shape, spacing_mm) * rng.uniform(0.85, 1.0)
    rows, cols = np.meshgrid(*[np.arange(s, dtype=np.float32) for s in shape], indexing="ij")
    row = (rows - shape[0] / 2) * scale + PHANTOM_SHAPE[1] / 2
    bend = rng.uniform(-0.12, 0.12)
    row += bend * cols * scale + 6 * np.sin(cols * scale / 60 + rng.uniform(0, 6)) * rng.random()
    if rng.random() < 0.5:
        row = PHANTOM_SHAPE[1] - row
    col = cols * scale * (1 + rng.uniform(-0.08, 0.08))
    coarse = map_coordinates(projection, [row, col], order=1, mode="nearest", output=np.float32)
    coarse = wide_blur(coarse, 0.8 * PHANTOM_VOXEL_MM / spacing_mm)
    # The voxels' steps would show along the skin.
    inside = wide_blur(coarse, 3 * PHANTOM_VOXEL_MM / spacing_mm) > 0.25
    return Anatomy(_with_fine_structure(coarse, inside, spacing_mm, rng), inside)


def distance_to_air_mm(inside: np.ndarray, spacing_mm: float) -> np.ndarray:
    """(rows, cols) float32: how far each pixel is from the nearest outside, 0 there."""
    step = max(1, round(0.2 / spacing_mm))
    coarse = distance_transform_edt(inside[::step, ::step]).astype(np.float32)
    return resize(coarse, inside.shape) * np.float32(step * spacing_mm) * inside


def _fit(shape, spacing_mm) -> float:
    """Phantom voxels per pixel that let the breast fill most of the image."""
    along = PHANTOM_SHAPE[1] * 0.98 / shape[0]
    outwards = PHANTOM_SHAPE[2] * 0.98 / shape[1]
    natural = spacing_mm / PHANTOM_VOXEL_MM
    return max(along, outwards, natural * 0.6)


def _with_fine_structure(coarse, inside, spacing_mm, rng) -> np.ndarray:
    fine = _fine_structure(coarse.shape, spacing_mm, rng)
    fine -= wide_blur(fine, 3.0 / spacing_mm)
    inner = wide_blur(coarse, 1.0 / spacing_mm)
    strength = DETAIL / 2 * rng.uniform(0.6, 1.6) * inner
    to_skin_mm = distance_to_air_mm(inside, spacing_mm)
    roll_off = np.clip(to_skin_mm / 4, 0, 1).astype(np.float32)
    skin = np.exp(-(((to_skin_mm - 0.7) / 0.6) ** 2)) * rng.uniform(0.02, 0.08)
    return np.where(inside, coarse + strength * fine * roll_off + skin, 0).astype(np.float32)
