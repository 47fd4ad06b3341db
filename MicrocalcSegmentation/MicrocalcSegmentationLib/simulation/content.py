"""Which calcifications a simulated breast holds, and where."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import calcifications
from .anatomy import Breast
from .calcifications import BENIGN_ONES, USUAL_LEVEL, Placed, Site
from .outline import GRID_MM
from .strands import vascular_paths

CLUSTER_SHARES = (0.3, 0.35, 0.2, 0.15)  # of breasts with 0, 1, 2, 3 clusters
VASCULAR_SHARE = 0.15  # of breasts; 0.1 to 0.4 with age
_FROM_SKIN_MM = 6.0
_APART_MM = 25.0  # clusters that are nearer are one cluster to a reader
_DRAWS = 10  # before a cluster may lie nearer


@dataclass(frozen=True)
class Contents:
    """What a breast holds. clusters, singles: how many; None draws.

    level: typical strength of clusters' MCs in local deviations; None draws for each,
    as `usual_level` says.
    """

    clusters: int | None = None
    singles: int | None = None
    level: float | None = None
    usual_level: tuple[float, float, float] = USUAL_LEVEL


def calcify(breast: Breast, spacing_mm: float, contents: Contents, rng) -> list[Placed]:
    """Clusters numbered from 1, single MCs, benign and vascular calcifications.

    With clusters or singles given as 0 there are none, but benign ones stay: they are what a
    normal mammogram holds.
    """
    drawn = int(rng.choice(4, p=CLUSTER_SHARES)), int(rng.poisson(3))
    clusters = drawn[0] if contents.clusters is None else contents.clusters
    singles = drawn[1] if contents.singles is None else contents.singles
    room = np.argwhere(breast.outline.to_air_mm[::5, ::5] > _FROM_SKIN_MM) * 5 * GRID_MM
    if len(room) == 0:
        return []

    def anywhere() -> np.ndarray:
        return room[rng.integers(len(room))] + rng.uniform(0, 1, 2)

    placed: list[Placed] = []
    centres: list[np.ndarray] = []
    for number in range(1, clusters + 1):
        centre = _apart(anywhere, centres)
        centres.append(centre)
        down, out = np.array(breast.outline.nipple_mm) - centre
        towards = float(np.arctan2(down, out))
        levels = contents.level, contents.usual_level
        site = Site(tuple(centre / spacing_mm), number, towards, *levels)
        placed += calcifications.cluster(site, spacing_mm, rng)
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


def _apart(anywhere: Callable[[], np.ndarray], others: list[np.ndarray]) -> np.ndarray:
    """A place away from the others; where the breast has little room, the farthest of a few."""
    draws = [anywhere() for _ in range(_DRAWS)]
    apart = [min((np.hypot(*(one - other)) for other in others), default=np.inf) for one in draws]
    far = (one for one, least in zip(draws, apart, strict=True) if least > _APART_MM)
    return next(far, draws[int(np.argmax(apart))])
