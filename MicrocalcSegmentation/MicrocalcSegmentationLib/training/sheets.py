"""Training images: pieces of breast with calcifications in, ready for the networks.

A sheet is a square of tissue at 0.05 mm, already normalised, with a label per pixel.
Its tissue is simulated, or real and without annotated calcifications.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, gaussian_filter

from ..normalisation import normalise
from ..resampling import resize, resize_mask, working_shape
from ..settings import METHOD_SPACING_MM
from ..simulation import acquisition, anatomy, calcifications
from ..simulation.calcifications import BENIGN_ONES, Site
from ..simulation.insertion import (
    DIGITAL_UNSHARP_MM,
    UNSHARP_MM,
    Ground,
    Inserted,
    insert,
)
from ..simulation.outline import GRID_MM, VIEWS
from ..simulation.outline import missing_cm as missing_cm_of
from ..simulation.parenchyma import DENSITIES
from ..simulation.texture import random_curve
from .doubtful import doubtful_dots
from .tissue import RealTissue

SHEET_PX = 1024
BACKGROUND, MC, IGNORED = 0, 1, 2
KINDS = DIGITAL, FILM = "digital", "film"
DIGITAL_SPACINGS_MM = (0.05, 0.065, 0.07, 0.07, 0.085, 0.1)  # Fuji, Hologic, Siemens, GE
FILM_SPACINGS_MM = (0.042, 0.0435, 0.05, 0.05)  # the scanners of CBIS-DDSM
# Shares of all sheets: film; film without its grain, as a digital unit would show that tissue,
# which is more real anatomy than a few digital mammograms hold; real digital ones.
_FILM, _SMOOTHED_FILM, _REAL_DIGITAL = 0.35, 0.2, 0.3
_TILE_MM = 0.045  # a film tile's pixels, nearly enough
_GRAIN_MM = (0.035, 0.1)  # sigma of the blur that takes off its grain
_LEAST_BREAST = 0.4  # of a square; less teaches little
# Networks learn from MCs that can be seen or nearly so, more of them plain than in patients;
# fainter ones are drawn and count neither as MC nor as tissue.
_CERTAIN_FROM = 3.5  # signal-to-noise ratio of an ideal observer
_LEVELS = (2.0, 10.0)
_DIGITAL_BACKGROUND_MM = (0.06, 0.085)  # not stated; and few images are to stand for many units
_DETECTOR_MM = (240.0, 180.0)


@dataclass(frozen=True)
class Sheet:
    """pixels: (1024, 1024) float16, normalised. labels: uint8 of BACKGROUND, MC, IGNORED."""

    pixels: np.ndarray
    labels: np.ndarray


def kind_of(seed: int) -> str:
    """FILM or DIGITAL: where the tissue of a seed's sheet is from."""
    return FILM if np.random.default_rng(seed).random() < _FILM + _SMOOTHED_FILM else DIGITAL


def make_sheet(seed: int, real: RealTissue | None = None, crowded: bool = True) -> Sheet:
    """One training image; the same seed and tissue give the same image.

    crowded: with many MCs, to learn from; otherwise with few or none, nearer to patients.

    A third imitates film, and a fifth film whose grain is replaced by a digital unit's noise,
    both of real tiles where there are any; three of ten are pieces of real digital mammograms
    where there are any; the rest is simulated.
    """
    rng = np.random.default_rng(seed)
    ground, film, is_real = ground_of(real or RealTissue(), rng)
    tissue, inside, spacing = ground.pixels, ground.inside, ground.spacing_mm
    how = CROWDED if crowded else SPARSE
    placed = calcifications_for(tissue.shape, spacing, how, rng)
    inserted = insert(ground, placed, rng)
    pixels = with_artefacts(inserted, inside, spacing, film, rng)
    labels = _labels(inserted, working_shape(tissue.shape, (spacing, spacing)))
    if is_real:
        dots = doubtful_dots(normalised(tissue, inside, spacing), film)
        labels[dots & (labels != MC)] = IGNORED
    values = normalised(pixels, inside, spacing)
    return Sheet(square(values).astype(np.float16), square(labels))


class Drawn(NamedTuple):
    """Tissue to insert into, whether as film shows it, and whether it is real."""

    ground: Ground
    film: bool
    is_real: bool


def ground_of(real: RealTissue, rng) -> Drawn:
    """A square of tissue without calcifications of ours, drawn as `make_sheet` says."""
    kind = rng.random()
    film, smoothed = kind < _FILM, _FILM <= kind < _FILM + _SMOOTHED_FILM
    spacing = float(rng.choice(FILM_SPACINGS_MM if film else DIGITAL_SPACINGS_MM))
    is_real = bool(real.film if film or smoothed else kind > 1 - _REAL_DIGITAL and real.digital)
    if smoothed:
        tissue, inside = _smoothed_film(real.film, spacing, rng)
    elif film and is_real:
        tissue, inside = _film_tissue(real.film, rng)
    elif is_real:
        spacing = float(rng.uniform(*_DIGITAL_BACKGROUND_MM))
        path = real.digital[rng.integers(len(real.digital))]
        tissue, inside = _digital_tissue(path, spacing, rng)
    else:
        tissue, inside = _simulated_tissue(spacing, film, rng)
    if film and rng.random() < 0.3:
        tissue = acquisition.noisy(tissue, spacing, rng.uniform(0.2, 1.0), rng)
    unsharp_mm = UNSHARP_MM if film else DIGITAL_UNSHARP_MM
    return Drawn(Ground(tissue, inside, spacing, unsharp_mm=unsharp_mm), film, is_real)


def _film_tissue(tiles: Sequence[Path], rng) -> tuple[np.ndarray, np.ndarray]:
    """One of the tiles that show enough breast."""
    for _ in range(20):
        path = tiles[rng.integers(len(tiles))]
        pixels = np.asarray(Image.open(path).convert("L"), np.float32)
        # Below a twentieth of full scale a film tile shows air; its texture is the scanner's.
        if (pixels > 12).mean() > _LEAST_BREAST:
            break
    pixels = np.rot90(pixels, rng.integers(4))
    return _dithered(pixels, rng), pixels > 12


def _smoothed_film(tiles: Sequence[Path], spacing: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """Film blurred until little grain is left, at another spacing, with a digital unit's noise."""
    tissue, inside = _film_tissue(tiles, rng) if tiles else _simulated_tissue(_TILE_MM, True, rng)
    tissue = gaussian_filter(tissue, rng.uniform(*_GRAIN_MM) / _TILE_MM)
    shape = working_shape(tissue.shape, (_TILE_MM, _TILE_MM), spacing)
    tissue, inside = resize(tissue, shape), resize_mask(inside, shape)
    return acquisition.noisy(tissue, spacing, rng.uniform(0.2, 1.0), rng), inside


def _digital_tissue(path: Path, spacing: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """A square with enough breast in it, at times softened or with some noise added."""
    pixels = np.asarray(Image.open(path).convert("L"), np.float32)
    side = int(np.ceil(SHEET_PX * METHOD_SPACING_MM / spacing))
    limits = [size - side for size in pixels.shape]
    for _ in range(200):
        row, col = (rng.integers(0, limit + 1) for limit in limits)
        square = pixels[row : row + side, col : col + side]
        if (square > 12).mean() > _LEAST_BREAST:
            break
    square = np.rot90(square, rng.integers(4))
    if rng.random() < 0.5:
        square = square[::-1]
    inside = square > 6
    tissue = _dithered(square, rng)
    if rng.random() < 0.3:
        tissue = gaussian_filter(tissue, rng.uniform(0.3, 0.8))
    if rng.random() < 0.4:
        tissue = acquisition.noisy(tissue, spacing, rng.uniform(0.1, 0.5), rng)
    return tissue, inside


def _dithered(pixels: np.ndarray, rng) -> np.ndarray:
    """8-bit levels blurred into one another, so that rounding is no texture."""
    return pixels + rng.uniform(-0.5, 0.5, pixels.shape).astype(np.float32)


def _simulated_tissue(spacing: float, film: bool, rng) -> tuple[np.ndarray, np.ndarray]:
    """A square of a simulated mammogram as its system hands it on, not yet sharpened."""
    side = int(np.ceil(SHEET_PX * METHOD_SPACING_MM / spacing))
    view, density = rng.choice(VIEWS), rng.choice(DENSITIES, p=(0.2, 0.3, 0.3, 0.2))
    planned = anatomy.plan(str(view), str(density), _DETECTOR_MM, rng)
    corner_mm = _corner_with_breast(planned.outline.to_air_mm > 0, side * spacing, rng)
    rendered = anatomy.render(planned, (side, side), spacing, rng, corner_mm)
    if film:
        bright = acquisition.expose_film(rendered.attenuation, spacing, rng)
        return acquisition.digitised(bright.values, rng), rendered.breast
    exposure = acquisition.expose_digital(rendered.attenuation, spacing, rng)
    missing_cm = anatomy.window_of(missing_cm_of(planned.outline), (side, side), spacing, corner_mm)
    return acquisition.presented(exposure.values, rendered.breast, missing_cm, spacing, rng), (
        rendered.breast
    )


def _corner_with_breast(inside: np.ndarray, side_mm: float, rng) -> tuple[float, float]:
    """(down, out) in mm of a square at least half of which is breast, where one is found."""
    side = int(side_mm / GRID_MM)
    for _ in range(100):
        row, col = (int(rng.integers(0, max(1, size - side))) for size in inside.shape)
        if inside[row : row + side, col : col + side].mean() > _LEAST_BREAST:
            break
    return row * GRID_MM, col * GRID_MM


@dataclass(frozen=True)
class Crowding:
    """without: share of sheets without any MC. singles, benign: how many of them, on the
    average. clusters: from so many to fewer than so many. vascular: share of sheets with one.
    """

    without: float
    singles: float
    clusters: tuple[int, int]
    benign: float
    vascular: float


CROWDED = Crowding(0.15, 8, (2, 9), 1.5, 0.2)
SPARSE = Crowding(0.4, 2, (1, 3), 0.3, 0.05)


def calcifications_for(shape, spacing: float, how: Crowding, rng) -> list[calcifications.Placed]:
    """MCs, far more crowded than in a patient or nearly so, and look-alikes of every kind."""
    if rng.random() < how.without:
        return []

    def anywhere() -> np.ndarray:
        return rng.uniform(0.05, 0.95, 2) * shape

    placed = [calcifications.single(anywhere(), rng) for _ in range(rng.poisson(how.singles))]
    for number in range(1, int(rng.integers(*how.clusters)) + 1):
        direction = rng.uniform(0, 2 * np.pi)
        level = float(np.exp(rng.uniform(*np.log(_LEVELS))))
        site = Site(tuple(anywhere()), number, direction, level)
        placed += calcifications.cluster(site, spacing, rng)
    for _ in range(rng.poisson(how.benign)):
        placed.append(calcifications.benign(anywhere(), str(rng.choice(BENIGN_ONES)), rng))
    if rng.random() < how.vascular:
        path = random_curve(shape, spacing, rng, (10.0, 40.0))
        radius_px = rng.uniform(0.4, 1.2) / spacing
        placed += calcifications.vascular(path, radius_px, spacing, rng)
    return placed


def with_artefacts(inserted: Inserted, inside, spacing: float, film: bool, rng) -> np.ndarray:
    """Hot pixels, damage to a film, beads, and the sharpening that some units do."""
    pixels, deviation = inserted.pixels, inserted.deviation
    pixels = acquisition.hot_pixels(pixels, deviation, rng.poisson(8 if film else 1), rng)
    if film and rng.random() < 0.45:
        pixels = acquisition.film_damage(pixels, deviation, spacing, rng)
    if rng.random() < 0.15:
        pixels = acquisition.bead(pixels, inside, spacing, rng)
    if rng.random() < 0.4:
        pixels = acquisition.sharpened(pixels, spacing, rng)
    return pixels


def normalised(pixels: np.ndarray, inside: np.ndarray, spacing: float) -> np.ndarray:
    """As the networks see it, at 0.05 mm."""
    shape = working_shape(pixels.shape, (spacing, spacing))
    method = (METHOD_SPACING_MM, METHOD_SPACING_MM)
    return normalise(resize(pixels, shape), resize_mask(inside, shape), method).values


def _labels(inserted: Inserted, shape: tuple[int, int]) -> np.ndarray:
    """BACKGROUND, MC or IGNORED of every pixel at 0.05 mm."""
    certain = [one.counted and one.snr >= _CERTAIN_FROM for one in inserted.placed]
    mcs = np.array([False, *certain])[inserted.labels]
    uncertain = resize_mask((inserted.labels > 0) & ~mcs, shape)
    labels = np.where(binary_dilation(uncertain, iterations=2), IGNORED, BACKGROUND)
    labels[resize_mask(mcs, shape)] = MC
    return labels.astype(np.uint8)


def square(values: np.ndarray) -> np.ndarray:
    """The first `SHEET_PX` rows and columns, filled up with 0."""
    short = [max(0, SHEET_PX - size) for size in values.shape]
    return np.pad(values, [(0, short[0]), (0, short[1])])[:SHEET_PX, :SHEET_PX]
