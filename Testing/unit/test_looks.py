import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.evaluation.looks import AS_IT_IS, LOOKS, place_shown, shown
from MicrocalcSegmentationLib.evaluation.survey import Place
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source

EVERY = (AS_IT_IS, *LOOKS)


def mammogram(pixels, valid=None):
    turned = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))
    geometry = Geometry((0.05, 0.07), (3.0, -2.0, 9.0), turned)
    return Mammogram(np.asarray(pixels, np.float32), geometry, Source("a"), valid)


def with_a_dot(row, col, shape=(90, 120)):
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    return 50 + 40 * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 8)


@pytest.mark.parametrize("look", EVERY)
@settings(max_examples=20, deadline=None)
@given(row=st.integers(10, 79), col=st.integers(10, 109))
def test_a_dot_lies_where_its_place_is_shown(look, row, col):
    before = mammogram(with_a_dot(row, col))
    after = shown(before, look)
    place = place_shown(Place("a", row, col, "dot"), before.pixels.shape, look)
    at = np.unravel_index(after.pixels.argmax(), after.pixels.shape)
    assert np.abs(np.subtract(at, (place.row, place.col))).max() <= 1
    there = after.geometry.position_lps([place.row, place.col])
    assert there == pytest.approx(before.geometry.position_lps([row, col]))


@pytest.mark.parametrize("look", EVERY)
def test_no_look_changes_how_large_the_image_is(look):
    before = mammogram(with_a_dot(40, 40))
    after = shown(before, look)
    area = after.pixels.size * after.pixel_area_mm2
    assert area == pytest.approx(before.pixels.size * before.pixel_area_mm2)
    assert after.pixels.dtype == np.float32


@pytest.mark.parametrize("look", EVERY)
def test_padding_stays_with_its_pixels(look):
    valid = np.ones((90, 120), bool)
    valid[:45] = False
    pixels = np.where(valid, 100, 0)
    after = shown(mammogram(pixels, valid), look)
    assert after.valid.shape == after.pixels.shape
    assert after.pixels[after.valid].mean() > 90 > 10 > after.pixels[~after.valid].mean()


def test_each_look_is_what_it_is_called():
    rng = np.random.default_rng(0)
    before = mammogram(100 + 10 * rng.standard_normal((90, 120)))

    def edges(look):
        return float(np.abs(np.diff(shown(before, look).pixels)).mean())

    assert edges("softer") < edges(AS_IT_IS) < min(edges("noisier"), edges("sharper"))
    assert shown(before, "brighter").pixels.mean() > before.pixels.mean()
    assert (
        shown(before, "coarser").spacing_mm > before.spacing_mm > shown(before, "finer").spacing_mm
    )
    assert shown(before, "turned").pixels.shape == (120, 90)


def test_an_image_of_one_level_is_shown_as_such():
    level = mammogram(np.full((40, 40), 7))
    for look in EVERY:
        assert shown(level, look).pixels == pytest.approx(7)
