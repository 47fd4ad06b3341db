"""Confidence intervals by resampling patients."""

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
SEED = 20190414


def resampling_weights(patients: list[str], resamples: int = RESAMPLES) -> np.ndarray:
    """How often each image is drawn in each resample, (resamples, images) int.

    Patients are drawn with replacement, as many as there are, each with all its images:
    images of one patient are alike, so drawing images would make intervals too narrow.
    """
    names, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(SEED).multinomial(len(names), share, size=resamples)
    return drawn[:, patient]


def interval(replicates: np.ndarray) -> tuple[float, float] | None:
    """Percentile interval of a figure's replicates; None when none of them is defined."""
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return None
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(finite, [tail, 100 - tail])
    return float(low), float(high)
