"""Groups of microcalcifications, by the method's definition.

Valvano et al. 2019 call a region with more than 5 distinct MCs per cm2 a cluster. Stated
exactly: MCs belong together when at least 6 of them fit into one closed disc of 1 cm2
(radius 5.642 mm), centroids counting. A cluster is a largest set of MCs that such discs
hold, where discs which share an MC hold the same cluster. So 5 MCs are never a cluster, 6
on the rim of a disc of 1 cm2 are one, and 6 on the rim of a larger disc are none.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import ConvexHull, KDTree
from scipy.spatial.distance import pdist

from .calcifications import find_boxes
from .findings import MICROCALCIFICATION, Calcification, Cluster
from .lookalikes import mark_vascular
from .settings import CLUSTER_AREA_MM2, CLUSTER_MIN_MCS

RADIUS_MM = float(np.sqrt(CLUSTER_AREA_MM2 / np.pi))
REGIONAL_MM = 20.0  # BI-RADS: grouped within 2 cm, regional beyond
LINEAR_RATIO = 0.25  # of width to length; our own choice, BI-RADS gives no figure
_TOLERANCE = 1e-9  # of the radius: a centroid on the rim is inside
_REACH_MM = RADIUS_MM * (1 + _TOLERANCE)


def group(positions_mm: np.ndarray) -> list[np.ndarray]:
    """Indices of the MCs of each cluster, (n, 2) positions in mm -> list of int arrays.

    If a disc holds 6 MCs, so does one of the same size with one of them on its rim and all
    others in it; such discs are turned around every MC, and those that hold 6 noted. Each
    list is sorted; lists come in the order of their first MC.
    """
    positions_mm = np.asarray(positions_mm, float).reshape(-1, 2)
    if len(positions_mm) < CLUSTER_MIN_MCS:
        return []
    joined = _Joined(len(positions_mm))
    for members in _crowded_squares(positions_mm):
        joined.join(members)
    tree = KDTree(positions_mm)
    for place in positions_mm:
        near = np.array(tree.query_ball_point(place, 2 * _REACH_MM), int)
        if len(near) < CLUSTER_MIN_MCS or joined.are_one(near):
            continue
        joined.join(near[_share_a_full_disc(positions_mm[near] - place)])
    return joined.sets()


class _Joined:
    """Which MCs have been found to belong together."""

    def __init__(self, count: int):
        self._number = np.arange(count)
        self._clustered = np.zeros(count, bool)

    def join(self, members: np.ndarray) -> None:
        if len(members):
            numbers = np.unique(self._number[members])
            self._number[np.isin(self._number, numbers)] = numbers[0]
            self._clustered[members] = True

    def are_one(self, members: np.ndarray) -> bool:
        numbers = self._number[members]
        return bool(self._clustered[members].all() and (numbers == numbers[0]).all())

    def sets(self) -> list[np.ndarray]:
        numbers = np.unique(self._number[self._clustered])
        found = [np.flatnonzero(self._clustered & (self._number == n)) for n in numbers]
        return sorted(found, key=lambda members: members[0])


def _crowded_squares(positions_mm: np.ndarray) -> list[np.ndarray]:
    """Sets of 6 or more MCs within a square that the disc's circle goes around.

    They need no turning of discs, which among thousands of MCs takes minutes.
    """
    squares = np.floor(positions_mm / (RADIUS_MM * np.sqrt(2))).astype(np.int64)
    _, square = np.unique(squares, axis=0, return_inverse=True)
    order = np.argsort(square.ravel(), kind="stable")
    starts = np.flatnonzero(np.diff(square.ravel()[order], prepend=-1))
    return [part for part in np.split(order, starts[1:]) if len(part) >= CLUSTER_MIN_MCS]


def _share_a_full_disc(offsets_mm: np.ndarray) -> np.ndarray:
    """(n,) bool: which points lie with the origin in a disc that holds at least 6 in all.

    The origin is one of the points. The disc turns with it on its rim; a point at distance
    d is in it while the direction of the disc's centre is within acos(d / 2r) of the
    point's own direction.
    """
    distance = np.hypot(*offsets_mm.T)
    always = distance <= _TOLERANCE  # the origin, and what lies on it
    direction = np.arctan2(offsets_mm[:, 1], offsets_mm[:, 0])[~always]
    half = np.arccos(np.clip(distance[~always] / (2 * _REACH_MM), 0, 1))
    begin = np.mod(direction - half, 2 * np.pi)
    end = begin + 2 * half
    # A disc that holds a set can turn until a member enters: count where each one enters.
    begins = np.sort(begin)
    ends = np.sort(np.concatenate([end, end - 2 * np.pi]))
    entered = np.arange(1, len(begins) + 1) + len(begins)
    held = always.sum() + entered - np.searchsorted(ends, begins, "left")
    full_before = np.concatenate([[0], np.cumsum(held >= CLUSTER_MIN_MCS)])

    def any_full(first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return full_before[np.searchsorted(begins, last, "right")] > full_before[first]

    shared = np.full(len(offsets_mm), always.sum() >= CLUSTER_MIN_MCS or full_before[-1] > 0)
    shared[~always] = any_full(np.searchsorted(begins, begin, "left"), end) | any_full(
        np.zeros(len(begin), int), end - 2 * np.pi
    )
    return shared


def find_clusters(
    labels: np.ndarray,
    calcifications: tuple[Calcification, ...],
    spacing_mm: tuple[float, float],
) -> tuple[tuple[Calcification, ...], tuple[Cluster, ...]]:
    """Number the clusters among measured MCs, the one of most MCs first.

    Coarse and vascular calcifications are in no cluster.
    Returns the MCs with their cluster's number, and the clusters.
    """
    counted = np.array(
        [index for index, mc in enumerate(calcifications) if mc.kind == MICROCALCIFICATION], int
    )
    positions_mm = np.array([(mc.row, mc.col) for mc in calcifications]).reshape(-1, 2) * spacing_mm
    groups = [counted[members] for members in group(positions_mm[counted])]
    groups.sort(key=lambda members: (-len(members), members[0]))
    numbers = np.zeros(len(calcifications), int)
    for number, members in enumerate(groups, 1):
        numbers[members] = number
    grouped = tuple(
        replace(mc, cluster=int(number)) for mc, number in zip(calcifications, numbers, strict=True)
    )
    boxes = find_boxes(labels) if groups else []
    clusters = tuple(
        _describe(number, [grouped[index] for index in members], (labels, boxes), spacing_mm)
        for number, members in enumerate(groups, 1)
    )
    return grouped, clusters


def find_groups(
    labels: np.ndarray,
    calcifications: tuple[Calcification, ...],
    spacing_mm: tuple[float, float],
    arteries: Sequence[np.ndarray] = (),
) -> tuple[tuple[Calcification, ...], tuple[Cluster, ...], tuple[Cluster, ...]]:
    """Set vascular groups apart, then number the clusters among the other MCs.

    arteries: as of `mark_vascular`.
    Returns the MCs with the numbers of their groups, the clusters and the vascular groups.
    """
    calcifications = mark_vascular(calcifications, spacing_mm, arteries)
    marked, clusters = find_clusters(labels, calcifications, spacing_mm)
    vascular = [mc for mc in marked if mc.vascular]
    if not vascular:
        return marked, clusters, ()
    boxes = find_boxes(labels)
    along = tuple(
        _describe(number, members, (labels, boxes), spacing_mm)
        for number in range(1, max(mc.vascular for mc in vascular) + 1)
        if (members := [mc for mc in vascular if mc.vascular == number])
    )
    return marked, clusters, along


def distribution(cluster: Cluster, spacing_mm: tuple[float, float]) -> str:
    """ "regional", "linear" or "grouped", by the extent and the slenderness of its outline.

    The terms are BI-RADS's; "segmental" and "diffuse" need the ducts and the whole breast,
    and are never given.
    """
    if cluster.extent_mm > REGIONAL_MM:
        return "regional"
    corners_mm = cluster.outline_rc * spacing_mm
    edges = np.roll(corners_mm, -1, axis=0) - corners_mm
    edges = edges[np.hypot(*edges.T) > 0]
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.hypot(*edges.T)[:, None]
    # A convex outline is narrowest across one of its edges.
    width_mm = np.ptp(corners_mm @ normals.T, axis=0).min()
    return "linear" if width_mm <= LINEAR_RATIO * cluster.extent_mm else "grouped"


def _describe(number: int, mcs, labels_and_boxes, spacing_mm) -> Cluster:
    rows, cols = np.concatenate([_pixels(mc.number, *labels_and_boxes) for mc in mcs], axis=1)
    # An outline around the pixels' own corners has an area even for a single pixel.
    corners = np.concatenate(
        [np.stack([rows + dr, cols + dc], axis=1) for dr in (-0.5, 0.5) for dc in (-0.5, 0.5)]
    )
    outline = corners[ConvexHull(corners).vertices]
    outline_mm = outline * spacing_mm
    r, c = outline_mm.T
    area_mm2 = abs(np.dot(r, np.roll(c, -1)) - np.dot(c, np.roll(r, -1))) / 2
    return Cluster(
        number=number,
        count=len(mcs),
        row=float(np.mean([mc.row for mc in mcs])),
        col=float(np.mean([mc.col for mc in mcs])),
        area_mm2=float(area_mm2),
        density_per_cm2=float(len(mcs) / (area_mm2 / 100)),
        extent_mm=float(pdist(outline_mm).max()),
        row_min=int(rows.min()),
        row_max=int(rows.max()),
        col_min=int(cols.min()),
        col_max=int(cols.max()),
        outline_rc=outline,
    )


def _pixels(number: int, labels: np.ndarray, boxes) -> np.ndarray:
    """(2, n) rows and columns of one MC's pixels."""
    box = boxes[number - 1]
    rows, cols = np.nonzero(labels[box] == number)
    return np.stack([rows + box[0].start, cols + box[1].start])
