"""What the detector passes on to the segmentator, and the threshold at which it does."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label, maximum, maximum_filter, maximum_position

from ..inference.windows import candidate_mask, window_grid
from ..networks import Architecture
from .sheets import MC, Sheet

SEEN_FROM = 0.1  # the segmentator's probability of an MC that the detector should not lose
_TOUCHING = np.ones((3, 3))

Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Detector:
    """A detector in training.

    scores: (rows, cols) pixels -> (r, c) probabilities of patches that start at every
        `architecture.stride`-th pixel.
    """

    scores: Score
    architecture: Architecture

    def windows(self, sheet: Sheet) -> tuple[np.ndarray, np.ndarray]:
        """(n, 2) starts of the breast's windows that overlap by half, and (n,) probabilities.

        The last window of a line is the last that the network slides over, up to three
        pixels before the border.
        """
        starts = window_grid(sheet.pixels != 0, self.architecture.patch_side)
        values = self.scores(sheet.pixels.astype(np.float32))
        places = np.minimum(starts // self.architecture.stride, np.array(values.shape) - 1)
        return starts, values[tuple(places.T)]

    def candidates(self, sheet: Sheet, threshold: float) -> np.ndarray:
        """(rows, cols) bool: the candidate ROIs."""
        starts, scores = self.windows(sheet)
        side = self.architecture.patch_side
        return candidate_mask(sheet.pixels.shape, starts, scores >= threshold, side)


def choose_detector_threshold(
    detector: Detector, segment: Score, sheets: list[Sheet], kept: float
) -> tuple[float, dict]:
    """The highest threshold that passes the wanted share of the MCs that segment sees.

    segment: (rows, cols) pixels -> the segmentator's probability at each. An MC that it
    would not mark anyway is no reason to have it look at a window. An MC lies in up to four
    windows and is passed with the best of them.
    """
    best, scores, positive, known = [], [], [], []
    side = detector.architecture.patch_side
    for sheet in sheets:
        starts, values = detector.windows(sheet)
        for place in _seen(sheet, segment(sheet.pixels.astype(np.float32))):
            around = ((starts <= place) & (place < starts + side)).all(axis=1)
            best.append(float(values[around].max(initial=0.0)))
        middles = tuple((starts + side // 2).T)
        scores.append(values)
        positive.append(maximum_filter(sheet.labels == MC, side)[middles])
        known.append(positive[-1] | ~maximum_filter(sheet.labels != 0, side)[middles])
    known = np.concatenate(known)
    scores, positive = np.concatenate(scores)[known], np.concatenate(positive)[known]
    threshold = float(np.quantile(best, 1 - kept)) if best else 0.5
    return threshold, {
        f"MCs seen at {SEEN_FROM} that the detector passes": kept,
        "windows with an MC passed": float((scores[positive] >= threshold).mean()),
        "windows without one passed": float((scores[~positive] >= threshold).mean()),
        "detector, balanced accuracy at 0.5": _balanced_accuracy(scores, positive),
    }


def _seen(sheet: Sheet, probability: np.ndarray) -> np.ndarray:
    """(n, 2) highest pixel of each MC that reaches `SEEN_FROM`."""
    mcs, count = label(sheet.labels == MC, _TOUCHING)
    numbers = np.arange(1, count + 1)
    numbers = numbers[np.asarray(maximum(probability, mcs, numbers)) >= SEEN_FROM]
    return np.array(maximum_position(probability, mcs, numbers)).reshape(-1, 2)


def _balanced_accuracy(scores: np.ndarray, positive: np.ndarray) -> float:
    return float(((scores[positive] >= 0.5).mean() + (scores[~positive] < 0.5).mean()) / 2)
