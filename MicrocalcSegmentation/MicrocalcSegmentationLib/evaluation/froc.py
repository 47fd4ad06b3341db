"""Free-response curves: sensitivity against false marks, over thresholds.

Every threshold is applied anew: pixels at or above it are labelled into MCs, which are
grouped into clusters. Here a connected region is one MC, and every one counts for clusters;
`segment` also tells touching MCs apart and sets coarse and vascular ones aside, which at low
thresholds, where thousands are found, would take longer than the networks do.
The detector's threshold stays as it is: what it did not pass is missed at every point.
"""

import numpy as np

# Denser towards 1, where trained networks put their confident pixels, and towards 0, where
# false marks double from one to the next.
THRESHOLDS = (
    *(0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    *(0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
    *(0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999),
)


def sensitivity_at(sensitivity: np.ndarray, false_rate: np.ndarray, limit: float) -> np.ndarray:
    """The highest sensitivity among thresholds with at most `limit` false marks.

    sensitivity, false_rate: (..., thresholds). Nothing is interpolated; with no such
    threshold, 0: a higher one still, that marks nothing, always exists.
    """
    allowed = np.where(false_rate <= limit, sensitivity, 0.0)
    best = allowed.max(axis=-1)
    return np.where(np.isnan(sensitivity).all(axis=-1), np.nan, best)
