"""Where a simulated breast holds its clusters, and how plain they are."""

from itertools import combinations

import numpy as np
from MicrocalcSegmentationLib.simulation import anatomy
from MicrocalcSegmentationLib.simulation.acquisition import USUAL_LEVEL
from MicrocalcSegmentationLib.simulation.calcifications import Site, cluster
from MicrocalcSegmentationLib.simulation.content import Contents, calcify

SPACING_MM = 0.1


def nearest_clusters_mm(seed):
    """Of three clusters in a breast too small for them, how near the nearest two lie."""
    rng = np.random.default_rng(seed)
    breast = anatomy.plan("CC", "B", (60.0, 45.0), rng)
    placed = calcify(breast, SPACING_MM, Contents(clusters=3, singles=0, level=5.0), rng)
    centres = [
        np.mean([(one.row, one.col) for one in placed if one.group == group], axis=0) * SPACING_MM
        for group in (1, 2, 3)
    ]
    return min(np.hypot(*(one - other)) for one, other in combinations(centres, 2))


def test_clusters_without_room_lie_as_far_apart_as_they_can():
    # Where they fell by chance alone, they were 6 mm apart, and one cluster to a reader.
    assert np.mean([nearest_clusters_mm(seed) for seed in range(12)]) > 9


def test_the_faintest_clusters_of_film_are_fainter():
    rng = np.random.default_rng(0)
    faintest = {}
    for kind, usual in USUAL_LEVEL.items():
        clusters = (cluster(Site((0, 0), usual_level=usual), 1.0, rng) for _ in range(600))
        levels = [np.median([one.strength for one in members]) for members in clusters]
        faintest[kind] = np.percentile(levels, 5)
    assert faintest["film"] < 0.9 * faintest["digital"]
