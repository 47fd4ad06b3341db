"""Which found cluster lies on which true one.

Two clusters overlap when their outlines, the convex hulls of all their MCs' pixels
taken as squares, have a point in common.
"""

import numpy as np
from scipy.spatial import ConvexHull

from .matching import Regions

_CORNERS = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])


def cluster_outlines(mcs: Regions, cluster: np.ndarray) -> list[np.ndarray]:
    """The outline of each cluster, (n, 2) corners in pixels (row, col), in order around.

    cluster: (number of MCs,) int, 0 for an isolated MC, else the cluster's number.
    """
    of_pixel = np.concatenate([[0], np.asarray(cluster, int)])[mcs.number]
    numbers = np.unique(of_pixel[of_pixel > 0])
    return [_hull(mcs.pixels_rc[of_pixel == number]) for number in numbers]


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two convex outlines have a point in common (touching counts).

    one, other: (n, 2) and (m, 2) corners in order around, in the same units.
    """
    return not (_separated_by_a_side(one, other) or _separated_by_a_side(other, one))


def overlaps(found: list[np.ndarray], true: list[np.ndarray]) -> np.ndarray:
    """(found, true) bool, which outline overlaps which."""
    table = [[overlap(one, other) for other in true] for one in found]
    return np.array(table, bool).reshape(len(found), len(true))


def _hull(pixels_rc: np.ndarray) -> np.ndarray:
    corners = (pixels_rc[:, None, :] + _CORNERS).reshape(-1, 2)
    return corners[ConvexHull(corners).vertices]


def _separated_by_a_side(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a line along a side of `one` has the two outlines strictly on its two sides."""
    sides = np.roll(one, -1, axis=0) - one
    normals = np.stack([-sides[:, 1], sides[:, 0]], axis=1)
    along_one, along_other = one @ normals.T, other @ normals.T
    below = along_one.max(axis=0) < along_other.min(axis=0)
    above = along_one.min(axis=0) > along_other.max(axis=0)
    return bool((below | above).any())
