"""Groups of microcalcifications, by the method's definition.

Valvano et al. 2019 call a region with more than 5 distinct MCs per cm2 a cluster. Stated
exactly: MCs belong together when at least 6 of them fit into one closed disc of 1 cm2
(radius 5.642 mm), centroids counting. A cluster is a largest set of MCs that such discs
hold, where discs which share an MC hold the same cluster. So 5 MCs are never a cluster, 6
on the rim of a disc of 1 cm2 are one, and 6 on the rim of a larger disc are none.
"""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, KDTree
from scipy.spatial.distance import pdist

from .calcifications import find_boxes
from .findings import Calcification, Cluster
from .settings import CLUSTER_AREA_MM2, CLUSTER_MIN_MCS

RADIUS_MM = float(np.sqrt(CLUSTER_AREA_MM2 / np.pi))
_TOLERANCE = 1e-9  # of the radius: a centroid on the rim is inside


def group(positions_mm: np.ndarray) -> list[np.ndarray]:
    """Indices of the MCs of each cluster, (n, 2) positions in mm -> list of int arrays.

    If a disc holds 6 MCs, so does one of the same size with one of them on its rim and all
    others in it; such discs are turned around every MC, and those that hold 6 noted. Each
    list is sorted; lists come in the order of their first MC.
    """
    positions_mm = np.asarray(positions_mm, float).reshape(-1, 2)
    count = len(positions_mm)
    if count < CLUSTER_MIN_MCS:
        return []
    tree = KDTree(positions_mm)
    neighbours = tree.query_ball_point(positions_mm, 2 * RADIUS_MM * (1 + _TOLERANCE))
    links, dense = [], np.zeros(count, bool)
    for pivot in range(count):
        others = np.array([other for other in neighbours[pivot] if other != pivot], int)
        if len(others) + 1 < CLUSTER_MIN_MCS:
            continue
        members = others[_share_a_full_disc(positions_mm[others] - positions_mm[pivot])]
        if len(members):
            dense[pivot] = True
            dense[members] = True
            links.append(np.stack([np.full(len(members), pivot), members]))
    if not links:
        return []
    first, second = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    numbers = dict.fromkeys(component[dense])
    return [np.flatnonzero((component == number) & dense) for number in numbers]


def _share_a_full_disc(offsets_mm: np.ndarray) -> np.ndarray:
    """(n,) bool: which points lie with the origin in a disc that holds at least 6 in all.

    The disc turns with the origin on its rim. A point at distance d is in it while the
    direction of the disc's centre is within acos(d / 2r) of the point's own direction.
    """
    distance = np.hypot(*offsets_mm.T)
    half = np.arccos(np.clip(distance / (2 * RADIUS_MM), 0, 1))
    half[distance <= _TOLERANCE] = np.pi  # on the origin itself, so in every such disc
    direction = np.arctan2(offsets_mm[:, 1], offsets_mm[:, 0])
    # A disc that holds a set can turn until a member enters: look where each one enters.
    entries = direction - half
    turned = np.abs((entries[:, None] - direction[None] + np.pi) % (2 * np.pi) - np.pi)
    held = turned <= half[None] + _TOLERANCE
    full = held.sum(axis=1) + 1 >= CLUSTER_MIN_MCS
    return held[full].any(axis=0)


def find_clusters(
    labels: np.ndarray,
    calcifications: tuple[Calcification, ...],
    spacing_mm: tuple[float, float],
) -> tuple[tuple[Calcification, ...], tuple[Cluster, ...]]:
    """Number the clusters among measured MCs, the one of most MCs first.

    Returns the MCs with their cluster's number, and the clusters.
    """
    positions_mm = np.array([(mc.row, mc.col) for mc in calcifications]).reshape(-1, 2) * spacing_mm
    groups = sorted(group(positions_mm), key=lambda members: (-len(members), members[0]))
    numbers = np.zeros(len(calcifications), int)
    for number, members in enumerate(groups, 1):
        numbers[members] = number
    grouped = tuple(
        replace(mc, cluster=int(number)) for mc, number in zip(calcifications, numbers, strict=True)
    )
    boxes = find_boxes(labels)
    clusters = tuple(
        _describe(number, [grouped[index] for index in members], (labels, boxes), spacing_mm)
        for number, members in enumerate(groups, 1)
    )
    return grouped, clusters


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
