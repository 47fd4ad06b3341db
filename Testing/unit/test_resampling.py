import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from MicrocalcSegmentationLib.resampling import (
    resize,
    resize_mask,
    sample,
    sample_at,
    sample_plateaus_at,
    wide_blur,
    working_shape,
)
from scipy.ndimage import gaussian_filter

sizes = st.integers(60, 160)
spacings = st.floats(0.03, 0.12)


@given(sizes, sizes, spacings, spacings)
def test_neither_direction_shifts_a_point(rows, cols, row_mm, col_mm):
    shape = working_shape((rows, cols), (row_mm, col_mm))
    bump = _bump((rows, cols), (row_mm, col_mm))
    there = resize(bump, shape)
    back = sample(there, (rows, cols))
    centre = _centre_of_mass(bump)
    scale = np.array(shape) / (rows, cols)
    assert np.abs(_centre_of_mass(there) - ((centre + 0.5) * scale - 0.5)).max() < 0.1
    assert np.abs(_centre_of_mass(back) - centre).max() < 0.1


@given(sizes, sizes, spacings, spacings)
def test_the_working_grid_has_the_methods_spacing(rows, cols, row_mm, col_mm):
    shape = working_shape((rows, cols), (row_mm, col_mm))
    assert abs(rows * row_mm / shape[0] - 0.05) < 0.001
    assert abs(cols * col_mm / shape[1] - 0.05) < 0.001


def test_an_image_of_the_methods_spacing_is_left_alone():
    pixels = np.random.default_rng(0).normal(size=(70, 80)).astype(np.float32)
    assert working_shape(pixels.shape, (0.05, 0.05)) == (70, 80)
    assert resize(pixels, (70, 80)) is pixels


def test_a_mask_keeps_its_area_and_place():
    mask = np.zeros((100, 140), bool)
    mask[20:60, 30:90] = True
    resized = resize_mask(mask, (140, 196))
    assert abs(resized.sum() / mask.sum() / 1.4**2 - 1) < 0.05
    assert np.abs(_centre_of_mass(resized) - ((_centre_of_mass(mask) + 0.5) * 1.4 - 0.5)).max() < 1


def test_sampling_keeps_the_peak_of_a_single_pixel():
    values = np.zeros((40, 40), np.float32)
    values[20:22, 20:22] = 1
    assert sample(values, (20, 20)).max() == 1


def test_a_wide_blur_is_close_to_the_full_one():
    pixels = np.random.default_rng(1).normal(size=(203, 181)).astype(np.float32)
    full = gaussian_filter(pixels, 12)
    difference = wide_blur(pixels, 12) - full
    assert np.abs(difference[30:-30, 30:-30]).max() < 0.01 * pixels.std()
    assert np.abs(difference).max() < 0.05 * pixels.std()
    assert np.allclose(wide_blur(np.full((50, 61), 3.0, np.float32), 9), 3, atol=1e-5)


def _bump(shape, spacing_mm):
    rows, cols = np.indices(shape)
    r, c = (rows - shape[0] * 0.45) * spacing_mm[0], (cols - shape[1] * 0.55) * spacing_mm[1]
    return np.exp(-(r**2 + c**2) / (2 * 0.25**2)).astype(np.float32)


def _centre_of_mass(values):
    rows, cols = np.indices(values.shape)
    return np.array([(rows * values).sum(), (cols * values).sum()]) / values.sum()


@given(st.floats(0.05, 1), st.floats(0.5, 1.6))
def test_a_plateau_keeps_its_height_and_its_area(height, scale):
    values = np.zeros((90, 80), np.float32)
    values[20:40, 30:60] = height
    shape = tuple(round(size * scale) for size in values.shape)
    brought = sample_plateaus_at(values, shape, np.indices(shape))
    region = brought > 0
    assert np.allclose(brought[region], height, rtol=1e-4)
    area = region.sum() * (90 / shape[0]) * (80 / shape[1])
    assert abs(area - 600) < 60


@given(st.integers(2, 30), st.integers(2, 30), st.integers(2, 45), st.integers(2, 45))
def test_a_plateau_is_brought_over_wherever_it_covers_half_of_a_pixel(rows, cols, own, across):
    rng = np.random.default_rng(rows)
    values = np.where(rng.random((rows, cols)) < 0.2, np.float32(0.75), np.float32(0))
    cover = sample_at((values > 0).astype(np.float32), (own, across), np.indices((own, across)))
    brought = sample_plateaus_at(values, (own, across), np.indices((own, across)))
    assert np.array_equal(brought > 0, cover >= 0.5)
    assert np.allclose(brought[brought > 0], 0.75)


def test_plateaus_on_the_same_grid_are_left_alone():
    values = np.eye(5, dtype=np.float32)
    assert (sample_plateaus_at(values, (5, 5), np.indices((5, 5))) == values).all()


@given(st.integers(20, 400), st.integers(20, 90), st.floats(0.5, 1.6), st.floats(0.5, 1.6))
def test_sampling_is_linear_interpolation_to_the_rim_everywhere_and_at_some_pixels(
    rows, cols, down, right
):
    values = np.random.default_rng(rows).normal(size=(rows, cols)).astype(np.float32)
    shape = (round(rows * down), round(cols * right))
    centres = [
        np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        for old, new in zip(values.shape, shape, strict=True)
    ]
    along = np.array([np.interp(centres[1], np.arange(cols), line) for line in values])
    expected = np.array([np.interp(centres[0], np.arange(rows), line) for line in along.T]).T
    assert np.allclose(sample(values, shape), expected, atol=1e-4)
    some = np.nonzero(np.random.default_rng(1).random(shape) < 0.1)
    assert np.allclose(sample_at(values, shape, some), expected[some], atol=1e-5)
