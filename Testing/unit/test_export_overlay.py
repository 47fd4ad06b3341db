"""The overlay: what must be seen is drawn, and where."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.export.overlay import draw_overlay, write_overlay
from MicrocalcSegmentationLib.export.segments import cluster_colour
from MicrocalcSegmentationLib.export.view import bounding_box, fit_view, grey_window, square_box
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Source
from PIL import Image
from scipy.ndimage import binary_fill_holes, label


def colour_of(number):
    return np.round(255 * np.array(cluster_colour(number))).astype(int)


def pixels_like(picture, number):
    """Where the picture has exactly the colour of a cluster (0: isolated): (n, 2) y and x."""
    return np.argwhere((np.asarray(picture).astype(int) == colour_of(number)).all(axis=-1))


def test_each_cluster_is_outlined_around_its_place_in_the_breast(make_findings):
    findings = make_findings()
    picture = draw_overlay(findings)
    # The breast is cut to its box plus 3 mm, that is to all rows and columns here, and
    # drawn 900 wide below the header of 92.
    scale = 900 / 90
    for cluster in findings.clusters:
        marked = pixels_like(picture, cluster.number)
        in_breast = marked[marked[:, 1] < 16 + 900]
        top, left = in_breast.min(axis=0) - (92, 16)
        bottom, right = in_breast.max(axis=0) - (92, 16)
        assert top < cluster.row_min * scale < cluster.row_max * scale < bottom
        assert left < cluster.col_min * scale < cluster.col_max * scale < right


def test_isolated_mcs_are_ringed(make_findings):
    picture = draw_overlay(make_findings({}, [(60, 40)]))
    ring = pixels_like(picture, 0)
    ring = ring[ring[:, 1] < 16 + 900]
    np.testing.assert_allclose(ring.mean(axis=0), (92 + 605, 16 + 405), atol=1.5)


def test_mcs_stay_visible_inside_their_outlines(make_findings):
    findings = make_findings({1: [(20, 15), (22, 24), (30, 18), (33, 27), (26, 31), (38, 21)]}, [])
    picture = np.asarray(draw_overlay(findings))
    details = picture[92:, 16 + 900 + 16 :]
    plain, marked = details[40:680, :640], details[40:680, 648:1288]
    changed = (plain != marked).any(axis=-1)
    changed[-60:, :200] = False  # the scale bar
    assert changed.any()
    assert (marked[changed] == colour_of(1)).all()
    # The MCs are 40 above a texture of standard deviation 2: bright in the drawing, and all
    # of it inside the outlines, of which each encloses one.
    bright = plain[..., 0] > 0.7 * plain[:-60, :, 0].max()
    bright[-60:, :200] = False
    assert not (bright & changed).any()
    enclosed = binary_fill_holes(changed) & ~changed
    assert (bright & ~enclosed).sum() == 0
    assert label(enclosed)[1] == 6


def test_nothing_found_is_said_and_drawn_without_marks(make_findings):
    nothing = draw_overlay(make_findings({}, []))
    isolated = draw_overlay(make_findings({}, [(60, 40)]))
    assert len(pixels_like(nothing, 0)) == 0
    assert len(pixels_like(isolated, 0)) > 0
    text = np.asarray(nothing)[92:200, 16 + 900 + 16 :]
    assert (text > 200).any()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12, 13, 40])
def test_picture_stays_within_its_width_for_any_number_of_clusters(make_findings, count):
    points = [(row, col) for row in range(10, 110, 12) for col in range(6, 84, 12)]
    picture = draw_overlay(make_findings({n: [points[n]] for n in range(1, count + 1)}, []))
    assert 1000 <= picture.width <= 2400
    assert picture.height <= 2000


@pytest.mark.parametrize("shape", [(60, 60), (400, 30), (30, 400)])
def test_any_shape_of_image_can_be_drawn(make_findings, shape):
    findings = make_findings({1: [(10, 10), (20, 20)]}, [(15, 8)], shape=shape)
    assert draw_overlay(findings).width <= 2400


def test_flat_images_and_an_empty_breast_can_be_drawn(make_findings):
    findings = make_findings()
    flat = np.full_like(findings.mammogram.pixels, 7.0)
    findings = replace(
        findings,
        mammogram=replace(findings.mammogram, pixels=flat),
        breast=np.zeros_like(findings.breast),
    )
    assert draw_overlay(findings).width <= 2400


def test_pixels_are_drawn_square_in_millimetres(make_findings):
    findings = make_findings(geometry=Geometry((0.2, 0.1)), shape=(100, 100))
    view = fit_view((0, 100, 0, 100), findings.mammogram.spacing_mm, (900, 1400))
    assert (view.width, view.height) == (700, 1400)


def test_names_that_the_font_lacks_can_be_drawn(make_findings):
    long = "Röntgen 頭 " * 40
    assert draw_overlay(make_findings(source=Source(long))).width <= 2400


def test_input_is_left_as_it_was(make_findings):
    findings = make_findings()
    before = findings.mammogram.pixels.copy(), findings.labels.copy()
    draw_overlay(findings)
    np.testing.assert_array_equal(findings.mammogram.pixels, before[0])
    np.testing.assert_array_equal(findings.labels, before[1])


def test_file_is_a_png_of_the_picture(tmp_path, make_findings):
    write_overlay(make_findings(), tmp_path / "overlay.png")
    with Image.open(tmp_path / "overlay.png") as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), np.asarray(draw_overlay(make_findings())))


def test_view_puts_the_corners_of_its_box_on_the_corners_of_the_drawing():
    view = fit_view((10, 30, 5, 25), (0.1, 0.1), (200, 200))
    np.testing.assert_allclose(view.xy([(9.5, 4.5), (29.5, 24.5)]), [(-0.5, -0.5), (199.5, 199.5)])


@settings(max_examples=60, deadline=None)
@given(
    row=st.floats(-20, 140),
    col=st.floats(-20, 110),
    side=st.floats(0.01, 30),
    spacing=st.tuples(st.floats(0.02, 0.5), st.floats(0.02, 0.5)),
)
def test_box_of_a_crop_lies_in_the_image_and_has_the_side_that_fits(row, col, side, spacing):
    row_start, row_stop, col_start, col_stop = square_box((row, col), side, spacing, (120, 90))
    assert 0 <= row_start < row_stop <= 120
    assert 0 <= col_start < col_stop <= 90
    assert row_stop - row_start == min(120, max(1, round(side / spacing[0])))
    assert col_stop - col_start == min(90, max(1, round(side / spacing[1])))


def test_box_of_nothing_is_the_whole_image():
    assert bounding_box(np.zeros((7, 9), bool), 1.0, (0.1, 0.1)) == (0, 7, 0, 9)


def test_box_is_the_breast_and_its_margin():
    inside = np.zeros((100, 100), bool)
    inside[40:50, 2:60] = True
    assert bounding_box(inside, 1.0, (0.1, 0.2)) == (30, 60, 0, 65)


def test_grey_window_of_flat_or_no_values_is_not_empty():
    for values in (np.zeros(0), np.full(5, 3.0)):
        low, high = grey_window(values, 1, 99)
        assert high > low


def test_mammogram_of_full_size_takes_few_copies_of_itself(make_findings):
    points = [(600 + 90 * n, 500 + 60 * (n % 7)) for n in range(20)]
    findings = make_findings({1: points}, [], Geometry((0.05, 0.05)), shape=(4500, 2900))
    tracemalloc.start()
    draw_overlay(findings)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * findings.mammogram.pixels.nbytes
