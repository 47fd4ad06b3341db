"""Calcifications along a vessel, told from clusters by where they lie and how they point.

The walls of an artery calcify in two rows ("tram tracks") or, seen from the side or in part,
in one thin chain of plaques that lie along it. A linear cluster in a duct is shorter (up to
16 mm), and its MCs point less strictly along it. A chain is called vascular on plain
evidence only: to call a malignant cluster vascular is the worse error.

All figures are our own choice, measured on simulated groups (see Resources/Formats.md).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from .findings import VASCULAR, Calcification

LINK_MM = 6.0  # between neighbours of a chain: plaques come and go along a vessel
FEWEST = 8  # calcifications that a course can be read from
BAND_MM = 1.6  # from the middle line: rows are 1 to 3 mm apart
MEMBER_SHARE = 0.75  # of the linked calcifications in the band; else it is no chain
SHORTEST_MM = 10.0
ALIGNED = 0.75  # see `Course`; linear clusters reached 0.79, 95 % of vascular ones 0.78
LONG_MM = 16.0  # a linear cluster reaches no farther; beyond, weaker evidence is enough
THIN_RATIO = 25.0  # of length to width of a thin chain
WEAKLY_ALIGNED = 0.35
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
    calcifications: tuple[Calcification, ...], spacing_mm: tuple[float, float]
) -> tuple[Calcification, ...]:
    """Number the vascular groups from 1 in `Calcification.vascular`, the largest first."""
    positions_mm = np.array([(mc.row, mc.col) for mc in calcifications]).reshape(-1, 2) * spacing_mm
    axes = np.array([(mc.length_mm, mc.width_mm, mc.angle_deg) for mc in calcifications])
    found = [
        linked[followed.members]
        for linked in chains(positions_mm)
        if (followed := course(positions_mm[linked], axes[linked])) is not None
        and is_vascular(followed, len(linked))
    ]
    marked = list(calcifications)
    for number, members in enumerate(sorted(found, key=lambda one: (-len(one), one[0])), 1):
        for index in members:
            marked[index] = replace(marked[index], kind=VASCULAR, vascular=number)
    return tuple(marked)


def is_vascular(followed: Course, linked: int) -> bool:
    """Whether a course is a vessel's. linked: how many calcifications its chain has in all."""
    if len(followed.members) < MEMBER_SHARE * linked:
        return False
    aligned = followed.length_mm >= SHORTEST_MM and followed.alignment >= ALIGNED
    thin = (
        followed.length_mm >= LONG_MM
        and followed.length_mm >= THIN_RATIO * followed.width_mm
        and followed.alignment >= WEAKLY_ALIGNED
    )
    return aligned or thin


def chains(positions_mm: np.ndarray) -> list[np.ndarray]:
    """Indices of calcifications linked by steps of at most `LINK_MM`, `FEWEST` or more."""
    count = len(positions_mm)
    if count < FEWEST:
        return []
    pairs = KDTree(positions_mm).query_pairs(LINK_MM, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    return [members for members in sets if len(members) >= FEWEST]


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
