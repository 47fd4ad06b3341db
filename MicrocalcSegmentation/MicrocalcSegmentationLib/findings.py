"""What the networks say, and what `segment` found: everything that any writer needs."""

from dataclasses import dataclass

import numpy as np

from .mammogram import Mammogram
from .settings import Settings

MICROCALCIFICATION = "microcalcification"
VASCULAR = "vascular"
RIM, ROD, POPCORN, ROUND, COARSE = "rim", "large rod-like", "popcorn", "large round", "coarse"
COARSE_KINDS = (RIM, ROD, POPCORN, ROUND, COARSE)  # larger than an MC (see `shapes`)
KINDS = (MICROCALCIFICATION, VASCULAR, *COARSE_KINDS)
# The odds' divisor from which users are told: 41 simulated mammograms of units that the default
# pair knows have up to 2.9 (Resources/ModelCards/rounds.md).
MANY_DOUBTFUL = 3.0


@dataclass(frozen=True)
class Calcification:
    """One microcalcification (MC): a region of the mask, or a part of one where MCs touch.

    number: from 1; its pixels hold this value in `Findings.labels`.
    cluster: number of the cluster it belongs to; 0 when isolated.
    row, col: centroid in pixels of the image's own grid.
    area_mm2, diameter_mm: area in the breast, and diameter of the circle of that area.
    mean_contrast, peak_contrast: brightness over the local background, in standard
        deviations of the local fine texture (see `normalisation`).
    probability: the segmentator's highest probability in it, in [0, 1].
    length_mm, width_mm: axes of the ellipse with its pixels' second moments; angle_deg: of
        the longer one, in [0, 180), from the direction of growing columns to that of
        growing rows.
    kind: what it looks like, one of `KINDS`. vascular: number of the vascular group that it
        belongs to; 0 for none.
    """

    number: int
    cluster: int
    row: float
    col: float
    area_mm2: float
    diameter_mm: float
    mean_contrast: float
    peak_contrast: float
    probability: float
    length_mm: float = 0.0
    width_mm: float = 0.0
    angle_deg: float = 0.0
    kind: str = MICROCALCIFICATION
    vascular: int = 0

    @property
    def isolated(self) -> bool:
        """Whether it is an MC in no cluster, rather than a coarse or a vascular one."""
        return self.cluster == 0 and self.kind == MICROCALCIFICATION

    @property
    def coarse(self) -> bool:
        """Whether it is larger than an MC, and along no vessel."""
        return self.kind in COARSE_KINDS


@dataclass(frozen=True)
class Cluster:
    """A region with more than 5 distinct MCs on 1 cm2 (see `clusters.group`).

    Also a vascular group, calcifications along a vessel, which is described by the same
    figures and counted as no cluster.

    count: MCs in it. row, col: mean of their centroids, in pixels.
    outline_rc: (n, 2) corners of the convex outline around its MCs' pixels, in pixels.
    area_mm2: area inside the outline. density_per_cm2: count over that area.
    extent_mm: largest distance between two corners of the outline.
    row_min ... col_max: first and last row and column of its MCs' pixels, inclusive.
    """

    number: int
    count: int
    row: float
    col: float
    area_mm2: float
    density_per_cm2: float
    extent_mm: float
    row_min: int
    row_max: int
    col_min: int
    col_max: int
    outline_rc: np.ndarray


@dataclass(frozen=True)
class Findings:
    """The result for one mammogram, all arrays on its own pixel grid.

    probability: (rows, cols) float32, the segmentator's; 0 outside candidate ROIs.
    labels: (rows, cols) int32, 0 or the number of an MC.
    breast: (rows, cols) bool. candidates: (rows, cols) bool, pixels of candidate ROIs.
    threshold, detector_threshold: the ones used.
    model: name and version of the pair of networks.
    clusters: of microcalcifications. vascular: groups along vessels, numbered from 1 by
        themselves.
    odds_divisor: 1, or by what the odds of all candidates were divided, as the image shows so
        many times more doubtful ones than what the model has learnt from (see `neighbours`).
    arteries_model: name and version of the network that knows arteries.
    """

    mammogram: Mammogram
    probability: np.ndarray
    labels: np.ndarray
    breast: np.ndarray
    candidates: np.ndarray
    calcifications: tuple[Calcification, ...]
    clusters: tuple[Cluster, ...]
    threshold: float
    detector_threshold: float
    model_name: str
    model_version: str
    settings: Settings
    vascular: tuple[Cluster, ...] = ()
    odds_divisor: float = 1.0
    arteries_model: str = ""

    @property
    def caution(self) -> str:
        """A sentence where the image is unlike what the model has learnt from; else empty."""
        if self.odds_divisor < MANY_DOUBTFUL:
            return ""
        return (
            f"{self.odds_divisor:.2g} times as many doubtful spots as in the images that the model "
            "has learnt from, so the odds of all were divided by that"
        )

    @property
    def mask(self) -> np.ndarray:
        """(rows, cols) bool, True on MCs."""
        return self.labels > 0


@dataclass(frozen=True)
class Scores:
    """What the networks say of a mammogram, before any threshold on MCs: all (rows, cols).

    breast, candidates, probability: as of `Findings`. deviation: float32, the local
    deviation of the fine texture in grey values; 1 outside the breast's bounding box.
    settings: with both thresholds filled in. odds_divisor: as of `Findings`. arteries: (n, 2)
    places, in mm from the first row and column, of each calcified artery that is seen.
    arteries_model: as of `Findings`.
    """

    mammogram: Mammogram
    breast: np.ndarray
    candidates: np.ndarray
    probability: np.ndarray
    deviation: np.ndarray
    model_name: str
    model_version: str
    settings: Settings
    odds_divisor: float = 1.0
    arteries: tuple[np.ndarray, ...] = ()
    arteries_model: str = ""
