"""Shapes in masks, against distances to the nearest pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from MicrocalcSegmentationLib.morphology import (
    bounding_box,
    connected_with,
    eroded,
    largest,
    near,
    opened,
    touching_border,
    without_small_holes,
)
from scipy.ndimage import distance_transform_edt

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=24))
STEPS = st.sampled_from([(1.0, 1.0), (0.4, 0.35), (0.1, 0.3), (1 / 3, 0.2)])
RADII = st.sampled_from([0.05, 0.4, 0.9999, 1.0, 2.5])


def drawn(*rows):
    return np.array([[letter == "#" for letter in row] for row in rows])


@settings(deadline=None)
@given(MASKS, RADII, STEPS)
def test_what_is_eroded_lies_farther_from_the_outside_than_the_radius(mask, radius_mm, step_mm):
    far = np.ones(mask.shape, bool)
    if not mask.all():
        far = distance_transform_edt(mask, sampling=step_mm) > radius_mm
    assert np.array_equal(eroded(mask, radius_mm, step_mm), far)


@settings(deadline=None)
@given(MASKS, RADII, STEPS)
def test_what_is_opened_is_within_reach_of_what_the_disc_fits_into(mask, radius_mm, step_mm):
    inner = distance_transform_edt(np.pad(mask, 1), sampling=step_mm)[1:-1, 1:-1] > radius_mm
    expected = inner
    if inner.any():
        expected = distance_transform_edt(~inner, sampling=step_mm) <= radius_mm
    assert np.array_equal(opened(mask, radius_mm, step_mm), expected)


@settings(deadline=None)
@given(MASKS, RADII, STEPS)
def test_near_is_within_the_distance_that_each_pixel_asks_for(mask, radius_mm, step_mm):
    mask[0, 0] = True
    most_mm = np.where(np.indices(mask.shape).sum(axis=0) % 3, radius_mm, 0.5 * radius_mm)
    expected = distance_transform_edt(~mask, sampling=step_mm) <= most_mm
    assert np.array_equal(near(mask, most_mm, step_mm), expected)


@given(MASKS)
def test_the_bounding_box_holds_the_mask_and_touches_it_on_each_side(mask):
    mask[mask.shape[0] // 2, mask.shape[1] // 2] = True
    box = bounding_box(mask)
    inside = mask[box]
    assert inside.sum() == mask.sum()
    assert all(inside[edge].any() for edge in (0, -1, np.s_[:, 0], np.s_[:, -1]))
    wider = bounding_box(mask, (3, 0))
    assert (wider[0].start, wider[1]) == (max(0, box[0].start - 3), box[1])
    assert wider[0].stop == box[0].stop + 3


def test_parts_are_told_apart_by_size_place_and_what_they_touch():
    mask = drawn("##...", ".....", "..##.", "..##.", ".....")
    block = drawn(".....", ".....", "..##.", "..##.", ".....")
    assert np.array_equal(largest(mask), block)
    assert np.array_equal(touching_border(mask), mask & ~block)
    assert np.array_equal(connected_with(block & (np.arange(5) == 2), mask), block)
    nothing = np.zeros((3, 3), bool)
    assert not largest(nothing).any()


@pytest.mark.parametrize(("most_mm2", "filled"), [(0.9, False), (1.0, True)])
def test_holes_are_filled_up_to_an_area(most_mm2, filled):
    ring = drawn(".....", ".###.", ".#.#.", ".###.", ".....")
    found = without_small_holes(ring, most_mm2, (2.0, 0.5))
    assert found[2, 2] == filled
    assert found.sum() == ring.sum() + filled
