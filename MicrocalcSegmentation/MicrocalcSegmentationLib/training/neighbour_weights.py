"""How much neighbours say, learnt from sheets with few MCs."""

import logging
from collections.abc import Callable

import numpy as np
from scipy.ndimage import label
from scipy.optimize import minimize

from ..neighbours import Candidates, Neighbourhood, find_candidates
from .sheets import IGNORED, MC, Sheet

Score = Callable[[Sheet], np.ndarray]

# Looked at for `Neighbourhood.drawn`; a candidate ends at `neighbours.OUTLINE`, the least.
DRAWN_SHARES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)

_log = logging.getLogger(__name__)


def fit_neighbourhood(score: Score, sheets: list[Sheet]) -> Neighbourhood | None:
    """The weights by which `neighbours.reconsider` tells MCs from other candidates best.

    And the share from which it draws them so that they overlap best with the true ones.

    score: the segmentator's (rows, cols) probability within the detector's windows. Logistic
    regression over candidates; those that touch an MC are positive, those on what is
    ignored do not count. None where there are no two kinds to tell apart.
    """
    evidence, positive, overlaps = [np.zeros((0, 3))], [np.zeros(0, bool)], []
    for sheet in sheets:
        found = find_candidates(score(sheet), sheet.pixels != 0)
        is_mc, counts = _truth(found, sheet.labels)
        evidence.append(found.evidence[counts])
        positive.append(is_mc[counts])
        overlaps.append(_overlaps(found, sheet.labels))
    evidence, positive = np.concatenate(evidence), np.concatenate(positive)
    if positive.all() or not positive.any():
        _log.warning(
            "%d of %d candidates on %d sheets are MCs: neighbours will not count; "
            "train on more sheets or for more steps",
            positive.sum(),
            len(positive),
            len(sheets),
        )
        return None
    sign = 1 - 2 * positive.astype(float)

    def loss(weights):
        margin = sign * (evidence @ weights[:3] + weights[3])
        chance = np.exp(-np.logaddexp(0, -margin))
        slope = np.append(evidence.T @ (sign * chance), np.sum(sign * chance))
        return float(np.logaddexp(0, margin).sum()), slope

    found = minimize(loss, np.array([1.0, 0, 0, 0]), jac=True, method="L-BFGS-B")
    drawn = DRAWN_SHARES[int(np.concatenate(overlaps).mean(axis=0).argmax())]
    return Neighbourhood(*(float(weight) for weight in found.x), drawn)


def _truth(found: Candidates, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each candidate: whether it touches an MC, and whether it counts; (n,) bool."""
    count = len(found.evidence)
    touched = {
        value: np.isin(np.arange(1, count + 1), found.labels[labels == value])
        for value in (MC, IGNORED)
    }
    return touched[MC], touched[MC] | ~touched[IGNORED]


def _overlaps(found: Candidates, labels: np.ndarray) -> np.ndarray:
    """(MCs with a candidate, shares) intersection over union, each MC with what is drawn of it."""
    mcs, count = label(labels == MC, np.ones((3, 3)))
    has_one = np.isin(np.arange(1, count + 1), mcs[found.labels > 0])
    overlaps = [_best_iou(found.drawn(share), mcs, count) for share in DRAWN_SHARES]
    return np.stack(overlaps, axis=1)[has_one]


def _best_iou(drawn: np.ndarray, mcs: np.ndarray, count: int) -> np.ndarray:
    """(count,) of each labelled MC, with the region that it shares most with."""
    both = (drawn > 0) & (mcs > 0)
    (regions, numbers), common = np.unique(
        np.stack([drawn[both], mcs[both]]), axis=1, return_counts=True
    )
    areas = [np.bincount(labels.ravel()) for labels in (drawn, mcs)]
    best = np.zeros(count + 1)
    np.maximum.at(best, numbers, common / (areas[0][regions] + areas[1][numbers] - common))
    return best[1:]
