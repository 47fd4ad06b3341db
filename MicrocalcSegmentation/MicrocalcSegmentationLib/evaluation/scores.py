"""Everything that is counted on one image; figures are made from these counts alone."""

from dataclasses import astuple, dataclass

import numpy as np

from ..calcifications import label_calcifications
from ..findings import Findings
from .comparison import (
    Comparison,
    Truth,
    cluster_numbers,
    compare,
    compare_findings,
    truth_of,
)
from .froc import THRESHOLDS
from .matching import regions
from .pixels import PixelCounts, count_pixels, probability_histograms


@dataclass(frozen=True)
class CaseName:
    """What an image is.

    patient: images of one patient share it. kind: "digital", "film" or "unstated".
    data: "simulated", or where the images come from.
    """

    name: str
    patient: str
    kind: str
    data: str


@dataclass(frozen=True)
class Marks:
    """Found against true at one threshold.

    matched: true MCs with a match, one to one; false_mcs: found MCs without.
    marked: true clusters that a found one overlaps; false_clusters: found clusters that
    overlap no true one.
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
    positive, negative: histograms of `pixels`.
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


def score_case(case: CaseName, findings: Findings, mask: np.ndarray) -> CaseScores:
    """Compare findings with the exact MC mask, (rows, cols) bool, of the same image."""
    truth = truth_of(mask, findings.mammogram.spacing_mm)
    comparison = compare_findings(findings, truth)
    pixels = count_pixels(findings.mask, mask, findings.breast)
    union = pixels.true_positive + pixels.false_positive + pixels.false_negative
    positive, negative = probability_histograms(findings.probability, mask)
    return CaseScores(
        case=case,
        breast_cm2=float(findings.breast.sum()) * findings.mammogram.pixel_area_mm2 / 100,
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
    )


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
    matched = len(comparison.matches)
    return Marks(
        matched=matched,
        false_mcs=len(comparison.found) - matched,
        marked=int(comparison.overlapping.any(axis=0).sum()),
        false_clusters=int((~comparison.overlapping.any(axis=1)).sum()),
    )


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Slices around the True pixels; of one pixel where there are none."""
    box = []
    for axis in (1, 0):
        used = np.flatnonzero(mask.any(axis=axis))
        box.append(slice(used[0], used[-1] + 1) if len(used) else slice(0, 1))
    return tuple(box)
