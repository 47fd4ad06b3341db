"""Found MCs against true ones: the field's definition, computed by hand."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MicrocalcSegmentationLib.evaluation.matching import lie_on, match, regions
from scipy.ndimage import label

SPACING = (0.05, 0.05)


def measured(*boxes, shape=(60, 60), spacing_mm=SPACING):
    """Regions that are boxes (row, col, height, width), numbered in the order given."""
    labels = np.zeros(shape, np.int32)
    for number, (row, col, height, width) in enumerate(boxes, start=1):
        labels[row : row + height, col : col + width] = number
    return regions(labels, spacing_mm)


def test_centroids_and_areas_are_those_of_the_boxes():
    found = measured((10, 20, 3, 5), (30, 40, 1, 1), spacing_mm=(0.05, 0.1))
    assert found.areas.tolist() == [15, 1]
    assert found.centroids_mm == pytest.approx(np.array([(11 * 0.05, 22 * 0.1), (1.5, 4.0)]))


def test_an_image_without_mcs_has_no_regions_and_no_matches():
    nothing = measured()
    assert len(nothing) == 0
    assert len(match(nothing, measured((5, 5, 2, 2)))) == 0
    assert len(match(measured((5, 5, 2, 2)), nothing)) == 0
    assert len(match(nothing, nothing)) == 0


def test_a_perfect_mask_matches_every_mc_to_itself():
    true = measured((2, 2, 2, 3), (2, 8, 1, 1), (20, 20, 9, 9), (50, 3, 4, 2))
    matches = match(true, true)
    assert matches.found.tolist() == matches.true.tolist() == [0, 1, 2, 3]
    assert matches.iou.tolist() == [1, 1, 1, 1]


def test_what_lies_on_others_shares_a_pixel_with_them_or_is_as_near_as_a_match():
    others = measured((20, 5, 2, 40), (40, 10, 2, 2))
    found = measured((21, 6, 3, 3), (19, 40, 2, 2), (40, 16, 2, 2), (40, 20, 2, 2), (25, 24, 2, 2))
    assert lie_on(found, others).tolist() == [True, True, True, False, True]
    assert lie_on(found, measured()).tolist() == [False] * 5
    assert len(lie_on(measured(), others)) == 0


@pytest.mark.parametrize(("shift", "matched"), [(6, 1), (7, 1), (8, 0)])
def test_a_small_mc_matches_up_to_035_mm_away_and_no_further(shift, matched):
    true, found = measured((20, 20, 2, 2)), measured((20, 20 + shift, 2, 2))
    assert len(match(found, true)) == matched


def test_036_mm_on_a_finer_grid_is_a_miss():
    true = measured((20, 5, 2, 2), spacing_mm=(0.09, 0.09))
    found = measured((20, 9, 2, 2), spacing_mm=(0.09, 0.09))
    assert len(match(found, true)) == 0


def test_distance_is_measured_in_mm_along_each_axis():
    true = measured((20, 20, 2, 2), spacing_mm=(0.05, 0.2))
    along_rows = measured((26, 20, 2, 2), spacing_mm=(0.05, 0.2))
    along_cols = measured((20, 26, 2, 2), spacing_mm=(0.05, 0.2))
    assert len(match(along_rows, true)) == 1
    assert len(match(along_cols, true)) == 0


@pytest.mark.parametrize(("width", "matched"), [(18, 1), (17, 0)])
def test_a_large_mc_far_from_the_centroid_matches_from_an_overlap_of_03(width, matched):
    # 60 x 1 pixels: IoU is width / 60; the centroids are (60 - width) / 2 pixels apart.
    true, found = measured((20, 0, 1, 60)), measured((20, 0, 1, width))
    assert 0.05 * (60 - width) / 2 > 0.35
    assert len(match(found, true)) == matched


def test_two_found_pieces_of_one_mc_count_as_one_match_and_one_false():
    true = measured((20, 20, 4, 4))
    found = measured((20, 20, 4, 3), (20, 25, 1, 1))
    matches = match(found, true)
    assert matches.found.tolist() == [0]
    assert matches.iou.tolist() == [12 / 16]


def test_one_found_region_over_two_mcs_matches_only_one_of_them():
    true = measured((20, 20, 2, 2), (20, 23, 2, 2))
    assert len(match(measured((20, 20, 2, 5)), true)) == 1


def test_the_nearest_neighbour_yields_when_that_lets_both_match():
    # Found A is nearest to true 1, but only A reaches true 2: greedy matching loses one.
    true = measured((20, 20, 1, 1), (20, 26, 1, 1))
    found = measured((20, 21, 1, 1), (20, 14, 1, 1))
    matches = match(found, true)
    assert dict(zip(matches.found.tolist(), matches.true.tolist(), strict=True)) == {0: 1, 1: 0}


def test_of_two_candidates_the_better_overlapping_one_is_taken():
    true = measured((20, 20, 4, 4))
    found = measured((20, 25, 2, 2), (21, 20, 3, 4))
    assert match(found, true).found.tolist() == [1]


@given(st.integers(0, 2**32 - 1))
def test_no_other_one_to_one_matching_is_larger(seed):
    rng = np.random.default_rng(seed)
    found, true = (_random_regions(rng, count) for count in rng.integers(1, 6, 2))
    matches = match(found, true)
    assert len(set(matches.found.tolist())) == len(set(matches.true.tolist())) == len(matches)
    assert len(matches) == _largest_matching(_may_match(found, true))


def _random_regions(rng, count):
    mask = np.zeros((24, 24), bool)
    for row, col in rng.integers(0, 20, (count, 2)):
        mask[row : row + rng.integers(1, 5), col : col + rng.integers(1, 5)] = True
    labels, _ = label(mask, np.ones((3, 3)))
    return regions(labels, SPACING)


def _may_match(found, true):
    """The definition, pair by pair, on whole masks."""
    table = np.zeros((len(found), len(true)), bool)
    for i in range(len(found)):
        for j in range(len(true)):
            one, other = found.labels == i + 1, true.labels == j + 1
            iou = (one & other).sum() / (one | other).sum()
            apart = np.argwhere(one).mean(0) - np.argwhere(other).mean(0)
            table[i, j] = np.hypot(*apart) * 0.05 <= 0.35 + 1e-9 or iou >= 0.3
    return table


def _largest_matching(table):
    if table.shape[0] > table.shape[1]:
        table = table.T
    columns = permutations(range(table.shape[1]), table.shape[0])
    return max(sum(table[i, j] for i, j in enumerate(chosen)) for chosen in columns)
