"""Which calcifications a simulated breast holds, and where."""

import numpy as np

from . import calcifications
from .anatomy import Breast
from .calcifications import BENIGN_ONES, Placed
from .lines import vascular_paths
from .outline import GRID_MM

CLUSTER_SHARES = (0.3, 0.35, 0.2, 0.15)  # of breasts with 0, 1, 2, 3 clusters
VASCULAR_SHARE = 0.15  # of breasts; 0.1 to 0.4 with age
_FROM_SKIN_MM = 6.0


def calcify(
    breast: Breast, spacing_mm: float, clusters: int | None, singles: int | None, rng
) -> list[Placed]:
    """Clusters, single MCs, benign and vascular calcifications; None draws how many.

    Clusters are numbered from 1. With clusters or singles given as 0 there are none, but
    benign ones stay: they are what a normal mammogram holds.
    """
    if clusters is None:
        clusters = int(rng.choice(4, p=CLUSTER_SHARES))
    if singles is None:
        singles = int(rng.poisson(3))
    room = np.argwhere(breast.outline.to_air_mm[::5, ::5] > _FROM_SKIN_MM) * 5 * GRID_MM
    if len(room) == 0:
        return []

    def anywhere() -> np.ndarray:
        return room[rng.integers(len(room))] + rng.uniform(0, 1, 2)

    placed: list[Placed] = []
    for number in range(1, clusters + 1):
        centre = anywhere()
        down, out = np.array(breast.outline.nipple_mm) - centre
        placed += calcifications.cluster(
            centre / spacing_mm, spacing_mm, rng, number, float(np.arctan2(down, out))
        )
    for _ in range(singles):
        placed.append(calcifications.single(anywhere() / spacing_mm, rng))
    for _ in range(rng.poisson(0.8)):
        kind = str(rng.choice(BENIGN_ONES))
        placed.append(calcifications.benign(anywhere() / spacing_mm, kind, rng))
    vessels = int(rng.integers(1, 4)) if rng.random() < VASCULAR_SHARE else 0
    for path_mm, radius_mm in vascular_paths(breast.lines, rng, vessels):
        path = path_mm / spacing_mm - 0.5
        placed += calcifications.vascular(path, radius_mm / spacing_mm, spacing_mm, rng)
    return placed
