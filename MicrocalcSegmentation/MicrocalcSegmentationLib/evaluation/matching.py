"""Which found microcalcification (MC) is which true one.

The field's definition: a detection matches a true MC when their centroids are at most
0.35 mm apart or their intersection over union (IoU) is at least 0.3, one to one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

MATCH_DISTANCE_MM = 0.35  # facts of the field: hDoGReg 2021 and the works it compares with
MATCH_IOU = 0.3
_ROUNDING_MM = 1e-9  # 7 pixels of 0.05 mm are 0.35 mm, whatever binary fractions say


@dataclass(frozen=True)
class Regions:
    """Labelled regions of one image, n of them.

    labels: (rows, cols) int, 0 or the region's number from 1 to n.
    pixels_rc: (p, 2) int, all labelled pixels; number: (p,) int, the region of each.
    centroids_mm: (n, 2) along rows and columns. areas: (n,) in pixels.
    """

    labels: np.ndarray
    pixels_rc: np.ndarray
    number: np.ndarray
    centroids_mm: np.ndarray
    areas: np.ndarray

    def __len__(self) -> int:
        return len(self.areas)


@dataclass(frozen=True)
class Matches:
    """found, true: (m,) indices from 0 of the matched regions. iou: (m,), of each pair."""

    found: np.ndarray
    true: np.ndarray
    iou: np.ndarray

    def __len__(self) -> int:
        return len(self.found)


def regions(labels: np.ndarray, spacing_mm: tuple[float, float]) -> Regions:
    """Measure labelled regions; labels: (rows, cols) int, numbered from 1 without gaps."""
    pixels_rc = np.argwhere(labels)
    number = labels[pixels_rc[:, 0], pixels_rc[:, 1]]
    count = int(number.max(initial=0))
    areas = np.bincount(number, minlength=count + 1)[1:]
    sums = [np.bincount(number, axis, minlength=count + 1)[1:] for axis in pixels_rc.T]
    centroids = np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None]
    return Regions(labels, pixels_rc, number, centroids * np.asarray(spacing_mm), areas)


def match(found: Regions, true: Regions) -> Matches:
    """The largest one-to-one matching; of several, the one with most overlap and closeness.

    Both must be of the same image.
    """
    pairs, distance, iou = _candidates(found, true)
    if not len(pairs):
        none = np.zeros(0, int)
        return Matches(none, none, np.zeros(0))
    closeness = np.clip(1 - distance / MATCH_DISTANCE_MM, 0, 1)
    chosen = _assign(pairs, (iou + closeness) / 2, (len(found), len(true)))
    return Matches(pairs[chosen, 0], pairs[chosen, 1], iou[chosen])


def lie_on(found: Regions, others: Regions) -> np.ndarray:
    """(found,) bool: whether each shares a pixel with one of the others, or is as near as
    matches are. Any number may lie on the same one.
    """
    lying = np.zeros(len(found), bool)
    lying[_near_pairs(found.centroids_mm, others.centroids_mm)[:, 0]] = True
    lying[_shared_pixels(found, others)[0][:, 0]] = True
    return lying


def _candidates(found: Regions, true: Regions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs that may match: (k, 2) indices, distances in mm (k,), IoUs (k,)."""
    near = _near_pairs(found.centroids_mm, true.centroids_mm)
    shared, common = _shared_pixels(found, true)
    union = found.areas[shared[:, 0]] + true.areas[shared[:, 1]] - common
    overlap = common / union
    overlapping = {tuple(p): v for p, v in zip(shared.tolist(), overlap, strict=True)}
    wanted = set(map(tuple, near.tolist()))
    wanted |= {pair for pair, value in overlapping.items() if value >= MATCH_IOU}
    pairs = np.array(sorted(wanted), int).reshape(-1, 2)
    iou = np.array([overlapping.get(tuple(p), 0.0) for p in pairs.tolist()])
    apart = found.centroids_mm[pairs[:, 0]] - true.centroids_mm[pairs[:, 1]]
    return pairs, np.linalg.norm(apart, axis=1), iou


def _near_pairs(found_mm: np.ndarray, true_mm: np.ndarray) -> np.ndarray:
    """(k, 2) indices of centroids at most `MATCH_DISTANCE_MM` apart."""
    if not len(found_mm) or not len(true_mm):
        return np.zeros((0, 2), int)
    reach = MATCH_DISTANCE_MM + _ROUNDING_MM
    lists = cKDTree(found_mm).query_ball_tree(cKDTree(true_mm), reach)
    pairs = [(i, j) for i, near in enumerate(lists) for j in near]
    return np.array(pairs, int).reshape(-1, 2)


def _shared_pixels(found: Regions, true: Regions) -> tuple[np.ndarray, np.ndarray]:
    """(k, 2) indices of regions that share pixels, and how many they share."""
    true_number = true.labels[found.pixels_rc[:, 0], found.pixels_rc[:, 1]]
    both = true_number > 0
    numbers = np.stack([found.number[both], true_number[both]], axis=1)
    pairs, common = np.unique(numbers, axis=0, return_counts=True)
    return pairs.astype(int) - 1, common


def _assign(pairs: np.ndarray, quality: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Indices into pairs of the best assignment, group by group of connected pairs.

    quality: (k,) in [0, 1]; it only decides between assignments of the same size.
    """
    found_count, true_count = shape
    nodes = found_count + true_count
    links = (np.ones(len(pairs)), (pairs[:, 0], found_count + pairs[:, 1]))
    _, group_of = connected_components(coo_array(links, shape=(nodes, nodes)), directed=False)
    group = group_of[pairs[:, 0]]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order])) + 1
    chosen = [_assign_group(pairs, quality, members) for members in np.split(order, starts)]
    return np.sort(np.concatenate(chosen))


def _assign_group(pairs: np.ndarray, quality: np.ndarray, members: np.ndarray) -> np.ndarray:
    if len(members) == 1:
        return members
    rows, row = np.unique(pairs[members, 0], return_inverse=True)
    cols, col = np.unique(pairs[members, 1], return_inverse=True)
    gain = np.zeros((len(rows), len(cols)))
    # One more match outweighs the quality of all others together.
    gain[row, col] = min(gain.shape) + 1 + quality[members]
    which = np.full(gain.shape, -1)
    which[row, col] = members
    chosen = which[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen >= 0]
