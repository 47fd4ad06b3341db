"""Calcifications along a vessel, told from clusters by where they lie and how they point.

The walls of an artery calcify in two rows ("tram tracks") or, seen from the side or in part,
in one thin chain of plaques that lie along it. A linear cluster in a duct is shorter (up to
16 mm), its MCs point less strictly along it, and the image shows no bright band that they
lie on. A chain is called vascular on plain evidence only: to call a malignant cluster
vascular is the worse error.

All figures are our own choice, and Resources/Formats.md says what they were measured on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from .calcifications import joined
from .findings import VASCULAR, Calcification
from .vessels import Bands

LINK_MM = 5.0  # between neighbours of a chain: plaques come and go along a vessel
FEWEST = 8  # calcifications that a course can be read from
BAND_MM = 1.6  # from the middle line: rows are 1 to 3 mm apart
MEMBER_SHARE = 0.75  # of the linked calcifications along the vessel; else it is no chain
# A course is a vessel's from (length in mm, length to width, alignment) on: the longer and the
# thinner, the less its plaques need to point along it. A linear cluster reaches 16 mm.
VASCULAR_FROM = ((10.0, 0.0, 0.75), (18.0, 12.0, 0.3), (24.0, 12.0, 0.0), (16.0, 40.0, -1.0))

ON_BAND_FEWEST = 6  # calcifications that lie on a bright band of the image
ON_BAND_MM = 0.8  # from its middle line; two walls are 1 to 3 mm apart, seen as one band
ON_BAND_REACH_MM = 4.0
BAND_HEIGHT = 2.6  # over the typical one around; on film 2.7 to 4.3 along vessels, else to 2.4
ON_BAND_SHARE = 0.6  # of a group, at least, where the band stands out by more than it needs to
SLENDER = 0.3  # of a group's spread across to the one along
FAINT = 0.4  # median probability; along real vessels 0.1 to 0.3, in a bright linear cluster 0.9
SLENDER_FEWEST, SLENDER_AT_MOST = 3, 0.5  # a look ahead, that dividing regions may bear out
_ROUNDS = 4

FindBands = Callable[[np.ndarray], Bands]


@dataclass(frozen=True)
class Course:
    """How calcifications follow a smooth curve, such as the middle line of a vessel.

    members: (n,) indices of those within `BAND_MM` of it. length_mm: along it, from the
    first to the last. width_mm: twice the root mean square distance from it.
    alignment: mean of cos(2 x angle between a calcification's longer axis and the curve),
    weighted by 1 - width / length; 1 where all lie along it, about 0 where they lie anyhow.
    """

    members: np.ndarray
    length_mm: float
    width_mm: float
    alignment: float


def mark_vascular(
    calcifications: tuple[Calcification, ...],
    spacing_mm: tuple[float, float],
    bands_around: FindBands | None = None,
) -> tuple[Calcification, ...]:
    """Number the vascular groups from 1 in `Calcification.vascular`, the largest first.

    bands_around: (n, 2) positions in mm -> the image's bright bands near them; None goes by
    the calcifications alone.
    """
    positions_mm = np.array([(mc.row, mc.col) for mc in calcifications]).reshape(-1, 2) * spacing_mm
    axes = np.array([(mc.length_mm, mc.width_mm, mc.angle_deg) for mc in calcifications])
    found = [
        linked[followed.members]
        for linked in chains(positions_mm)
        if (followed := course(positions_mm[linked], axes[linked])) is not None
        and is_vascular(followed, len(linked))
    ]
    if bands_around is not None:
        probability = np.array([mc.probability for mc in calcifications])
        others = np.setdiff1d(np.arange(len(positions_mm)), np.concatenate([[], *found]))
        of_others = positions_mm[others], probability[others]
        found += [others[group] for group in _on_bands(*of_others, bands_around)]
    marked = list(calcifications)
    for number, members in enumerate(sorted(found, key=lambda one: (-len(one), one[0])), 1):
        for index in members:
            marked[index] = replace(marked[index], kind=VASCULAR, vascular=number)
    return tuple(marked)


def may_be_vascular(positions_mm: np.ndarray) -> np.ndarray:
    """(n,) bool: which regions of a mask, not yet divided into MCs, a vascular group may hold."""
    may_be = np.zeros(len(positions_mm), bool)
    for linked in chains(positions_mm, SLENDER_FEWEST):
        may_be[linked] = _slenderness(positions_mm[linked]) <= SLENDER_AT_MOST
    return may_be


def _on_bands(
    positions_mm: np.ndarray, probability: np.ndarray, bands_around: FindBands
) -> list[np.ndarray]:
    """Indices of each slender group of faint ones that lies on a bright band of the image."""
    found = []
    for linked in chains(positions_mm, ON_BAND_FEWEST):
        group_mm = positions_mm[linked]
        if _slenderness(group_mm) <= SLENDER and np.median(probability[linked]) <= FAINT:
            found.append(linked[is_on_band(group_mm, bands_around(group_mm))])
    return [group for group in found if len(group)]


def is_on_band(positions_mm: np.ndarray, bands: Bands) -> np.ndarray:
    """(n,) bool: which of a group lie on the band that it follows; none where it follows none."""
    nothing = np.zeros(len(positions_mm), bool)
    if not len(bands.places_mm):
        return nothing
    away_mm, nearest = KDTree(bands.places_mm).query(positions_mm)
    on, height = away_mm <= ON_BAND_MM, bands.heights[nearest].mean()
    follows = (
        height >= BAND_HEIGHT
        and on.mean() >= max(ON_BAND_SHARE, MEMBER_SHARE * BAND_HEIGHT / height)
        and pdist(positions_mm[on]).max() >= ON_BAND_REACH_MM
    )
    return on if follows else nothing


def _slenderness(positions_mm: np.ndarray) -> float:
    """Spread across over spread along, in [0, 1]."""
    along, across = np.linalg.svd(positions_mm - positions_mm.mean(axis=0), compute_uv=False)
    return float(across / max(along, 1e-9))


def is_vascular(followed: Course, linked: int) -> bool:
    """Whether a course is a vessel's. linked: how many calcifications its chain has in all."""
    if len(followed.members) < MEMBER_SHARE * linked:
        return False
    return any(
        followed.length_mm >= max(length_mm, ratio * followed.width_mm)
        and followed.alignment >= alignment
        for length_mm, ratio, alignment in VASCULAR_FROM
    )


def chains(positions_mm: np.ndarray, fewest: int = FEWEST) -> list[np.ndarray]:
    """Sets of indices of calcifications, so many or more, linked by steps of at most `LINK_MM`."""
    count = len(positions_mm)
    if count < fewest:
        return []
    pairs = KDTree(positions_mm).query_pairs(LINK_MM, output_type="ndarray")
    component = joined(count, *pairs.T)
    order = np.argsort(component, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    return [members for members in sets if len(members) >= fewest]


def course(positions_mm: np.ndarray, axes: np.ndarray) -> Course | None:
    """The smooth curve that most of the calcifications follow; None when too few do.

    positions_mm: (n, 2). axes: (n, 3) length, width, and direction of the length in degrees.
    The curve is a polynomial of the distance along the longest direction, which a vessel
    in a mammogram bends from but rarely turns around.
    """
    centred = positions_mm - positions_mm.mean(axis=0)
    _, _, (major, minor) = np.linalg.svd(centred, full_matrices=False)
    along, across = centred @ major, centred @ minor
    near = np.ones(len(along), bool)
    for _ in range(_ROUNDS):
        degree = 3 if near.sum() >= 2 * FEWEST else 2
        curve = np.polynomial.Polynomial.fit(along[near], across[near], degree)
        slope = curve.deriv()(along)
        away_mm = (across - curve(along)) / np.hypot(1, slope)
        inside = np.abs(away_mm) <= BAND_MM
        settled = (inside == near).all()
        near = inside
        if near.sum() < FEWEST:
            return None
        if settled:
            break
    tangent = major + slope[near, None] * minor
    turned = np.radians(axes[near, 2]) - np.arctan2(tangent[:, 0], tangent[:, 1])
    weight = 1 - axes[near, 1] / axes[near, 0]
    return Course(
        members=np.flatnonzero(near),
        length_mm=_length_mm(curve, along[near]),
        width_mm=float(2 * np.sqrt(np.mean(away_mm[near] ** 2))),
        alignment=float((weight * np.cos(2 * turned)).sum() / max(weight.sum(), 1e-9)),
    )


def _length_mm(curve, along: np.ndarray) -> float:
    grid = np.linspace(along.min(), along.max(), 200)
    return float(np.hypot(np.diff(grid), np.diff(curve(grid))).sum())
