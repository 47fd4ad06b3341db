"""Distinct MCs inside one connected region."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.simulation.calcifications import Placed, benign, draw
from MicrocalcSegmentationLib.splitting import distinct_calcifications, split_touching
from scipy.ndimage import binary_dilation, gaussian_filter

SPACING = 0.05
MIN_MM2 = 0.0075


def discs(centres, diameter_mm, spacing_mm=SPACING, side_mm=6.0):
    """Bool image of discs, centres in mm from the middle."""
    axis = (np.arange(round(side_mm / spacing_mm)) + 0.5) * spacing_mm - side_mm / 2
    near = [
        np.hypot(axis[:, None] - row, axis[None] - col) <= diameter_mm / 2 for row, col in centres
    ]
    return np.any(near, axis=0)


def shown(mask, noise=1.0, seed=0):
    """Grey values of specks as a system blurs them, 20 deviations high, on fine noise."""
    rng = np.random.default_rng(seed)
    return gaussian_filter(mask * 20.0, 1.0) + rng.normal(0, noise, mask.shape)


def count(mask, pixels, spacing_mm=SPACING):
    return int(distinct_calcifications(mask, pixels, (spacing_mm, spacing_mm), MIN_MM2).max())


@settings(max_examples=15, deadline=None)
@given(
    diameter=st.floats(0.45, 0.8),
    apart=st.floats(1.05, 1.2),
    angle=st.floats(0, np.pi),
    spacing=st.sampled_from([0.04, 0.05, 0.06]),
)
def test_two_discs_a_diameter_apart_are_two_also_in_a_mask_without_grey(
    diameter, apart, angle, spacing
):
    half = diameter * apart / 2 * np.array([np.sin(angle), np.cos(angle)])
    mask = discs([half, -half], diameter, spacing)
    assert count(mask, np.zeros(mask.shape), spacing) == 2


@pytest.mark.parametrize("seed", range(5))
def test_specks_that_a_wide_mask_merges_are_told_apart_in_the_image(seed):
    specks = discs([(0, 0), (0, 0.36), (0.36, 0), (0.36, 0.36)], 0.2)
    merged = binary_dilation(specks, np.ones((3, 3)), iterations=2)
    assert count(merged, np.zeros(merged.shape)) == 1
    assert count(merged, shown(specks, 0.3, seed)) == 4


def any_calcification(rng):
    """(mask, pixels) of one MC of any size and slenderness, on noise."""
    ratio = rng.uniform(0.15, 1.0)
    lumps = int(rng.integers(1, 5)) if ratio > 0.5 else 1
    placed = Placed(0, 0, rng.uniform(0.15, 1.5), 8.0, ratio, lumps=lumps)
    template = draw(placed, SPACING, 0.8, rng)
    return template.mask, 8 * template.thickness + rng.normal(0, 0.5, template.mask.shape)


def test_one_calcification_stays_one():
    """Noise may cut a slender one, or two lumps lie as far apart as two MCs: hardly ever."""
    rng = np.random.default_rng(1)
    counts = [count(*any_calcification(rng)) for _ in range(500)]
    assert sum(number > 1 for number in counts) <= 2


@pytest.mark.parametrize("kind", ["rim", "popcorn", "large round"])
def test_a_coarse_calcification_stays_one(kind):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        placed = benign((0, 0), kind, rng)
        template = draw(placed, SPACING, 0.8, rng)
        pixels = placed.strength * template.thickness + rng.normal(0, 0.7, template.mask.shape)
        assert count(template.mask, pixels) == 1


def touching_pair(seed):
    rng = np.random.default_rng(seed)
    centres = np.cumsum(rng.uniform(0.2, 0.3, (4, 2)), axis=0) - 0.6
    return binary_dilation(discs(centres, 0.22)), shown(discs(centres, 0.22), 0.5, seed)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), gain=st.floats(0.01, 100), offset=st.floats(-1e4, 1e4))
def test_gain_offset_turns_and_flips_change_nothing(seed, gain, offset):
    mask, pixels = touching_pair(seed)
    expected = count(mask, pixels)
    assert count(mask, gain * pixels + offset) == expected
    assert count(np.rot90(mask), np.rot90(pixels)) == expected
    assert count(mask[:, ::-1], pixels[:, ::-1]) == expected
    assert count(mask.T, pixels.T) == expected


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_no_pixel_is_lost_and_numbers_have_no_gap_and_run_by_first_pixel(seed):
    mask, pixels = touching_pair(seed)
    labels = distinct_calcifications(mask, pixels, (SPACING, SPACING), MIN_MM2)
    assert ((labels > 0) == mask).all()
    numbers, first = np.unique(labels[labels > 0], return_index=True)
    assert numbers.tolist() == list(range(1, len(numbers) + 1))
    assert (np.diff(first) > 0).all()
    assert np.bincount(labels[labels > 0])[1:].min() * SPACING**2 >= MIN_MM2


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_mask_of_what_was_found_gives_the_same_again(seed):
    mask, pixels = touching_pair(seed)
    labels = distinct_calcifications(mask, pixels, (SPACING, SPACING), MIN_MM2)
    again = distinct_calcifications(labels > 0, pixels, (SPACING, SPACING), MIN_MM2)
    assert (again == labels).all()


def test_nothing_gives_nothing():
    empty = np.zeros((20, 30), np.int32)
    assert split_touching(empty, empty, (SPACING, SPACING), MIN_MM2).max() == 0
