"""Calcifications inserted into a user's own mammogram, each with its exact mask."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..breast import breast_region
from ..errors import InputError
from ..mammogram import Mammogram
from . import calcifications
from .calcifications import BENIGN_ONES, Placed, Site
from .cases import CaseOptions, SimulatedCase
from .insertion import Ground, insert

FROM_RIM_MM = 5.0


@dataclass(frozen=True)
class Contents:
    """How many clusters, single MCs and benign calcifications to insert.

    level: typical strength of clusters' MCs in local deviations; None draws it for each.
    """

    clusters: int = 1
    singles: int = 2
    benign: int = 0
    level: float | None = None


def insert_into(mammogram: Mammogram, contents: Contents, seed: int) -> SimulatedCase:
    """The mammogram with calcifications in, at places drawn at random within the breast.

    The same image, contents and seed give the same result. Calcifications that the image
    itself holds stay, and are in no mask. Spacing must be square to 2 %.
    Raises InputError where that is not so, or the breast leaves no room.
    """
    name = mammogram.source.name
    row_mm, col_mm = mammogram.spacing_mm
    if abs(row_mm / col_mm - 1) > 0.02:
        raise InputError(f"{name}: pixels of {row_mm:g} x {col_mm:g} mm; resample to square ones")
    rng = np.random.default_rng(seed)
    inside = breast_region(mammogram)
    room = room_within(inside, row_mm)
    if len(room) == 0:
        raise InputError(
            f"{name}: no place {FROM_RIM_MM:g} mm within the breast; give a larger image"
        )
    placed = _placed(room, row_mm, contents, rng)
    inserted = insert(Ground(mammogram.pixels, inside, row_mm), placed, rng)
    # Grey values beyond the image's own would stand out as no real calcification does.
    low, high = float(mammogram.pixels.min()), float(mammogram.pixels.max())
    pixels = np.clip(inserted.pixels, low, high)
    if mammogram.presentation != "FOR PROCESSING":
        pixels = np.where(inserted.labels > 0, np.round(pixels), pixels)
    changed = replace(mammogram, pixels=pixels.astype(np.float32))
    options = CaseOptions(
        kind="unstated",
        clusters=contents.clusters,
        singles=contents.singles,
        level=contents.level,
        raw=mammogram.presentation == "FOR PROCESSING",
    )
    return SimulatedCase(
        name, changed, inserted.labels, inserted.placed, options, seed, background="real"
    )


def room_within(inside: np.ndarray, spacing_mm: float) -> np.ndarray:
    """(n, 2) pixels, about 1 mm apart, that lie over 5 mm from the breast's rim.

    The image's own border is no rim: behind it the breast goes on.
    """
    step = max(1, round(1 / spacing_mm))
    coarse = np.pad(inside[::step, ::step], 10, mode="edge")
    from_rim = distance_transform_edt(coarse)[10:-10, 10:-10] * step * spacing_mm
    return np.argwhere((from_rim > FROM_RIM_MM) & inside[::step, ::step]) * step


def _placed(room: np.ndarray, spacing_mm: float, contents: Contents, rng) -> list[Placed]:
    def anywhere() -> np.ndarray:
        return room[rng.integers(len(room))] + rng.uniform(0, 1 / spacing_mm, 2)

    placed: list[Placed] = []
    for number in range(1, contents.clusters + 1):
        direction = rng.uniform(0, 2 * np.pi)
        site = Site(tuple(anywhere()), number, direction, contents.level)
        placed += calcifications.cluster(site, spacing_mm, rng)
    placed += [calcifications.single(anywhere(), rng) for _ in range(contents.singles)]
    for _ in range(contents.benign):
        placed.append(calcifications.benign(anywhere(), str(rng.choice(BENIGN_ONES)), rng))
    return placed
