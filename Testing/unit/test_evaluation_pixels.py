"""Pixel counts and precision against recall, on images of a few pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MicrocalcSegmentationLib.evaluation.pixels import (
    PixelCounts,
    average_precision,
    count_pixels,
    probability_histograms,
)


def test_counts_of_an_image_of_ten_pixels():
    truth = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]], bool)
    found = np.array([[1, 1, 0, 1, 0, 0, 0, 0, 0, 0]], bool)
    breast = np.array([[1, 1, 1, 1, 1, 1, 0, 0, 0, 0]], bool)
    assert count_pixels(found, truth, breast) == PixelCounts(
        true_positive=2,
        false_positive=1,
        false_negative=1,
        true_negative=6,
        breast_negative=3,
        breast_false_positive=1,
    )


def area(probability, truth):
    probability = np.array([probability], np.float32)
    return float(average_precision(*probability_histograms(probability, np.array([truth], bool))))


def test_area_of_a_perfect_ranking_is_one():
    assert area([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]) == pytest.approx(1)


def test_area_by_hand_with_a_false_pixel_in_between():
    # Thresholds from the top: recall 1/2 at precision 1, then 1 at precision 2/3.
    assert area([0.9, 0.7, 0.6, 0.1], [1, 0, 1, 0]) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_area_of_a_ranking_that_says_nothing_is_the_share_of_mc_pixels():
    assert area([0.5] * 10, [1, 1, 1] + [0] * 7) == pytest.approx(0.3)
    assert area([0.0] * 10, [1] + [0] * 9) == pytest.approx(0.1)


def test_area_without_mc_pixels_is_undefined():
    assert np.isnan(area([0.9, 0.1], [0, 0]))


def test_probabilities_close_to_one_are_still_told_apart():
    assert area([0.9999, 0.999, 0.99], [1, 0, 0]) == pytest.approx(1)
    assert area([0.999, 0.9999, 0.99], [1, 0, 0]) == pytest.approx(1 / 2)


@pytest.mark.parametrize("extreme", [1.0, 1e-30])
def test_extreme_probabilities_are_counted(extreme):
    positive, negative = probability_histograms(np.full((2, 2), extreme, np.float32), np.eye(2) > 0)
    assert positive.sum() == negative.sum() == 2
    assert positive[0] == 0


@given(st.integers(0, 2**32 - 1))
def test_area_agrees_with_the_sum_over_every_threshold(seed):
    rng = np.random.default_rng(seed)
    probability = rng.integers(0, 20, 60) / 20
    truth = rng.random(60) < 0.4
    truth[0] = True
    expected = recall_before = 0.0
    for threshold in np.unique(probability)[::-1]:
        marked = probability >= threshold
        recall = (marked & truth).sum() / truth.sum()
        expected += (recall - recall_before) * (marked & truth).sum() / marked.sum()
        recall_before = recall
    assert area(probability, truth) == pytest.approx(expected)
