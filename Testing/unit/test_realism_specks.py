"""What MCs measure, and whether one statistic gives them away."""

import numpy as np
import pytest
from MicrocalcSegmentationLib.evaluation.realism.separability import (
    STATISTICS,
    Candidates,
    find_candidates,
    separate,
)
from MicrocalcSegmentationLib.evaluation.realism.specks import measure_specks, pooled

SPACING = (0.05, 0.05)
BACKGROUND, NOISE = 1000.0, 10.0


def noisy(shape=(400, 400), seed=0):
    return np.random.default_rng(seed).normal(BACKGROUND, NOISE, shape).astype(np.float32)


def disc(shape, row, col, radius_px, ratio=1.0):
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    return ((rows - row) / radius_px) ** 2 + ((cols - col) / (radius_px * ratio)) ** 2 <= 1


def with_discs(places, radius_px=4, height=300.0, ratio=1.0):
    """Noise with bright ellipses; returns pixels and mask."""
    pixels = noisy()
    mask = np.zeros(pixels.shape, bool)
    for number, (row, col) in enumerate(places):
        one = disc(pixels.shape, row, col, radius_px, ratio)
        pixels[one] = BACKGROUND + (height[number] if np.ndim(height) else height)
        mask |= one
    return pixels, mask


SIX = [(200 + down, 200 + across) for down in (0, 30, 60) for across in (0, 30)]


def measured(places, **how):
    pixels, mask = with_discs(places, **how)
    return measure_specks(pixels, np.ones(pixels.shape, bool), mask, SPACING)


def test_a_disc_has_its_diameter_contrast_and_height_over_the_noise():
    specks = measured([(200, 200)])
    assert specks.diameter_mm == pytest.approx(2 * 4 * 0.05, rel=0.05)
    assert specks.contrast == pytest.approx(0.3, rel=0.05)
    # Noise of deviation 10 keeps nearly all of it when what is wider than 0.25 mm is taken off.
    assert specks.snr == pytest.approx(300 / NOISE, rel=0.15)


def test_isolated_mcs_say_nothing_about_clusters():
    specks = measured([(100, 100), (300, 300)])
    assert len(specks.diameter_mm) == 2
    for name in ("nearest_mm", "relative_peak", "axis_ratio", "cluster_count"):
        assert len(getattr(specks, name)) == 0


def test_a_cluster_has_its_distances_peaks_count_and_extent():
    specks = measured(SIX, height=[100.0, 200.0, 400.0, 400.0, 400.0, 400.0])
    assert specks.cluster_count == pytest.approx([6])
    assert specks.nearest_mm == pytest.approx(np.full(6, 1.5))
    assert np.sort(specks.relative_peak)[:3] == pytest.approx([0.25, 0.5, 1.0], rel=0.05)
    diagonal_mm = np.hypot(60, 30) * 0.05
    assert diagonal_mm < specks.cluster_extent_mm[0] < diagonal_mm + 2 * 9 * 0.05


def test_what_is_wider_than_two_centimetres_is_a_region_and_no_cluster():
    string = [(20 + 14 * number, 100) for number in range(40)]
    pixels = np.pad(noisy(), ((0, 200), (0, 0)), "wrap")
    mask = np.zeros(pixels.shape, bool)
    for row, col in string:
        mask |= disc(pixels.shape, row, col, 4)
    specks = measure_specks(pixels, np.ones(pixels.shape, bool), mask, SPACING)
    assert specks.regional_extent_mm == pytest.approx([39 * 14 * 0.05], abs=1.0)
    for name in ("nearest_mm", "relative_peak", "axis_ratio", "cluster_count"):
        assert len(getattr(specks, name)) == 0
    assert len(specks.diameter_mm) == 40


def test_long_mcs_have_a_small_axis_ratio():
    assert np.median(measured(SIX, radius_px=8, ratio=0.4).axis_ratio) == pytest.approx(
        0.4, abs=0.07
    )
    assert np.median(measured(SIX, radius_px=8).axis_ratio) > 0.95


def test_specks_of_two_pixels_have_no_axis_ratio():
    assert len(measured(SIX, radius_px=0.5).axis_ratio) == 0


def test_an_image_without_mcs_measures_nothing():
    specks = measured([])
    assert len(specks.diameter_mm) == len(specks.cluster_count) == 0
    assert len(pooled([specks, measured([(50, 50)])]).diameter_mm) == 1


def candidates(statistics_true, statistics_other):
    values = np.concatenate([statistics_true, statistics_other])
    true = np.arange(len(values)) < len(statistics_true)
    drawn = np.ones(len(values), bool)
    return Candidates(np.repeat(values[:, None], 4, axis=1).astype(float), true, drawn)


@pytest.mark.parametrize(
    ("true", "other", "auc"),
    [([5, 6], [1, 2, 3], 1.0), ([1, 2], [5, 6], 0.0), ([4, 4], [4], 0.5), ([1, 3], [2], 0.5)],
)
def test_auc_of_known_values(true, other, auc):
    found = separate([candidates(true, other)])
    assert {one.auc for one in found if one.against == "all"} == {auc}


def test_the_interval_comes_from_whole_images():
    images = [candidates([5, 6], [1, 2]), candidates([1, 2], [5, 6])] * 3
    one = separate(images)[0]
    assert one.auc == pytest.approx(0.5)
    assert one.interval[0] < 0.35
    assert one.interval[1] > 0.65
    same = separate([candidates([5, 6], [1, 2])] * 6)[0]
    assert same.interval == (1, 1)


def test_the_strongest_others_are_as_many_as_the_mcs():
    found = separate([candidates([3, 3], [1, 1, 1, 9, 9])])
    strongest = [one for one in found if one.against == "strongest"]
    assert {(one.mcs, one.others, one.auc) for one in strongest} == {(2, 2, 0.0)}


def test_what_was_not_drawn_counts_among_the_strongest_only():
    one = candidates([3], [1, 2, 9])
    one.drawn[-1] = False
    found = {(each.against, each.others, each.auc) for each in separate([one])}
    assert found == {("all", 2, 1.0), ("strongest", 1, 0.0)}


def test_without_mcs_there_is_no_auc():
    found = separate([candidates([], [1, 2])])
    assert {(one.auc, one.interval) for one in found} == {(None, None)}


def find(pixels, mask, faint=None):
    faint = np.zeros_like(mask) if faint is None else faint
    inside = np.ones(mask.shape, bool)
    return find_candidates(pixels, inside, (mask, faint), SPACING)


def test_mcs_and_other_maxima_are_measured_alike():
    pixels, mask = with_discs([(100, 100), (300, 300)], radius_px=4)
    pixels[[100, 300], [100, 300]] += 30
    first = disc(mask.shape, 100, 100, 4)
    found = find(pixels, mask & first)
    bright = found.statistics[:, 1] > 15
    assert found.true.sum() == 1
    assert bright.sum() == 2
    assert found.drawn.sum() < len(found.drawn)  # a thousand maxima of noise are enough
    assert bright[found.true].all()
    mc, other = found.statistics[bright]
    assert mc[0] == pytest.approx(other[0])
    assert mc[1:] == pytest.approx(other[1:], rel=0.05)
    assert mc[STATISTICS.index("size")] == pytest.approx(0.4, rel=0.06)


def test_a_blurred_speck_has_a_wider_edge():
    from scipy.ndimage import gaussian_filter

    pixels, mask = with_discs([(200, 200)], radius_px=4)
    edge = STATISTICS.index("edge width")
    sharp = find(pixels, mask).statistics[0, edge]
    soft = find(gaussian_filter(pixels, 2.0), mask).statistics[0, edge]
    assert soft > 1.3 * sharp


def test_maxima_beside_a_calcification_or_on_a_faint_one_are_not_others():
    pixels, mask = with_discs([(100, 100), (300, 300)])
    near = disc(mask.shape, 106, 106, 1)  # 0.4 mm off
    pixels[near] = BACKGROUND + 500
    first = disc(mask.shape, 100, 100, 4)
    found = find(pixels, mask & first, mask & ~first)
    assert (found.statistics[~found.true, 1] < 15).all()
