from dataclasses import replace

import numpy as np
import pytest
from MicrocalcSegmentationLib.model import OperatingPoint, load_model
from MicrocalcSegmentationLib.training.operating_points import (
    CANDIDATES,
    choose_threshold,
    operating_points,
)
from MicrocalcSegmentationLib.training.sheets import IGNORED, MC, Sheet


def sheet_with(places, value=MC):
    """A sheet of 26 cm2 of noise with 4 x 4 labelled pixels at places; pixels are its noise."""
    rng = np.random.default_rng(0)
    labels = np.zeros((1024, 1024), np.uint8)
    for row, col in places:
        labels[row : row + 4, col : col + 4] = value
    return Sheet(rng.normal(1, 0.1, labels.shape).astype(np.float16), labels)


def marking(places, probability=0.5):
    """What gives squares at places one probability, and the rest none."""
    chances = np.zeros((1024, 1024))
    for row, col in places:
        chances[row : row + 4, col : col + 4] = probability
    return lambda pixels: chances


MCS = [(100, 100 + 20 * n) for n in range(6)]
FAR = [(700, 100 + 20 * n) for n in range(6)]


def at(points, threshold):
    return next(point for point in points if point.threshold == threshold)


def test_what_is_found_counts_up_to_its_probability_and_not_beyond():
    points = operating_points(marking(MCS[:3]), [sheet_with(MCS)])
    assert [point.threshold for point in points] == list(CANDIDATES)
    assert at(points, 0.5).mcs_found == pytest.approx(0.5)
    assert at(points, 0.52).mcs_found == 0
    assert at(points, 0.5).false_mcs == at(points, 0.5).false_clusters == 0


def test_six_false_marks_on_1_cm2_are_a_false_cluster():
    points = operating_points(marking(FAR), [sheet_with(MCS)])
    cm2 = 1024**2 * 0.05**2 / 100
    assert at(points, 0.5).false_mcs == pytest.approx(6 * 100 / cm2, rel=1e-3)
    assert at(points, 0.5).false_clusters == pytest.approx(100 / cm2, rel=1e-3)


def test_marks_on_what_is_ignored_are_not_false():
    points = operating_points(marking(FAR), [sheet_with(FAR, IGNORED)])
    assert at(points, 0.5).false_mcs == at(points, 0.5).false_clusters == 0


def points_of(*false_clusters):
    return [OperatingPoint(0.1 * n, 0.9, 1.0, rate) for n, rate in enumerate(false_clusters, 1)]


def test_the_lowest_threshold_of_the_expected_rate_is_chosen():
    """Rates of 1 at 0.5 that fall to a quarter as the odds double: to 0.2 at odds of 2.24."""
    grid = np.round(np.arange(0.02, 0.99, 0.02), 2)
    points = [OperatingPoint(t, 0.9, 1.0, ((1 - t) / t) ** 2) for t in grid]
    assert choose_threshold(points, 0.2).threshold == pytest.approx(0.70)


def test_a_single_cluster_that_stays_does_not_decide():
    def chosen(*counts):
        return choose_threshold(points_of(*(0.03 * count for count in counts)), 0.05).threshold

    # By the counts alone the second would be 0.8, the first threshold with less than two.
    assert chosen(64, 16, 5, 2, 1, 0, 0, 0) == pytest.approx(0.5)
    assert chosen(64, 16, 5, 2, 2, 2, 2, 0) == pytest.approx(0.6)


def test_where_nothing_is_false_the_lowest_is_chosen():
    assert choose_threshold(points_of(0, 0, 0), 0.05).threshold == pytest.approx(0.1)


def test_where_no_threshold_is_enough_the_highest_is_chosen():
    assert choose_threshold(points_of(3, 2, 1), 0.2).threshold == pytest.approx(0.3)


def test_a_model_tells_the_point_nearest_to_a_threshold():
    model = replace(load_model(), operating_points=tuple(points_of(3, 2, 1)))
    assert model.operating_point(0.24).threshold == pytest.approx(0.2)
    assert replace(model, operating_points=()).operating_point(0.5) is None
