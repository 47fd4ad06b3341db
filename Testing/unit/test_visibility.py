"""The ideal observer's signal-to-noise ratio against what theory gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MicrocalcSegmentationLib.simulation.texture import coloured_noise
from MicrocalcSegmentationLib.simulation.visibility import signal_to_noise
from scipy.ndimage import gaussian_filter

SIDE = 65
EVERYWHERE = np.ones((SIDE, SIDE), bool)


def dot(sigma_px: float, height: float = 1.0, side: int = 31) -> np.ndarray:
    """A Gaussian dot."""
    axis = np.arange(side) - side // 2
    return height * np.exp(-np.add.outer(axis**2, axis**2) / (2 * sigma_px**2))


def white(seed: int, deviation: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, (SIDE, SIDE))


def ratios(signal, tissues, inside=EVERYWHERE) -> float:
    return float(np.mean([signal_to_noise(signal, tissue, inside) for tissue in tissues]))


@pytest.mark.parametrize("sigma_px", [1.0, 2.0])
def test_in_white_noise_it_is_the_root_of_the_energy_over_the_deviation(sigma_px):
    signal = dot(sigma_px)
    expected = np.sqrt(np.square(signal).sum()) / 3.0
    assert ratios(signal, [white(seed, 3.0) for seed in range(20)]) == pytest.approx(
        expected, rel=0.1
    )


@given(st.floats(0.1, 50), st.floats(-1e3, 1e3), st.floats(0.1, 100))
def test_it_grows_with_the_signal_and_knows_no_grey_scale(height, level, scale):
    tissue = white(0)
    one = signal_to_noise(dot(1.5), tissue, EVERYWHERE)
    assert signal_to_noise(dot(1.5, height), tissue, EVERYWHERE) == pytest.approx(height * one)
    rescaled = signal_to_noise(scale * dot(1.5), level + scale * tissue, EVERYWHERE)
    assert rescaled == pytest.approx(one, rel=1e-6)


def test_tissue_hides_what_is_as_wide_as_its_own_structure():
    tissues = [
        coloured_noise((SIDE, SIDE), 0.05, (3.0, 3.0, 1.0), np.random.default_rng(seed))
        for seed in range(10)
    ]
    fine, wide = dot(1.0), dot(5.0)
    # Alike in white noise when their energies are.
    wide = wide * np.sqrt(np.square(fine).sum() / np.square(wide).sum())
    assert ratios(fine, tissues) > 2 * ratios(wide, tissues)


def test_an_observer_with_that_ratio_tells_signals_as_theory_says():
    """The matched filter's answers with and without a signal lie that many deviations apart."""
    signal = dot(1.5, 0.8)
    answers = np.array([(white(seed)[17:48, 17:48] * signal).sum() for seed in range(400)])
    apart = np.square(signal).sum() / answers.std()
    tissues = [white(seed) for seed in range(1000, 1030)]
    assert ratios(signal, tissues) == pytest.approx(apart, rel=0.1)


def test_air_beside_the_breast_neither_hides_nor_shows():
    inside = EVERYWHERE.copy()
    inside[:, :20] = False
    tissues = [np.where(inside, 500 + white(seed), 0) for seed in range(20)]
    whole = [500 + white(seed) for seed in range(20)]
    assert ratios(dot(1.5), tissues, inside) == pytest.approx(ratios(dot(1.5), whole), rel=0.15)


def test_tissue_without_texture_hides_nothing():
    flat = np.full((SIDE, SIDE), 7.0)
    assert signal_to_noise(dot(1.5), flat, EVERYWHERE) > 1e6
    blurred = gaussian_filter(white(0), 1)
    assert np.isfinite(signal_to_noise(np.zeros((5, 5)), blurred, EVERYWHERE))
