"""One simulated mammogram, measured, with crops of its clusters."""

from dataclasses import dataclass

import numpy as np

from ...breast import breast_region
from ...errors import InputError
from ...simulation.cases import CaseOptions, SimulatedCase, simulate_case
from ..comparison import truth_of
from .separability import Candidates, find_candidates
from .specks import Specks, measure_specks, with_clusters_of
from .spectrum import Spectrum, measure_spectrum

CROP_SIDE = 256  # pixels, 11 to 18 mm


@dataclass(frozen=True)
class Crop:
    """pixels: (256, 256) or less, native resolution. text: what it shows, for a reader."""

    pixels: np.ndarray
    text: str


@dataclass(frozen=True)
class Sample:
    """spectrum: None where the breast is too small for one."""

    name: str
    kind: str
    spectrum: Spectrum | None
    specks: Specks
    candidates: Candidates
    crops: tuple[Crop, ...]


def make_sample(seed: int, options: CaseOptions) -> Sample:
    """Simulate a mammogram and measure all of it."""
    return measure_case(simulate_case(seed, options))


def measure_case(case: SimulatedCase) -> Sample:
    """Spectrum, MCs, what else stands out, and a crop around each cluster.

    Sizes and heights are of all MCs that were drawn, for the real ones that they are held
    against were marked by a network, some of them hardly above the noise; clusters are of the
    MCs that can be seen, as readers outlined the real ones.
    """
    mammogram = case.mammogram
    pixels, spacing_mm = mammogram.pixels, mammogram.spacing_mm
    inside = breast_region(mammogram)
    try:
        spectrum = measure_spectrum(pixels, inside, spacing_mm)
    except InputError:  # a small breast still has MCs to measure
        spectrum = None
    masks = (case.mask, case.ignored)
    drawn, seen = (
        measure_specks(pixels, inside, mask, spacing_mm) for mask in (case.drawn, case.mask)
    )
    return Sample(
        case.name,
        case.options.kind,
        spectrum,
        with_clusters_of(drawn, seen),
        find_candidates(pixels, inside, masks, spacing_mm),
        tuple(_cluster_crops(pixels, case.mask, spacing_mm, f"seed {case.seed}")),
    )


def crop_at(pixels: np.ndarray, row: float, col: float) -> np.ndarray:
    """The window of `CROP_SIDE` around a place, moved inside the image where it would not fit."""
    starts = [
        int(np.clip(round(at) - CROP_SIDE // 2, 0, max(0, size - CROP_SIDE)))
        for at, size in zip((row, col), pixels.shape, strict=True)
    ]
    return pixels[starts[0] : starts[0] + CROP_SIDE, starts[1] : starts[1] + CROP_SIDE].copy()


def _cluster_crops(pixels, mask, spacing_mm, text: str):
    truth = truth_of(mask, spacing_mm)
    for number in range(1, len(truth.outlines) + 1):
        members = truth.mcs.centroids_mm[truth.cluster == number]
        place = members.mean(axis=0) / spacing_mm
        yield Crop(crop_at(pixels, *place), f"{text}, {len(members)} MCs, {spacing_mm[0]:g} mm")
