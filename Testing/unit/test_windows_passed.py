import numpy as np
import pytest
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.training.sheets import MC, Sheet
from MicrocalcSegmentationLib.training.windows_passed import Detector, choose_detector_threshold

SHAPE = (490, 490)
MCS = {(100, 100): 0.9, (300, 300): 0.6, (400, 120): 0.3}  # place: detector's probability


def sheet():
    labels = np.zeros(SHAPE, np.uint8)
    for row, col in MCS:
        labels[row : row + 4, col : col + 4] = MC
    return Sheet(np.ones(SHAPE, np.float16), labels)


def detector():
    """Says an MC's own probability of every window that holds it whole, and 0.1 of others."""

    def scores(pixels):
        starts = np.arange(0, SHAPE[0] - 45, 4)
        values = np.full((len(starts), len(starts)), 0.1)
        for (row, col), chance in MCS.items():
            rows = (starts <= row) & (row + 4 <= starts + 49)
            cols = (starts <= col) & (col + 4 <= starts + 49)
            values[np.ix_(rows, cols)] = chance
        return values

    return Detector(scores, Architecture())


def seeing(*places):
    """A segmentator that is sure of the MCs at places and sees no other."""
    chances = np.zeros(SHAPE)
    for row, col in places:
        chances[row : row + 4, col : col + 4] = 0.9
    return lambda pixels: chances


def test_the_threshold_passes_every_mc_that_the_segmentator_sees():
    threshold, figures = choose_detector_threshold(detector(), seeing(*MCS), [sheet()], 1.0)
    assert threshold == pytest.approx(0.3)
    assert figures["windows without one passed"] == 0
    assert figures["windows with an MC passed"] > 0.5


def test_an_mc_that_it_does_not_see_lowers_no_threshold():
    seen = list(MCS)[:2]
    threshold, _ = choose_detector_threshold(detector(), seeing(*seen), [sheet()], 1.0)
    assert threshold == pytest.approx(0.6)


def test_candidates_are_the_windows_above_the_threshold():
    candidates = detector().candidates(sheet(), 0.5)
    assert candidates[100:104, 100:104].all()
    assert candidates[300:304, 300:304].all()
    assert not candidates[400:404, 120:124].any()
    assert 0.01 < candidates.mean() < 0.2


def test_where_nothing_is_seen_the_threshold_is_a_half():
    assert choose_detector_threshold(detector(), seeing(), [sheet()], 0.98)[0] == 0.5
