"""Vascular groups told from clusters by the bright bands of the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.findings import Calcification
from MicrocalcSegmentationLib.lookalikes import is_on_band, mark_vascular
from MicrocalcSegmentationLib.vessels import Bands, bands_around
from scipy.ndimage import gaussian_filter

SPACING = (0.1, 0.1)
SHAPE = (400, 500)
BREAST = np.ones(SHAPE, bool)
NOTHING = np.zeros(SHAPE, np.int32)


def path(along_mm):
    """(n, 2) mm: a course that bends, from left to right."""
    return np.stack([20 + 0.01 * (along_mm - 25) ** 2, along_mm], axis=1)


def tissue(seed=0, spacing_mm=SPACING):
    rng = np.random.default_rng(seed)
    fine = gaussian_filter(rng.normal(size=SHAPE), 1.0) * 3
    return 100 + fine + 40 * gaussian_filter(rng.normal(size=SHAPE), 15)


def with_band(image, height=5.0, width_mm=0.6):
    rows, cols = np.indices(SHAPE) * SPACING[0]
    away = np.abs(rows - path(cols.ravel())[:, 0].reshape(SHAPE))
    return image + height * np.exp(-0.5 * (away / width_mm) ** 2)


def dots(positions_mm, spacing_mm=SPACING, probability=0.1):
    return tuple(
        Calcification(n, 0, *(place / spacing_mm), 0.05, 0.25, 3, 4, probability, 0.25, 0.2, 30.0)
        for n, place in enumerate(np.asarray(positions_mm), 1)
    )


def share_vascular(positions_mm, image, labels=NOTHING, probability=0.1):
    def bands(places_mm):
        return bands_around(places_mm, image, labels, BREAST, SPACING)

    marked = mark_vascular(dots(positions_mm, SPACING, probability), SPACING, bands)
    return np.mean([mc.vascular > 0 for mc in marked])


def along_band(count=7, start=15.0, length=9.0, seed=0):
    rng = np.random.default_rng(seed)
    return path(np.linspace(start, start + length, count)) + rng.normal(0, 0.2, (count, 2))


def test_a_few_dots_along_a_bright_band_are_vascular():
    assert share_vascular(along_band(), with_band(tissue())) == 1


def test_the_same_dots_without_the_band_are_not():
    assert share_vascular(along_band(), tissue()) == 0
    assert np.mean([mc.vascular > 0 for mc in mark_vascular(dots(along_band()), SPACING)]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_round_cluster_on_the_band_is_none(seed):
    rng = np.random.default_rng(seed)
    turn = rng.uniform(0, 2 * np.pi, 9)
    reach = 1.5 * np.sqrt(rng.random(9))
    middle = path(np.array([22.0]))[0]
    disc = middle + reach[:, None] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    assert share_vascular(disc, with_band(tissue(seed))) == 0


@pytest.mark.parametrize(
    ("height", "off", "found"), [(2.7, 3, 9), (2.7, 4, 0), (3.5, 4, 8), (9, 6, 0)]
)
def test_the_more_a_band_stands_out_the_more_dots_may_lie_beside_it(height, off, found):
    places = np.stack([np.zeros(120), np.linspace(0, 12, 120)], axis=1)
    dots_mm = np.stack([np.zeros(12), np.linspace(1, 11, 12)], axis=1)
    dots_mm[:off, 0] = 1.2
    assert is_on_band(dots_mm, Bands(places, np.full(120, height))).sum() == found


def test_a_line_of_dots_across_the_band_is_none():
    across = path(np.array([25.0]))[0] + np.stack([np.linspace(-5, 5, 9), np.zeros(9)], axis=1)
    assert share_vascular(across, with_band(tissue())) == 0


def test_what_the_networks_are_sure_of_stays_a_cluster_wherever_it_lies():
    assert share_vascular(along_band(), with_band(tissue()), probability=0.9) == 0


def test_a_line_of_bright_calcifications_is_no_band_by_itself():
    image, labels, places = tissue(), NOTHING.copy(), along_band(12)
    for number, (row, col) in enumerate(np.rint(places / SPACING).astype(int), 1):
        image[row - 2 : row + 3, col - 2 : col + 3] += 40
        labels[row - 2 : row + 3, col - 2 : col + 3] = number
    assert len(bands_around(places, image, NOTHING, BREAST, SPACING).places_mm) > 0
    assert share_vascular(places, image, labels) == 0
    assert share_vascular(places, with_band(image), labels) == 1


def test_a_faint_band_is_no_evidence():
    assert share_vascular(along_band(), with_band(tissue(), height=0.4)) == 0


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(0.2, 30), offset=st.floats(-500, 5000), axis=st.sampled_from([None, 0, 1]))
def test_grey_levels_and_mirroring_change_nothing(gain, offset, axis):
    image, places = with_band(tissue()), along_band()
    if axis is not None:
        image = np.flip(image, axis)
        places = places.copy()
        places[:, axis] = SHAPE[axis] * 0.1 - 0.1 - places[:, axis]
    assert share_vascular(places, (gain * image + offset).astype(np.float32)) == 1


def test_bands_are_where_they_were_drawn_whatever_the_grid():
    image = with_band(tissue()).repeat(2, axis=1)[:, :-1]  # 0.1 x 0.05 mm
    empty = np.zeros(image.shape, np.int32)
    found = bands_around(along_band(), image, empty, empty == 0, (0.1, 0.05))
    expected = path(found.places_mm[:, 1])
    assert len(found.places_mm) > 50
    assert np.median(np.abs(found.places_mm - expected)) < 0.2
    assert np.ptp(found.places_mm[:, 1]) > 15


def test_no_breast_and_flat_tissue_have_no_bands():
    for image, breast in ((tissue(), ~BREAST), (np.full(SHAPE, 7.0), BREAST)):
        assert len(bands_around(along_band(), image, NOTHING, breast, SPACING).places_mm) == 0
