"""Where an MC ends, learnt from sheets: the weights of `outlines.Outline`."""

import logging
from collections.abc import Callable

import numpy as np
from scipy.ndimage import label
from scipy.optimize import minimize

from ..calcifications import places_of
from ..neighbours import Candidates, find_candidates
from ..outlines import COURSES, TERMS, Outline, Shapes
from .sheets import IGNORED, MC, Sheet

Score = Callable[[Sheet], np.ndarray]

FEWEST = 30  # MCs with a candidate; from fewer nothing is learnt
RIDGE = 1.0  # of standardised weights, against a loss that counts every candidate as one
CUTS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)  # chances from which a pixel may be drawn

_log = logging.getLogger(__name__)


def fit_outline(score: Score, sheets: list[Sheet]) -> Outline | None:
    """The outline by which what is drawn of candidates overlaps best with the true MCs.

    score: the segmentator's (rows, cols) probability within the detector's windows. Logistic
    regression over the pixels of candidates that touch an MC, each candidate counting as one;
    then the chance from which a pixel is drawn, by the mean intersection over union. None
    where there are too few MCs to learn from.
    """
    known = [(find_candidates(score(sheet), sheet.pixels != 0), sheet) for sheet in sheets]
    parts = [_pixels(found, sheet) for found, sheet in known]
    inputs, positive, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    if weight.sum() < FEWEST or positive.all() or not positive.any():
        _log.warning(
            "%.0f candidates on %d sheets touch an MC, too few to learn where one ends; "
            "train on more sheets or for more steps",
            weight.sum(),
            len(sheets),
        )
        return None
    weights = _regression(inputs, positive, weight)
    outlines = [_cut(weights, chance) for chance in CUTS]
    overlaps = [_mean_overlap(known, outline) for outline in outlines]
    return outlines[int(np.argmax(overlaps))]


def _pixels(found: Candidates, sheet: Sheet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(p, 15) terms times courses, (p,) whether MC, and (p,) weight, of the pixels that count."""
    shapes = found.shapes(sheet.pixels.astype(np.float32))
    labels = sheet.labels.ravel()[places_of(found.labels)]
    touches = np.bincount(shapes.numbers[labels == MC], minlength=len(found.evidence)) > 0
    counts = touches[shapes.numbers] & (labels != IGNORED)
    numbers = shapes.numbers[counts]
    weight = 1 / np.maximum(np.bincount(numbers, minlength=len(touches)), 1)[numbers]
    return _inputs(shapes)[counts], labels[counts] == MC, weight


def _inputs(shapes: Shapes) -> np.ndarray:
    terms, courses = shapes.terms[shapes.numbers], shapes.courses
    return (terms[:, :, None] * courses[:, None, :]).reshape(-1, TERMS * COURSES)


def _regression(inputs: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(15,) weights of the logit; the first input is 1."""
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0)
    middle[0], spread[0] = 0.0, 1.0
    standard = (inputs - middle) / np.maximum(spread, 1e-6)
    sign = 1 - 2 * positive.astype(float)

    def loss(weights):
        margin = sign * (standard @ weights)
        chance = np.exp(-np.logaddexp(0, -margin))
        value = weight @ np.logaddexp(0, margin) + RIDGE / 2 * (weights[1:] ** 2).sum()
        slope = standard.T @ (weight * sign * chance)
        slope[1:] += RIDGE * weights[1:]
        return float(value), slope

    found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x
    plain = found / np.maximum(spread, 1e-6)
    plain[0] -= plain[1:] @ middle[1:]
    return plain


def _cut(weights: np.ndarray, chance: float) -> Outline:
    shifted = weights.copy()
    shifted[0] -= np.log(chance) - np.log1p(-chance)
    return Outline(tuple(tuple(row) for row in shifted.reshape(TERMS, COURSES).tolist()))


def _mean_overlap(known: list[tuple[Candidates, Sheet]], outline: Outline) -> float:
    """Of every MC with a candidate, the mean intersection over union with what is drawn of it."""
    overlaps = []
    for found, sheet in known:
        mcs, count = label(sheet.labels == MC, np.ones((3, 3)))
        has_one = np.isin(np.arange(1, count + 1), mcs[found.labels > 0])
        drawn = found.drawn(sheet.pixels.astype(np.float32), outline)
        overlaps.append(_best_overlaps(drawn, mcs, count)[has_one])
    return float(np.concatenate(overlaps).mean())


def _best_overlaps(drawn: np.ndarray, mcs: np.ndarray, count: int) -> np.ndarray:
    """(count,) of each labelled MC, with the region that it shares most with."""
    both = (drawn > 0) & (mcs > 0)
    (regions, numbers), common = np.unique(
        np.stack([drawn[both], mcs[both]]), axis=1, return_counts=True
    )
    areas = [np.bincount(labels.ravel()) for labels in (drawn, mcs)]
    best = np.zeros(count + 1)
    np.maximum.at(best, numbers, common / (areas[0][regions] + areas[1][numbers] - common))
    return best[1:]
