"""Pixel counts, and precision against recall over all thresholds."""

from dataclasses import dataclass

import numpy as np

_LOWEST, _HIGHEST = 1e-6, 1 - 1e-7  # probabilities outside share the outermost bins
_BINS_PER_LOGIT = 100  # a bin is at most 0.0025 of probability wide
_LOGIT_MIN = float(np.log(_LOWEST / (1 - _LOWEST)))
_LOGIT_MAX = float(np.log(_HIGHEST / (1 - _HIGHEST)))
BINS = int(np.ceil((_LOGIT_MAX - _LOGIT_MIN) * _BINS_PER_LOGIT)) + 2


@dataclass(frozen=True)
class PixelCounts:
    """true_positive ... true_negative: all pixels of the image but ignored ones.

    breast_negative: pixels of the found breast region that are not MC in truth.
    breast_false_positive: those of them that were found to be MC.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    breast_negative: int
    breast_false_positive: int


def count_pixels(found: np.ndarray, truth: np.ndarray, breast: np.ndarray) -> PixelCounts:
    """found, truth, breast: bool, of the same pixels each."""
    positive, marked = int(truth.sum()), int(found.sum())
    both = int((found & truth).sum())
    negative_in_breast = breast & ~truth
    return PixelCounts(
        true_positive=both,
        false_positive=marked - both,
        false_negative=positive - both,
        true_negative=truth.size - positive - marked + both,
        breast_negative=int(negative_in_breast.sum()),
        breast_false_positive=int((negative_in_breast & found).sum()),
    )


def probability_histograms(
    probability: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How often each probability occurs on MC pixels, and on all others.

    probability: float32 in [0, 1]; truth: bool, of the same pixels.
    Returns two (BINS,) int64 arrays. Bin 0 holds probability 0, which most pixels have
    because neither network looked at them; the others are even in log odds, because
    trained networks crowd near 0 and 1.
    """
    above = probability > 0
    values = np.clip(probability[above].astype(np.float64), _LOWEST, _HIGHEST)
    logits = np.log(values / (1 - values))
    bins = 1 + ((logits - _LOGIT_MIN) * _BINS_PER_LOGIT).astype(int)
    is_mc = truth[above]
    positive = np.bincount(bins[is_mc], minlength=BINS)
    negative = np.bincount(bins[~is_mc], minlength=BINS)
    positive[0] = int(truth.sum()) - int(positive.sum())
    negative[0] = int((~truth).sum()) - int(negative.sum())
    return positive, negative


def average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under precision against recall: sum of precision x step of recall.

    positive, negative: (..., bins) counts, least probable first. NaN where no pixel is MC.
    """
    hits = np.cumsum(positive[..., ::-1], axis=-1, dtype=float)
    marked = hits + np.cumsum(negative[..., ::-1], axis=-1, dtype=float)
    precision = hits / np.maximum(marked, 1)
    gained = (precision * positive[..., ::-1]).sum(axis=-1)
    total = hits[..., -1]
    return np.where(total > 0, gained / np.maximum(total, 1), np.nan)
