"""Everything that is counted on one image; figures are made from these counts alone."""

from dataclasses import astuple, dataclass, replace

import numpy as np

from ..calcifications import label_calcifications
from ..findings import Findings
from ..training.datasets.annotated import CLUSTER_LEVEL, MC_LEVEL
from .comparison import (
    Comparison,
    Truth,
    cluster_numbers,
    compare,
    compare_findings,
    truth_of,
    truth_of_regions,
)
from .froc import THRESHOLDS
from .matching import regions
from .pixels import BINS, PixelCounts, count_pixels, probability_histograms
from .realism.specks import measure_in_deviations

COUNTING_VERSION = 3  # raised with every change to what is counted; 3 added the plain MCs
# Local deviations, our own choice; half of real MCs peak below 3.4 (`realism.published`).
PLAIN_FROM = 4.0


@dataclass(frozen=True)
class CaseName:
    """What an image is.

    patient: images of one patient share it. kind: "digital", "film" or "unstated".
    data: "simulated", or where the images come from.
    level: "mc" where each MC is outlined; "cluster" where only regions are that hold them, and
    nothing can be said of single MCs and pixels.
    """

    name: str
    patient: str
    kind: str
    data: str
    level: str = MC_LEVEL


@dataclass(frozen=True)
class Marks:
    """Found against true at one threshold.

    matched: true MCs with a match, one to one; false_mcs: found MCs without.
    marked: true clusters that a found one overlaps; false_clusters: found clusters that
    overlap no true one. What lies on ignored pixels is neither; see `Comparison`.
    """

    matched: int
    false_mcs: int
    marked: int
    false_clusters: int


@dataclass(frozen=True)
class CaseScores:
    """The counts of one image.

    breast_cm2: area of the breast region that was found. marks: at the threshold used.
    matched_iou: of each matched MC. image_iou: of all MC pixels of the image together;
    NaN where there are none, neither found nor true.
    curve: (thresholds of `froc`, 4) int, the fields of `Marks` in their order.
    positive, negative: histograms of `pixels`. plain_mcs, plain_matched: true MCs that peak at
    `PLAIN_FROM` or more above the background around them, and those of them that were matched.
    """

    case: CaseName
    breast_cm2: float
    threshold: float
    true_mcs: int
    true_clusters: int
    marks: Marks
    matched_iou: tuple[float, ...]
    image_iou: float
    pixels: PixelCounts
    curve: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    plain_mcs: int = 0
    plain_matched: int = 0


def score_case(
    case: CaseName, findings: Findings, mask: np.ndarray, ignored: np.ndarray | None = None
) -> CaseScores:
    """Compare findings with the mask of MCs, (rows, cols) bool, of the same image.

    ignored: bool, pixels that are neither MC nor tissue and count nowhere; None: none are.
    For a case of cluster level the mask is of regions, and all counts of MCs and pixels are 0.
    """
    if case.level == CLUSTER_LEVEL:
        return _score_clusters(case, findings, mask)
    truth = truth_of(mask, findings.mammogram.spacing_mm, ignored)
    comparison = compare_findings(findings, truth)
    known = np.ones(mask.shape, bool) if ignored is None else ~ignored
    pixels = count_pixels(findings.mask[known], mask[known], findings.breast[known])
    union = pixels.true_positive + pixels.false_positive + pixels.false_negative
    positive, negative = probability_histograms(findings.probability[known], mask[known])
    plain = _are_plain(truth, findings)
    return CaseScores(
        case=case,
        breast_cm2=_breast_cm2(findings),
        threshold=findings.threshold,
        true_mcs=len(truth.mcs),
        true_clusters=len(truth.outlines),
        marks=_marks(comparison),
        matched_iou=tuple(comparison.matches.iou.tolist()),
        image_iou=pixels.true_positive / union if union else float("nan"),
        pixels=pixels,
        curve=_curve(findings, truth),
        positive=positive,
        negative=negative,
        plain_mcs=int(plain.sum()),
        plain_matched=int(plain[comparison.matches.true].sum()),
    )


def _are_plain(truth: Truth, findings: Findings) -> np.ndarray:
    """(true MCs,) bool: which of them a reader can be expected to see."""
    mammogram = findings.mammogram
    measured = measure_in_deviations(
        truth.mcs.labels, mammogram.pixels, findings.breast, mammogram.spacing_mm
    )
    return np.array([mc.peak_contrast >= PLAIN_FROM for mc in measured], bool)


def _score_clusters(case: CaseName, findings: Findings, mask: np.ndarray) -> CaseScores:
    truth = truth_of_regions(mask, findings.mammogram.spacing_mm)
    curve = _curve(findings, truth)
    curve[:, :2] = 0
    nothing = np.zeros(BINS, np.int64)
    return CaseScores(
        case=case,
        breast_cm2=_breast_cm2(findings),
        threshold=findings.threshold,
        true_mcs=0,
        true_clusters=len(truth.outlines),
        marks=replace(_marks(compare_findings(findings, truth)), matched=0, false_mcs=0),
        matched_iou=(),
        image_iou=float("nan"),
        pixels=PixelCounts(0, 0, 0, 0, 0, 0),
        curve=curve,
        positive=nothing,
        negative=nothing,
    )


def _breast_cm2(findings: Findings) -> float:
    return float(findings.breast.sum()) * findings.mammogram.pixel_area_mm2 / 100


def _curve(findings: Findings, truth: Truth) -> np.ndarray:
    """(thresholds, 4) counts of `Marks`, the probability map thresholded anew."""
    rows = []
    window = _bounding_box(findings.probability >= min(THRESHOLDS))
    probability = findings.probability[window]
    labels = np.zeros(findings.probability.shape, np.int32)
    for threshold in THRESHOLDS:
        labels[window] = label_calcifications(
            probability >= threshold, truth.spacing_mm, findings.settings.min_mc_area_mm2
        )
        found = regions(labels, truth.spacing_mm)
        rows.append(astuple(_marks(compare(found, cluster_numbers(found.centroids_mm), truth))))
    return np.array(rows, int)


def _marks(comparison: Comparison) -> Marks:
    return Marks(
        matched=len(comparison.matches),
        false_mcs=int(comparison.false_mcs.sum()),
        marked=int(comparison.overlapping.any(axis=0).sum()),
        false_clusters=int(comparison.false_clusters.sum()),
    )


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Slices around the True pixels; of one pixel where there are none."""
    box = []
    for axis in (1, 0):
        used = np.flatnonzero(mask.any(axis=axis))
        box.append(slice(used[0], used[-1] + 1) if len(used) else slice(0, 1))
    return tuple(box)
