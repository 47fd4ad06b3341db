import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from MicrocalcSegmentationLib.calcifications import (
    Measured,
    find_boxes,
    keep,
    label_calcifications,
    measure,
    window_of,
)
from MicrocalcSegmentationLib.splitting import distinct_calcifications
from scipy.ndimage import binary_dilation, find_objects, label

SPACING = (0.05, 0.05)
MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=14))


@settings(deadline=None)
@given(MASKS)
def test_labels_and_their_boxes_are_those_of_a_search_of_every_pixel(mask):
    labels = label_calcifications(mask, SPACING, 0)
    expected, _ = label(mask, np.ones((3, 3)))
    assert np.array_equal(labels, expected)
    assert find_boxes(labels) == find_objects(labels)


@settings(deadline=None, max_examples=50)
@given(
    *(arrays(bool, (5, 6)), st.floats(0.03, 0.2), st.floats(0.03, 0.2)),
    st.integers(0, 59),
    st.integers(0, 59),
)
def test_the_background_is_the_median_between_two_discs(shape, row_mm, col_mm, row, col):
    labels = np.zeros((65, 66), np.int32)
    labels[row : row + 5, col : col + 6] = shape  # taken as one, whether it hangs together or not
    labels[row, col] = 1
    pixels = np.random.default_rng(0).normal(size=labels.shape)
    flat = np.ones(labels.shape)
    (mc,) = measure(labels, Measured(pixels, flat, flat), (row_mm, col_mm))
    rows, cols = np.mgrid[-25:26, -25:26]
    distance = (rows * row_mm) ** 2 + (cols * col_mm) ** 2
    inner, outer = (binary_dilation(labels, distance <= mm**2) for mm in (0.2, 0.7))
    background = np.median(pixels[outer & ~inner])
    assert mc.peak_contrast == pytest.approx(pixels[labels > 0].max() - background)


def test_regions_that_touch_by_a_corner_are_one_mc():
    mask = np.zeros((10, 10), bool)
    mask[2, 2] = mask[3, 3] = mask[7, 7] = True
    labels = label_calcifications(mask, SPACING, 0)
    assert labels[2, 2] == labels[3, 3] == 1
    assert labels[7, 7] == 2


def test_an_mc_of_exactly_the_smallest_area_is_kept_and_a_smaller_one_dropped():
    mask = np.zeros((12, 12), bool)
    mask[1, 1:4] = True
    mask[8, 8:10] = True
    labels = label_calcifications(mask, SPACING, 3 * 0.05 * 0.05)
    assert labels.max() == 1
    assert np.array_equal(labels > 0, mask & (np.arange(12)[:, None] == 1))


def test_numbers_have_no_gaps_after_small_ones_are_dropped():
    mask = np.zeros((30, 30), bool)
    mask[1, 1] = mask[10:13, 10:13] = mask[20, 2] = mask[25:28, 25:28] = True
    assert set(np.unique(label_calcifications(mask, SPACING, 0.02))) == {0, 1, 2}


@pytest.fixture
def one_mc():
    pixels = np.full((60, 60), 100.0)
    labels = np.zeros((60, 60), np.int32)
    labels[30:33, 20:24] = 1
    pixels[30:33, 20:24] = 110
    pixels[31, 21] = 130
    probability = np.where(labels > 0, 0.9, 0.0)
    probability[31, 21] = 0.97
    return labels, Measured(pixels, np.full((60, 60), 5.0), probability)


def test_an_mc_is_measured_against_its_surroundings(one_mc):
    (mc,) = measure(*one_mc, (0.05, 0.1))
    assert (mc.number, mc.cluster) == (1, 0)
    assert (mc.row, mc.col) == (31, 21.5)
    assert mc.area_mm2 == pytest.approx(12 * 0.005)
    assert mc.diameter_mm == pytest.approx(2 * np.sqrt(0.06 / np.pi))
    assert mc.peak_contrast == pytest.approx(6)
    assert mc.mean_contrast == pytest.approx((11 * 10 + 30) / 12 / 5)
    assert mc.probability == pytest.approx(0.97)


def test_a_neighbouring_mc_is_no_background(one_mc):
    labels, on = one_mc
    labels[30:33, 28:34] = 2
    on.pixels[30:33, 28:34] = 4000
    mc, _ = measure(labels, on, (0.05, 0.05))
    assert mc.peak_contrast == pytest.approx(6)


def test_an_mc_in_the_corner_is_measured():
    labels = np.zeros((50, 50), np.int32)
    labels[:2, :2] = 1
    pixels = np.where(labels > 0, 4.0, 1.0)
    (mc,) = measure(labels, Measured(pixels, np.ones((50, 50)), pixels / 4), SPACING)
    assert mc.peak_contrast == pytest.approx(3)


def test_an_mc_without_any_background_still_has_finite_contrast():
    labels = np.ones((4, 4), np.int32)
    flat = np.ones((4, 4))
    (mc,) = measure(labels, Measured(flat, flat, flat), SPACING)
    assert mc.mean_contrast == 0


def test_only_the_numbers_that_are_kept_stay():
    labels = np.array([[0, 1, 1, 0], [2, 0, 0, 3]], np.int32)
    keep(labels, np.array([True, False, True]))
    assert labels.tolist() == [[0, 1, 1, 0], [0, 0, 0, 3]]


@settings(deadline=None, max_examples=30)
@given(arrays(bool, (12, 14)), st.integers(0, 68), st.integers(0, 56))
def test_the_window_of_a_mask_holds_all_that_its_mcs_are_told_and_measured_by(shape, row, col):
    mask = np.zeros((80, 70), bool)
    mask[row : row + 12, col : col + 14] = shape
    rng = np.random.default_rng(0)
    on = Measured(*(rng.uniform(1, 2, mask.shape).astype(np.float32) for _ in range(3)))
    whole = distinct_calcifications(mask, on.pixels, SPACING, 0.0)
    box = window_of(mask, SPACING)
    part = distinct_calcifications(mask[box], on.part(box).pixels, SPACING, 0.0)
    assert np.array_equal(whole[box], part)
    assert measure(part, on.part(box), SPACING) == measure(whole, on, SPACING)


def test_the_window_of_an_empty_mask_is_empty():
    mask = np.zeros((40, 50), bool)
    box = window_of(mask, SPACING)
    assert mask[box].size == 0
    assert label_calcifications(mask[box], SPACING, 0.0).size == 0
