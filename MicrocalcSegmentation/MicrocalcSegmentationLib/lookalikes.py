"""Calcifications along a vessel, told from clusters by where they lie and how they point.

The walls of an artery calcify in two rows ("tram tracks") or, seen from the side or in part,
in one thin chain of plaques that lie along it. A linear cluster in a duct is shorter (up to
16 mm), its MCs point less strictly along it, and no artery is seen where it lies (`vessels`).
A chain is called vascular on plain evidence only: to call a malignant cluster vascular is the
worse error.

All figures are our own choice, and Resources/Formats.md says what they were measured on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from .findings import VASCULAR, Calcification
from .vessels import LINK_MM, chains, reach

FEWEST = 8  # calcifications that a course can be read from
BAND_MM = 1.6  # from the middle line: rows are 1 to 3 mm apart
MEMBER_SHARE = 0.75  # of the linked calcifications along the vessel; else it is no chain
# A course is a vessel's from (length in mm, length to width, alignment) on: the longer and the
# thinner, the less its plaques need to point along it. A linear cluster reaches 16 mm.
VASCULAR_FROM = ((10.0, 0.0, 0.75), (18.0, 12.0, 0.3), (24.0, 12.0, 0.0), (16.0, 40.0, -1.0))

FEWEST_ON_ARTERY = 6  # and over so many mm; with what follows, along real ones 6 or more are found
ON_ARTERY_REACH_MM = 4.0
ON_ARTERY_MM = 0.45  # from one of its places, which are 0.4 mm apart
ON_ARTERY_SHARE = 0.7  # of those within 5 mm of it; along real ones 0.74 or more, elsewhere to 0.62
FAINT = 0.6  # median probability; along real vessels 0.1 to 0.3, in a bright linear cluster 0.9
SLENDER_FEWEST, SLENDER_AT_MOST = 3, 0.5  # a look ahead, that dividing regions may bear out
_ROUNDS = 4


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
    arteries: Sequence[np.ndarray] = (),
) -> tuple[Calcification, ...]:
    """Number the vascular groups from 1 in `Calcification.vascular`, the largest first.

    arteries: (n, 2) places in mm from the image's first row and column, of each calcified
    artery that is seen in it.
    """
    positions_mm = np.array([(mc.row, mc.col) for mc in calcifications]).reshape(-1, 2) * spacing_mm
    axes = np.array([(mc.length_mm, mc.width_mm, mc.angle_deg) for mc in calcifications])
    found = [
        linked[followed.members]
        for linked in chains(positions_mm, FEWEST)
        if (followed := course(positions_mm[linked], axes[linked])) is not None
        and is_vascular(followed, len(linked))
    ]
    left = np.ones(len(positions_mm), bool)
    left[np.concatenate([[], *found]).astype(int)] = False
    probability = np.array([mc.probability for mc in calcifications])
    found += _on_arteries(positions_mm, probability, left, arteries)
    marked = list(calcifications)
    for number, members in enumerate(sorted(found, key=lambda one: (-len(one), one[0])), 1):
        for index in members:
            marked[index] = replace(marked[index], kind=VASCULAR, vascular=number)
    return tuple(marked)


def _on_arteries(
    positions_mm: np.ndarray, probability: np.ndarray, left: np.ndarray, arteries
) -> list[np.ndarray]:
    """Indices of the group on each artery, among those that are left, (n,) bool."""
    away_mm = [_away_mm(positions_mm, artery_mm) for artery_mm in arteries]
    on_none = left & np.all([away > ON_ARTERY_MM for away in away_mm], axis=0)
    groups = []
    for away in away_mm:
        on = np.flatnonzero(left & (away <= ON_ARTERY_MM))
        near = len(on) + np.count_nonzero(on_none & (away <= LINK_MM))
        if (
            len(on) >= max(FEWEST_ON_ARTERY, ON_ARTERY_SHARE * near)
            and reach(positions_mm[on]) >= ON_ARTERY_REACH_MM
            and np.median(probability[on]) <= FAINT
        ):
            groups.append(on)
            left[on] = False
    return groups


def may_be_vascular(positions_mm: np.ndarray, arteries: Sequence[np.ndarray] = ()) -> np.ndarray:
    """(n,) bool: which regions of a mask, not yet divided into MCs, a vascular group may hold."""
    may_be = np.zeros(len(positions_mm), bool)
    for linked in chains(positions_mm, SLENDER_FEWEST):
        may_be[linked] = _slenderness(positions_mm[linked]) <= SLENDER_AT_MOST
    for artery_mm in arteries:  # with what lies beside it, which speaks against it
        may_be |= _away_mm(positions_mm, artery_mm) <= LINK_MM
    return may_be


def _away_mm(positions_mm: np.ndarray, artery_mm: np.ndarray) -> np.ndarray:
    """(n,) how far the positions are from the nearest place of an artery."""
    return KDTree(artery_mm).query(positions_mm)[0]


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
