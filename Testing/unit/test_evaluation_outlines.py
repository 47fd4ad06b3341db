"""Whether cluster outlines overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MicrocalcSegmentationLib.evaluation.matching import regions
from MicrocalcSegmentationLib.evaluation.outlines import cluster_outlines, overlap, overlaps
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

SQUARE = np.array([(0, 0), (0, 4), (4, 4), (4, 0)], float)


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ((0, 0), True),
        ((3, 3), True),
        ((4, 0), True),  # touching along a side
        ((4, 4), True),  # touching in a corner
        ((4.01, 0), False),
        ((0, -4.01), False),
    ],
)
def test_squares_overlap_as_far_as_they_touch(shift, expected):
    assert overlap(SQUARE, SQUARE + shift) is expected
    assert overlap(SQUARE + shift, SQUARE) is expected


def test_an_outline_inside_another_overlaps_it():
    assert overlap(SQUARE, 1 + SQUARE / 4)
    assert overlap(1 + SQUARE / 4, SQUARE)


def test_bounding_boxes_that_overlap_are_not_enough():
    upper_triangle = np.array([(0, 0), (0, 10), (10, 10)], float)
    small = np.array([(8, 1), (8, 2), (9, 2), (9, 1)], float)
    assert not overlap(upper_triangle, small)


def test_an_outline_goes_around_the_pixels_as_squares():
    labels = np.zeros((30, 30), np.int32)
    labels[5, 5] = 1
    labels[5, 15:17] = 2
    labels[20, 20] = 3
    (outline,) = cluster_outlines(regions(labels, (0.1, 0.1)), np.array([7, 7, 0]))
    assert outline.min(axis=0).tolist() == [4.5, 4.5]
    assert outline.max(axis=0).tolist() == [5.5, 16.5]


def test_isolated_mcs_make_no_outline_and_the_table_is_empty():
    labels = np.eye(5, dtype=np.int32) * np.arange(1, 6)
    assert cluster_outlines(regions(labels, (0.1, 0.1)), np.zeros(5, int)) == []
    assert overlaps([], [SQUARE, SQUARE]).shape == (0, 2)
    assert overlaps([SQUARE], []).shape == (1, 0)


def test_the_table_says_which_overlaps_which():
    far = SQUARE + 100
    assert overlaps([SQUARE, far], [far, SQUARE + 1, SQUARE + 50]).tolist() == [
        [False, True, False],
        [True, False, False],
    ]


@given(st.integers(0, 2**32 - 1))
def test_overlap_agrees_with_a_linear_programme(seed):
    rng = np.random.default_rng(seed)
    one, other = (_random_outline(rng) for _ in range(2))
    assert overlap(one, other) == _have_a_common_point(one, other)


def _random_outline(rng):
    points = rng.normal(rng.uniform(-2, 2, 2), rng.uniform(0.2, 2, 2), (rng.integers(3, 9), 2))
    return points[ConvexHull(points).vertices]


def _have_a_common_point(one, other):
    """Whether weights exist that mix both sets of corners into the same point."""
    equal = np.vstack(
        [
            np.hstack([one.T, -other.T]),
            np.hstack([np.ones(len(one)), np.zeros(len(other))]),
            np.hstack([np.zeros(len(one)), np.ones(len(other))]),
        ]
    )
    result = linprog(np.zeros(equal.shape[1]), A_eq=equal, b_eq=[0, 0, 1, 1])
    return result.status == 0
