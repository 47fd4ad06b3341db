"""Spectra: fields of a known exponent must come out right."""

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.realism.spectrum import FREQUENCIES, measure_spectrum


def power_law(beta, shape=(700, 600), spacing_mm=0.1, tail=None, seed=0):
    """A Gaussian field with power 1 / f^beta; above 1.5 /mm with exponent `tail`."""
    down, across = (np.fft.fftfreq(size, spacing_mm) for size in shape)
    frequency = np.hypot(down[:, None], across[None])
    frequency[0, 0] = 1
    power = frequency**-beta
    if tail is not None:
        power = np.where(frequency > 1.5, 1.5 ** (tail - beta) * frequency**-tail, power)
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal(shape))
    return np.fft.ifft2(noise * np.sqrt(power)).real


def everywhere(pixels):
    return np.ones(pixels.shape, bool)


@pytest.mark.parametrize("beta", [2.3, 2.8, 3.3])
def test_a_power_law_has_its_exponent_in_both_bands(beta):
    field = power_law(beta)
    measured = measure_spectrum(field, everywhere(field), 0.1)
    assert measured.beta == pytest.approx(beta, abs=0.15)
    assert measured.tail_slope == pytest.approx(beta, abs=0.1)


def test_a_tail_of_its_own_is_told_from_the_body():
    field = power_law(3.0, tail=1.4)
    measured = measure_spectrum(field, everywhere(field), 0.1)
    assert measured.beta == pytest.approx(3.0, abs=0.15)
    assert measured.tail_slope == pytest.approx(1.4, abs=0.1)


def test_relative_powers_follow_the_law_and_start_at_one():
    field = power_law(3.0, shape=(1200, 1100))
    powers = measure_spectrum(field, everywhere(field), 0.1).relative_power
    assert tuple(powers) == FREQUENCIES
    assert powers[0.09] == 1
    assert powers[2.55] / powers[0.27] == pytest.approx((0.27 / 2.55) ** 3, rel=0.3)
    assert powers[4.5] / powers[0.83] == pytest.approx((0.83 / 4.5) ** 3, rel=0.3)


def test_neither_brightness_nor_contrast_counts():
    field = power_law(2.8)
    first = measure_spectrum(field, everywhere(field), 0.1)
    second = measure_spectrum(4000 + 37 * field, everywhere(field), 0.1)
    assert second.beta == pytest.approx(first.beta, rel=1e-6)
    assert second.relative_power == pytest.approx(first.relative_power, rel=1e-6)


def test_what_lies_outside_does_not_count():
    field = power_law(2.8)
    inside = everywhere(field)
    inside[:, 400:] = False
    first = measure_spectrum(field, inside, 0.1)
    field[:, 400:] = 1e6
    assert measure_spectrum(field, inside, 0.1) == first


def test_a_single_pixel_outside_rules_its_windows_out():
    field = power_law(2.8, shape=(300, 300))
    inside = everywhere(field)
    inside[128, 128] = False
    with pytest.raises(InputError, match=r"no square of 25\.6 mm fits"):
        measure_spectrum(field, inside, 0.1)


def test_the_spacing_scales_the_frequencies():
    field = power_law(3.0, spacing_mm=0.05, tail=1.5, shape=(1100, 1100))
    measured = measure_spectrum(field, everywhere(field), (0.05, 0.05))
    assert measured.beta == pytest.approx(3.0, abs=0.2)
    assert measured.tail_slope == pytest.approx(1.5, abs=0.1)


def test_pixels_too_coarse_are_refused():
    with pytest.raises(InputError, match=r"0\.2 mm hold no 4\.5 per mm"):
        measure_spectrum(np.zeros((500, 500)), np.ones((500, 500), bool), 0.2)


def test_a_constant_image_is_refused():
    with pytest.raises(InputError, match="constant"):
        measure_spectrum(np.full((500, 500), 7.1), np.ones((500, 500), bool), 0.1)
