"""How much neighbours say, learnt from sheets with few MCs."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..neighbours import Candidates, Neighbourhood, find_candidates
from .regression import logistic_regression
from .sheets import IGNORED, MC, Sheet

# So many times as many doubtful candidates, so many times lower the odds of each (Bayes). Sheets
# cannot teach it: their noise is what the networks have learnt, and MCs fill much of a sheet.
EVERYWHERE = -1.0

Score = Callable[[Sheet], np.ndarray]

_log = logging.getLogger(__name__)


def fit_neighbourhood(score: Score, sheets: list[Sheet]) -> Neighbourhood | None:
    """The weights by which `neighbours.reconsider` tells MCs from other candidates best.

    score: the segmentator's (rows, cols) probability within the detector's windows. Logistic
    regression over candidates; those that touch an MC are positive, those on what is
    ignored do not count. None where there are no two kinds to tell apart.
    """
    evidence, positive, whole = [np.zeros((0, 3))], [np.zeros(0, bool)], []
    for sheet in sheets:
        found = find_candidates(score(sheet), sheet.pixels != 0)
        is_mc, counts = _truth(found, sheet.labels)
        whole.append((found.evidence, found.around))
        evidence.append(found.evidence[counts])
        positive.append(is_mc[counts])
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
    inputs = np.column_stack([evidence, np.ones(len(evidence))])
    weights = logistic_regression(inputs, positive, start=np.array([1.0, 0, 0, 0]))
    learnt = Neighbourhood(*weights.tolist())
    usual = np.mean([around.doubtful(learnt.weigh(own, around)[0]) for own, around in whole])
    return replace(learnt, everywhere=EVERYWHERE, usual=float(usual))


def _truth(found: Candidates, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each candidate: whether it touches an MC, and whether it counts; (n,) bool."""
    count = len(found.evidence)
    touched = {
        value: np.isin(np.arange(1, count + 1), found.labels[labels == value])
        for value in (MC, IGNORED)
    }
    return touched[MC], touched[MC] | ~touched[IGNORED]
