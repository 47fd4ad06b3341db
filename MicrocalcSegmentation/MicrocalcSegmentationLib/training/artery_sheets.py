"""Training images of the network that knows arteries: vessels among all that is in a breast."""

from dataclasses import replace

import numpy as np

from ..resampling import resize_mask, working_shape
from ..simulation.arteries import vessel
from ..simulation.insertion import insert
from ..vessels import HALF, halved, summed
from .sheets import (
    BACKGROUND,
    IGNORED,
    MC,
    Crowding,
    Sheet,
    calcifications_for,
    ground_of,
    normalised,
    square,
    with_artefacts,
)
from .tissue import RealTissue

ARTERY = MC  # the label of what is looked for
# Clusters, and now and then an artery of thin walls and single plaques, which counts neither way.
_AROUND = Crowding(0.1, 8, (1, 5), 1.5, 0.15)
_WITH_ARTERIES, _MOST_ARTERIES, _ARTERY_DEVIATIONS = 0.65, 3, (1.2, 9.0)
_SCAN_LINES = 0.7  # a film, on the average
_WITH_VESSELS, _MOST_VESSELS, _VESSEL_DEVIATIONS = 0.7, 5, (0.7, 8.0)


def make_artery_sheet(seed: int, real: RealTissue | None = None) -> Sheet:
    """One square of 5 cm at 0.1 mm, (512, 512); the same seed and tissue give the same.

    Its labels are `ARTERY` where a calcified artery runs. Vessels without calcium, as bright
    and brighter, clusters, look-alikes and artefacts lie about as well.
    """
    rng = np.random.default_rng(seed)
    ground, film, _ = ground_of(real or RealTissue(), rng)
    tissue, inside, spacing = ground.pixels, ground.inside, ground.spacing_mm
    placed = calcifications_for(tissue.shape, spacing, _AROUND, rng)
    inserted = insert(ground, placed, rng)
    shape = working_shape(tissue.shape, (spacing, spacing))
    unsure = np.array([False, *(one.kind == "vascular" for one in inserted.placed)])
    labels = np.where(resize_mask(unsure[inserted.labels], shape), IGNORED, BACKGROUND)
    pixels, bands = inserted.pixels.copy(), np.zeros(inside.shape, bool)
    for calcified, deviations in _vessels(rng):
        drawn = vessel(tissue.shape, spacing, calcified, rng)
        if drawn is None:
            continue
        strength = np.float32(np.exp(rng.uniform(*np.log(deviations))))
        pixels += strength * drawn.thickness * inserted.deviation * inside
        if calcified:
            bands |= drawn.band & inside
    labels[resize_mask(bands, shape)] = ARTERY
    if film:
        pixels += _scan_lines(pixels.shape, rng) * inserted.deviation * inside
    pixels = with_artefacts(replace(inserted, pixels=pixels), inside, spacing, film, rng)
    values = square(normalised(pixels, inside, spacing))
    return Sheet(halved(values, values != 0).astype(np.float16), _halved_labels(square(labels)))


def _vessels(rng) -> list[tuple[bool, tuple[float, float]]]:
    """Which vessels a sheet has: whether calcified, and how far they stand out."""
    arteries = rng.integers(1, _MOST_ARTERIES + 1) if rng.random() < _WITH_ARTERIES else 0
    others = rng.integers(1, _MOST_VESSELS + 1) if rng.random() < _WITH_VESSELS else 0
    calcified = [(True, _ARTERY_DEVIATIONS)] * int(arteries)
    return calcified + [(False, _VESSEL_DEVIATIONS)] * int(others)


def _scan_lines(shape: tuple[int, int], rng) -> np.ndarray:
    """(rows, 1) or (1, cols) float32: lines that a scanner left, in local deviations.

    Half of them are a pair, as the edges of a vessel are.
    """
    axis = int(rng.integers(2))
    lines = np.zeros(shape[axis], np.float32)
    for _ in range(rng.poisson(_SCAN_LINES)):
        first, width = int(rng.integers(shape[axis])), int(rng.integers(1, 8))
        edges = slice(first, first + width, max(1, width - 1)) if rng.random() < 0.5 else None
        lines[edges or slice(first, first + width)] += np.float32(rng.uniform(0.3, 3.0))
    return lines[:, None] if axis == 0 else lines[None]


def _halved_labels(labels: np.ndarray) -> np.ndarray:
    artery, unsure = (summed((labels == one).view(np.uint8)) for one in (ARTERY, IGNORED))
    return np.select([artery >= HALF**2 / 2, unsure > 0], [ARTERY, IGNORED], BACKGROUND).astype(
        np.uint8
    )
