import numpy as np
import pytest
from MicrocalcSegmentationLib.breast import breast_region
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.simulation.texture import coloured_noise

SPACING = 0.2  # coarse, to be quick: 5 pixels a millimetre
SHAPE = (900, 700)


def mammogram(pixels, valid=None, spacing=(SPACING, SPACING)):
    return Mammogram(pixels.astype(np.float32), Geometry(spacing), Source("film.png"), valid)


def half_ellipse(rows=(450, 330), depth=430):
    row, col = np.indices(SHAPE)
    return ((row - rows[0]) / rows[1]) ** 2 + (col / depth) ** 2 <= 1


@pytest.fixture(scope="module")
def tissue():
    return coloured_noise(SHAPE, SPACING, (3.0, 1.5, 2.0), np.random.default_rng(0))


@pytest.fixture
def film(tissue):
    """A breast of fat with a dense, much brighter middle, in dark, slightly noisy air."""
    inside = half_ellipse()
    dense = half_ellipse(rows=(450, 150), depth=250)
    rng = np.random.default_rng(1)
    air = rng.normal(40, 3, SHAPE)
    return np.where(inside, 700 + 60 * tissue + 2200 * dense, air), inside


def overlap(found, true):
    return (found & true).sum() / (found | true).sum()


def test_fat_is_breast_too_beside_dense_tissue(film):
    pixels, inside = film
    assert overlap(breast_region(mammogram(pixels)), inside) > 0.97


def test_labels_borders_scratches_and_markers_are_not_breast(film):
    pixels, inside = film
    pixels = pixels.copy()
    pixels[40:100, 550:570] = pixels[40:60, 550:640] = 4000  # strokes of letters
    pixels[:12] = pixels[-9:] = 4000  # bright film borders, touching everything
    pixels[200:880:3, 600] = 3000  # a scratch
    pixels[780:800, 500:520] = 4000  # a bead
    found = breast_region(mammogram(pixels))
    assert overlap(found, inside) > 0.95
    assert not found[30:110, 520:].any()
    assert not found[:10, 450:].any()


def test_a_label_close_to_the_skin_is_cut_off(film):
    pixels, inside = film
    pixels = pixels.copy()
    pixels[440:460, 425:470] = 4000
    found = breast_region(mammogram(pixels))
    assert overlap(found, inside) > 0.95
    assert not found[:, 460:].any()


def test_gain_and_offset_change_nothing(film):
    pixels, _ = film
    expected = breast_region(mammogram(pixels))
    assert overlap(breast_region(mammogram(pixels * 16 - 3000)), expected) > 0.995


def test_a_breast_on_the_other_side_is_found_as_well(film):
    pixels, inside = film
    assert overlap(breast_region(mammogram(pixels[:, ::-1])), inside[:, ::-1]) > 0.97


def test_a_crop_without_air_is_breast_throughout(tissue):
    assert breast_region(mammogram(1500 + 200 * tissue)).all()


def test_a_crop_of_fat_and_gland_is_breast_throughout(tissue):
    step = np.arange(SHAPE[1]) > 300
    assert breast_region(mammogram(900 + 80 * tissue + 1500 * step)).all()


def test_padding_is_no_breast(tissue, film):
    pixels, inside = film
    valid = np.ones(SHAPE, bool)
    valid[:, :50] = False
    found = breast_region(mammogram(np.where(valid, pixels, 0), valid))
    assert not found[~valid].any()
    assert overlap(found, inside & valid) > 0.95
    whole = breast_region(mammogram(np.where(valid, 1500 + 200 * tissue, 0), valid))
    assert np.array_equal(whole, valid)


def test_holes_are_filled(film):
    pixels, _inside = film
    pixels = pixels.copy()
    pixels[400:430, 100:130] = 40
    assert breast_region(mammogram(pixels))[400:430, 100:130].all()


def test_spacing_may_differ_along_rows_and_columns(film):
    pixels, inside = film
    found = breast_region(mammogram(pixels[:, ::2], spacing=(SPACING, 2 * SPACING)))
    assert overlap(found, inside[:, ::2]) > 0.96


def test_a_constant_image_is_refused():
    with pytest.raises(InputError, match=r"film\.png: all pixels are equal"):
        breast_region(mammogram(np.full(SHAPE, 7.0)))


def test_an_image_with_a_label_and_no_breast_is_refused():
    pixels = np.random.default_rng(0).normal(40, 1, SHAPE)
    pixels[100:200, 100:112] = pixels[100:112, 100:300] = pixels[150:162, 100:300] = 3000
    with pytest.raises(InputError, match="no breast was found"):
        breast_region(mammogram(pixels))


def test_a_white_border_beside_tissue_is_cut_off_a_crop_without_air(tissue):
    pixels = 1500 + 100 * tissue
    pixels[:, :12] = 4000  # 2.4 mm
    found = breast_region(mammogram(pixels))
    assert not found[:, :12].any()
    assert found[:, 22:].all()


def test_dense_tissue_at_the_chest_wall_is_no_border(tissue):
    pixels = 1500 + 100 * tissue
    pixels[200:500, :200] += 2500
    assert breast_region(mammogram(pixels)).all()


def test_air_that_borders_and_a_scratch_enclose_is_not_filled(film):
    pixels, inside = film
    pixels = pixels.copy()
    pixels[:10] = pixels[-10:] = 2000
    pixels[:, 500:502] = pixels[:, 300:302] = 2000
    assert overlap(breast_region(mammogram(pixels)), inside) > 0.95


def test_a_dim_light_leak_along_the_chest_wall_is_followed_a_little_way_only(film):
    pixels, inside = film
    pixels = pixels.copy()
    leak = ~inside & (np.arange(SHAPE[1]) < 40)  # 8 mm
    pixels[leak] = 300
    found = breast_region(mammogram(pixels))
    assert not found[:50].any()
    assert not found[-50:].any()


def test_fat_far_from_dense_tissue_is_breast_though_nearly_as_dark_as_air(tissue):
    inside = half_ellipse()
    dense = half_ellipse(rows=(450, 100), depth=120)
    air = np.random.default_rng(1).normal(40, 3, SHAPE)
    pixels = np.where(inside, 340 + 20 * tissue + 2800 * dense, air)
    assert overlap(breast_region(mammogram(pixels)), inside) > 0.97


def test_a_corner_of_air_in_a_crop_is_cut_off(tissue):
    row, col = np.indices(SHAPE)
    air = row + col < 250
    found = breast_region(mammogram(np.where(air, 40.0, 1500 + 200 * tissue)))
    assert overlap(~found, air) > 0.9
