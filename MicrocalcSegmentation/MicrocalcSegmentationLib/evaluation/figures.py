"""The figures, each with its definition, its confidence interval and what it was made from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..training.datasets.annotated import MC_LEVEL
from .froc import sensitivity_at
from .intervals import interval, resampling_weights
from .pixels import average_precision
from .scores import CaseScores

Statistic = Callable[["Sample", np.ndarray], np.ndarray]


class Sample:
    """The counts of several images, stacked: first axis image."""

    def __init__(self, scores: list[CaseScores]):
        pixels = [case.pixels for case in scores]
        curve = np.stack([case.curve for case in scores]).astype(float)
        self.curve = dict(
            zip(
                ("matched", "false_mcs", "marked", "false_clusters"),
                np.moveaxis(curve, 2, 0),
                strict=True,
            )
        )
        self.positive = np.stack([case.positive for case in scores]).astype(float)
        self.negative = np.stack([case.negative for case in scores]).astype(float)
        self.counts = {
            "images": np.ones(len(scores)),
            # False MCs are counted on this area; where no MC is outlined, none can be.
            "breast_cm2": np.array([c.breast_cm2 * (c.case.level == MC_LEVEL) for c in scores]),
            "true_mcs": np.array([case.true_mcs for case in scores]),
            "true_clusters": np.array([case.true_clusters for case in scores]),
            "matched": np.array([case.marks.matched for case in scores]),
            "false_mcs": np.array([case.marks.false_mcs for case in scores]),
            "marked": np.array([case.marks.marked for case in scores]),
            "false_clusters": np.array([case.marks.false_clusters for case in scores]),
            "plain_mcs": np.array([case.plain_mcs for case in scores]),
            "plain_matched": np.array([case.plain_matched for case in scores]),
            "iou_sum": np.array([sum(case.matched_iou) for case in scores]),
            "tp": np.array([p.true_positive for p in pixels], float),
            "fp": np.array([p.false_positive for p in pixels], float),
            "fn": np.array([p.false_negative for p in pixels], float),
            "tn": np.array([p.true_negative for p in pixels], float),
            "breast_negative": np.array([p.breast_negative for p in pixels], float),
            "breast_fp": np.array([p.breast_false_positive for p in pixels], float),
        }
        self.counts |= _per_image(scores, self.counts)


def _per_image(scores: list[CaseScores], counts: dict) -> dict[str, np.ndarray]:
    image_iou = np.array([case.image_iou for case in scores])
    diseased = counts["true_clusters"] > 0
    any_found = (counts["marked"] + counts["false_clusters"]) > 0
    return {
        "with_mc": np.isfinite(image_iou).astype(float),
        "image_iou": np.nan_to_num(image_iou),
        "with_cluster": diseased.astype(float),
        "with_marked_cluster": (counts["marked"] > 0).astype(float),
        "without_cluster": (~diseased).astype(float),
        "rightly_clear": (~diseased & ~any_found).astype(float),
    }


def ratio(numerator: dict[str, float], denominator: dict[str, float]) -> Statistic:
    """Sum over images of one weighted sum of counts, over that of another."""

    def statistic(sample: Sample, weights: np.ndarray) -> np.ndarray:
        above, below = (
            sum(factor * (weights @ sample.counts[name]) for name, factor in terms.items())
            for terms in (numerator, denominator)
        )
        return _divide(above, below)

    return statistic


def at_false_rate(marks: tuple[str, str], out_of: tuple[str, str], limit: float) -> Statistic:
    """Sensitivity at a false-mark rate; names of (true, false) marks and what they are out of."""

    def statistic(sample: Sample, weights: np.ndarray) -> np.ndarray:
        sensitivity, false_rate = free_response(sample, weights, marks, out_of)
        return sensitivity_at(sensitivity, false_rate, limit)

    return statistic


def free_response(
    sample: Sample, weights: np.ndarray, marks: tuple[str, str], out_of: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity and false-mark rate, (weights, thresholds) each."""
    rates = [
        _divide(weights @ sample.curve[mark], (weights @ sample.counts[total])[:, None])
        for mark, total in zip(marks, out_of, strict=True)
    ]
    return rates[0], rates[1]


def auprc(sample: Sample, weights: np.ndarray) -> np.ndarray:
    """Area under precision against recall of all images' pixels together."""
    # One resample at a time: all at once would be 2,000 histograms.
    return np.array([average_precision(w @ sample.positive, w @ sample.negative) for w in weights])


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


@dataclass(frozen=True)
class Definition:
    """A figure before it is computed. unit: "" for a fraction."""

    key: str
    label: str
    unit: str
    text: str
    statistic: Statistic


@dataclass(frozen=True)
class Figure:
    """A figure computed: value None where undefined (nothing to divide by).

    low, high: 95 % interval, patients resampled; None with a single patient.
    """

    key: str
    label: str
    unit: str
    definition: str
    value: float | None
    low: float | None
    high: float | None
    images: int
    patients: int
    data: str


def compute(definition: Definition, sample: Sample, cases: list[CaseScores]) -> Figure:
    """One figure over these images."""
    patients = [score.case.patient for score in cases]
    value = float(definition.statistic(sample, np.ones((1, len(cases))))[0])
    bounds = None
    if len(set(patients)) > 1 and np.isfinite(value):
        weights = resampling_weights(patients).astype(float)
        bounds = interval(definition.statistic(sample, weights))
    return Figure(
        key=definition.key,
        label=definition.label,
        unit=definition.unit,
        definition=definition.text,
        value=value if np.isfinite(value) else None,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        images=len(cases),
        patients=len(set(patients)),
        data=", ".join(sorted({score.case.data for score in cases})),
    )
