"""Probabilities that mean what they say, and thresholds of a stated rate of false clusters."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import label
from scipy.optimize import minimize

from ..calcifications import centroids, label_calcifications, places_of
from ..clusters import group
from ..model import OperatingPoint
from ..settings import METHOD_SPACING_MM, Settings
from .sheets import IGNORED, MC, Sheet

NEGATIVES_KEPT = 50  # one in so many is looked at when calibrating; there are millions
CANDIDATES = tuple(round(0.02 * step, 2) for step in range(2, 50))
_TOUCHING = np.ones((3, 3))
_SPACING_MM = (METHOD_SPACING_MM, METHOD_SPACING_MM)
_HIGHEST_LOG_RATE = 20.0  # no image has so many clusters; the line may be steep while it is sought
_SMALLEST = 1e-7  # probability; float32 knows none nearer to 1

Score = Callable[[np.ndarray], np.ndarray]


def calibrate(network, sheets: list[Sheet], score: Score) -> None:
    """Change the last layer so that probabilities are the shares of MC pixels on the sheets.

    Training weighs rare positives up, which makes every probability too high. A slope and a
    shift of the logit (Platt 1999) are put into the last layer's weights; the order of
    pixels, and so every ROC curve, stays.
    """
    logits, positive, weights = _sampled_logits(sheets, score)
    slope, shift = _platt(logits, positive, weights)
    layer = network.get_layer("fc2")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * slope, bias * slope + np.array([0, shift], bias.dtype)])


def _sampled_logits(sheets: list[Sheet], score: Score):
    logits, positive, weights = [], [], []
    for number, sheet in enumerate(sheets):
        values = score(sheet.pixels.astype(np.float32)).ravel()
        mcs = (sheet.labels == MC).ravel()
        others = np.flatnonzero(~mcs & ((sheet.labels != IGNORED) & (sheet.pixels != 0)).ravel())
        others = others[number % NEGATIVES_KEPT :: NEGATIVES_KEPT]
        for kept, is_mc, weight in ((np.flatnonzero(mcs), 1, 1), (others, 0, NEGATIVES_KEPT)):
            chances = np.clip(values[kept].astype(np.float64), _SMALLEST, 1 - _SMALLEST)
            logits.append(np.log(chances) - np.log1p(-chances))
            positive.append(np.full(len(kept), is_mc))
            weights.append(np.full(len(kept), weight))
    return tuple(np.concatenate(parts) for parts in (logits, positive, weights))


def _platt(logits, positive, weights) -> tuple[float, float]:
    sign = 1 - 2 * positive

    def loss(parameters):
        slope, shift = parameters
        return float(np.sum(weights * np.logaddexp(0, sign * (slope * logits + shift))))

    found = minimize(loss, (1.0, -3.0), method="Nelder-Mead", options={"xatol": 1e-3})
    return float(found.x[0]), float(found.x[1])


def operating_points(
    score: Callable[[Sheet], np.ndarray], sheets: list[Sheet]
) -> list[OperatingPoint]:
    """What every threshold of `CANDIDATES` gives.

    score: a sheet -> the (rows, cols) probability of MC at the end of all stages.
    """
    found, false, clusters = (np.zeros(len(CANDIDATES)) for _ in range(3))
    true, area_cm2 = 0, 0.0
    for sheet in sheets:
        values = score(sheet)
        mcs, count = label(sheet.labels == MC, _TOUCHING)
        true += count
        area_cm2 += np.count_nonzero(sheet.pixels) * METHOD_SPACING_MM**2 / 100
        for number, threshold in enumerate(CANDIDATES):
            hits, alone, in_clusters = _marks(values >= threshold, sheet, mcs)
            found[number] += hits
            false[number] += alone
            clusters[number] += in_clusters
    return [
        OperatingPoint(
            threshold,
            round(found[number] / max(true, 1), 4),
            round(100 * false[number] / area_cm2, 4),
            round(100 * clusters[number] / area_cm2, 4),
        )
        for number, threshold in enumerate(CANDIDATES)
    ]


def _marks(mask: np.ndarray, sheet: Sheet, mcs: np.ndarray) -> tuple[int, int, int]:
    """MCs found, false MCs and false clusters of a mask."""
    labels = label_calcifications(mask, _SPACING_MM, Settings().min_mc_area_mm2)
    pixels = places_of(labels)
    numbers = labels.ravel()[pixels] - 1
    middles = centroids(labels)
    touched = np.zeros(len(middles), bool)
    touched[numbers[sheet.labels.ravel()[pixels] != 0]] = True
    false_groups = sum(not touched[members].any() for members in group(middles * _SPACING_MM))
    hits = np.unique(mcs.ravel()[pixels])
    return int(np.count_nonzero(hits)), int(np.count_nonzero(~touched)), false_groups


def choose_threshold(points: list[OperatingPoint], false_clusters: float) -> OperatingPoint:
    """The lowest threshold that is expected to give no more false clusters than wanted.

    false_clusters: per 100 cm2. Where so few are allowed, a point has seen one or two: a
    curve through all of them is less a matter of chance than any. The highest threshold,
    where none is enough.
    """
    expected = _expected(
        np.array([point.threshold for point in points]),
        np.array([point.false_clusters for point in points]),
    )
    enough = np.flatnonzero(expected <= false_clusters)
    return points[enough[0] if len(enough) else -1]


def _expected(thresholds: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Rates by Poisson regression: their logarithm is a line over the threshold's logit."""
    if not rates.any():
        return rates
    logits = np.log(thresholds) - np.log1p(-thresholds)
    inputs = np.stack([np.ones(len(logits)), logits], axis=1)

    def loss(line):
        height = inputs @ line
        expected = np.exp(np.minimum(height, _HIGHEST_LOG_RATE))
        return float(np.sum(expected - rates * height)), inputs.T @ (expected - rates)

    start = np.array([np.log(rates.mean()), 0.0])
    line = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return np.exp(np.minimum(inputs @ line, _HIGHEST_LOG_RATE))
