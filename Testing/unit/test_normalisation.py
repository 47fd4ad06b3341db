import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.normalisation import _arcsinh, local_statistics, normalise
from MicrocalcSegmentationLib.simulation.texture import coloured_noise

SPACING = (0.05, 0.05)


@pytest.fixture(scope="module")
def tissue():
    rng = np.random.default_rng(0)
    return coloured_noise((300, 320), 0.05, (2.8, 1.5, 2.0), rng)


INSIDE = np.ones((300, 320), bool)


@given(gain=st.floats(0.01, 3000), offset=st.floats(-5000, 5000))
@settings(max_examples=20, deadline=None)
def test_gain_and_offset_of_a_vendor_leave_no_trace(gain, offset):
    tissue = coloured_noise((150, 160), 0.05, (2.8, 1.5, 2.0), np.random.default_rng(0))
    inside = np.ones(tissue.shape, bool)
    expected = normalise(tissue, inside, SPACING).values
    shown = (tissue.astype(np.float64) * gain + offset).astype(np.float32)
    # float32 keeps 7 digits of offset + detail; what it loses is no fault of ours.
    tolerance = 1e-3 + 1e-6 * abs(offset) / gain * 50
    assert np.abs(normalise(shown, inside, SPACING).values - expected).max() < tolerance


def test_background_is_zero_and_does_not_leak_in(tissue):
    inside = INSIDE.copy()
    inside[:, 200:] = False
    dark, bright = tissue.copy(), tissue.copy()
    dark[~inside], bright[~inside] = -1000, 1000
    first, second = (normalise(pixels, inside, SPACING).values for pixels in (dark, bright))
    assert np.array_equal(first, second)
    assert not first[~inside].any()


def test_deviation_is_that_of_the_fine_texture():
    noise = np.random.default_rng(1).normal(0, 7, (400, 400)).astype(np.float32)
    _, deviation = local_statistics(noise, np.ones(noise.shape, bool), SPACING)
    assert abs(float(np.median(deviation)) / 7 - 1) < 0.05


def test_deviation_does_not_depend_on_the_grid(tissue):
    def median(pixels, spacing):
        inside = np.ones(pixels.shape, bool)
        return float(np.median(local_statistics(pixels, inside, (spacing, spacing))[1]))

    smooth = coloured_noise((600, 600), 0.025, (2.8, 6.0, 1.0), np.random.default_rng(2))
    assert abs(median(smooth[::2, ::2], 0.05) / median(smooth, 0.025) - 1) < 0.05


def test_a_bright_calcification_hardly_raises_the_deviation_beside_it(tissue):
    _, before = local_statistics(tissue, INSIDE, SPACING)
    bright = tissue.copy()
    bright[150:160, 150:160] += 40 * before[150, 150]
    _, after = local_statistics(bright, INSIDE, SPACING)
    assert after[150, 175] < 1.6 * before[150, 175]


def test_a_flat_image_stays_finite():
    flat = np.full((100, 100), 500, np.float32)
    assert np.isfinite(normalise(flat, np.ones(flat.shape, bool), SPACING).values).all()


def test_order_of_brightness_is_kept_far_beyond_the_soft_limit(tissue):
    image = tissue.copy()
    _, deviation = local_statistics(image, INSIDE, SPACING)
    heights = (5, 20, 80)
    for number, height in enumerate(heights):
        image[60 + 60 * number, 150] += height * deviation[60, 150]
    values = normalise(image, INSIDE, SPACING).values
    low, middle, high = (values[60 + 60 * number, 150] for number in range(3))
    assert 3 < low < middle < high < 25


def test_the_soft_limit_is_the_inverse_hyperbolic_sine():
    values = np.concatenate([np.linspace(-9, 9, 4001), [0.0, -1e-4, 3e3]]).astype(np.float32)
    exact = np.arcsinh(values.astype(np.float64))
    assert np.abs(_arcsinh(values) - exact).max() < 5e-7
    assert (np.sign(_arcsinh(values)) == np.sign(values)).all()
