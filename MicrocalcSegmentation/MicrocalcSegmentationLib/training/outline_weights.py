"""Where an MC ends, learnt from sheets: the weights of `outlines.Outline`."""

import logging
from collections.abc import Callable

import numpy as np
from scipy.ndimage import label

from ..neighbours import Candidates, find_candidates
from ..outlines import COURSES, TERMS, Outline, Shapes
from .regression import logistic_regression
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
    found = [find_candidates(score(sheet), sheet.pixels != 0) for sheet in sheets]
    parts = [_pixels(one, sheet) for one, sheet in zip(found, sheets, strict=True)]
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
    overlaps = [_overlaps(*one, outlines) for one in zip(found, sheets, strict=True)]
    return outlines[int(np.concatenate(overlaps).mean(axis=0).argmax())]


def _pixels(found: Candidates, sheet: Sheet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(p, 15) terms times courses, (p,) whether MC, and (p,) weight, of the pixels that count."""
    shapes = found.shapes(sheet.pixels.astype(np.float32))
    labels = sheet.labels.ravel()[found.places]
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
    start, ridge = np.zeros(len(spread)), np.full(len(spread), RIDGE)
    ridge[0] = 0.0
    found = logistic_regression(standard, positive, start, weight, ridge)
    plain = found / np.maximum(spread, 1e-6)
    plain[0] -= plain[1:] @ middle[1:]
    return plain


def _cut(weights: np.ndarray, chance: float) -> Outline:
    shifted = weights.copy()
    shifted[0] -= np.log(chance) - np.log1p(-chance)
    return Outline(tuple(tuple(row) for row in shifted.reshape(TERMS, COURSES).tolist()))


def _overlaps(found: Candidates, sheet: Sheet, outlines: list[Outline]) -> np.ndarray:
    """(MCs with a candidate, outlines) intersection over union of each with what is drawn of it."""
    mcs, count = label(sheet.labels == MC, np.ones((3, 3)))
    has_one = np.isin(np.arange(1, count + 1), mcs[found.labels > 0])
    image = sheet.pixels.astype(np.float32)
    drawn = (found.drawn(image, outline) for outline in outlines)
    return np.stack([_best_overlaps(one, mcs, count)[has_one] for one in drawn], axis=1)


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
