"""Spacing is stated by the file or the user, and never guessed."""

import logging

import pydicom
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.reading import read_mammogram
from MicrocalcSegmentationLib.reading.spacing import MAX_SPACING_MM, MIN_SPACING_MM, file_spacing

MISSING = "image.dcm: no pixel spacing in the header; pass --spacing-mm"


def spacings(**elements):
    """An edit that leaves only these spacing elements."""

    def edit(dataset):
        del dataset.ImagerPixelSpacing
        for keyword, value in elements.items():
            with pydicom.config.disable_value_validation():
                setattr(dataset, keyword, value)

    return edit


@pytest.mark.parametrize(
    "keyword", ["ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"]
)
def test_each_element_gives_row_then_column_spacing(mg_file, keyword):
    mammogram = read_mammogram(mg_file(spacings(**{keyword: ["0.05", "0.06"]})))
    assert mammogram.geometry.spacing_mm == mammogram.spacing_mm == (0.05, 0.06)
    assert mammogram.source.spacing_from == keyword


def test_the_detector_s_spacing_comes_first(mg_file):
    edit = spacings(
        NominalScannedPixelSpacing=["0.04", "0.04"],
        PixelSpacing=["0.05", "0.05"],
        ImagerPixelSpacing=["0.07", "0.07"],
    )
    mammogram = read_mammogram(mg_file(edit))
    assert mammogram.geometry.spacing_mm == (0.07, 0.07)
    assert mammogram.magnification == 1


@pytest.mark.parametrize("empty", [{}, {"ImagerPixelSpacing": None}, {"PixelSpacing": ""}])
def test_a_missing_spacing_names_the_option_that_gives_it(mg_file, empty):
    with pytest.raises(InputError) as refusal:
        read_mammogram(mg_file(spacings(**empty)))
    assert str(refusal.value) == MISSING


def test_the_users_spacing_serves_where_the_header_has_none(mg_file):
    mammogram = read_mammogram(mg_file(spacings()), (0.05, 0.06))
    assert mammogram.geometry.spacing_mm == mammogram.spacing_mm == (0.05, 0.06)
    assert mammogram.source.spacing_from == "user"


def test_the_users_spacing_wins_and_the_disagreement_is_logged(mg_file, caplog):
    path = mg_file(magnification=1.5)
    mammogram = read_mammogram(path, (0.05, 0.06))
    assert mammogram.spacing_mm == (0.05, 0.06)
    assert mammogram.source.spacing_from == "user"
    assert "using --spacing-mm 0.05 0.06, though the file states 0.07 0.08 mm" in caplog.text


def test_an_agreement_is_not_logged(mg_file, caplog):
    caplog.set_level(logging.WARNING)
    read_mammogram(mg_file(), (0.0702, 0.08))
    assert caplog.text == ""


def test_the_magnification_factor_leads_into_the_breast(mg_file):
    edit = spacings(
        ImagerPixelSpacing=["0.07", "0.08"], EstimatedRadiographicMagnificationFactor="1.6"
    )
    mammogram = read_mammogram(mg_file(edit))
    assert mammogram.geometry.spacing_mm == (0.07, 0.08)
    assert mammogram.spacing_mm == pytest.approx((0.07 / 1.6, 0.08 / 1.6))


def test_the_magnification_factor_is_not_applied_to_spacing_in_the_breast(mg_file):
    edit = spacings(PixelSpacing=["0.05", "0.06"], EstimatedRadiographicMagnificationFactor="1.6")
    assert read_mammogram(mg_file(edit)).spacing_mm == (0.05, 0.06)


@pytest.mark.parametrize("calibration", ["GEOMETRY", "FIDUCIAL"])
def test_calibrated_pixel_spacing_wins_over_the_estimated_factor(mg_file, calibration):
    edit = spacings(
        ImagerPixelSpacing=["0.07", "0.07"],
        PixelSpacing=["0.05", "0.05"],
        PixelSpacingCalibrationType=calibration,
        EstimatedRadiographicMagnificationFactor="1.6",
    )
    mammogram = read_mammogram(mg_file(edit))
    assert mammogram.geometry.spacing_mm == (0.07, 0.07)
    assert mammogram.spacing_mm == pytest.approx((0.05, 0.05))


@pytest.mark.parametrize("factor", ["0", "0.7", "-1", "40", "NaN"])
def test_an_impossible_magnification_is_left_out_and_logged(mg_file, caplog, factor):
    edit = spacings(
        ImagerPixelSpacing=["0.07", "0.08"], EstimatedRadiographicMagnificationFactor=factor
    )
    assert read_mammogram(mg_file(edit)).magnification == 1
    assert "is not possible; lengths are measured at the detector" in caplog.text


@pytest.mark.parametrize(
    "value",
    [["0", "0.07"], ["-0.07", "-0.07"], ["NaN", "0.07"], ["inf", "inf"], ["7", "7"], ["0.07"]],
)
def test_an_impossible_spacing_in_the_header_is_refused(mg_file, value):
    path = mg_file(spacings(ImagerPixelSpacing=value))
    with pytest.raises(InputError, match=r"image.dcm: ImagerPixelSpacing: .*pass the right one"):
        read_mammogram(path)
    assert read_mammogram(path, (0.07, 0.07)).spacing_mm == (0.07, 0.07)


def test_a_spacing_that_is_no_number_is_refused(mg_file):
    path = mg_file()
    path.write_bytes(path.read_bytes().replace(b"0.07\\0.08", b"o.o7\\o.o8"))
    with pytest.raises(InputError, match=r"ImagerPixelSpacing is (not a number|damaged); export"):
        read_mammogram(path)
    assert read_mammogram(path, (0.07, 0.07)).spacing_mm == (0.07, 0.07)


@pytest.mark.parametrize(
    "users",
    [(0, 0.05), (-0.05, 0.05), (float("nan"), 0.05), (0.05,), (0.05,) * 3, (), (1, 1), ("x", 1)],
)
def test_an_impossible_spacing_of_the_user_is_refused(mg_file, users):
    with pytest.raises(InputError, match=r"--spacing-mm: .*is not a row and a column spacing"):
        read_mammogram(mg_file(), users)


def test_the_ends_of_the_range_are_accepted(mg_file):
    for end in (MIN_SPACING_MM, MAX_SPACING_MM):
        assert read_mammogram(mg_file(), (end, end)).spacing_mm == (end, end)


@pytest.mark.parametrize("dpi", [150, 300, 600])
def test_a_print_resolution_is_no_spacing(dpi):
    mm = 25.4 / dpi
    with pytest.raises(InputError, match=rf"its {dpi} dots per inch are a print setting"):
        file_spacing("a.tif", (mm, mm), None, for_print=True)
    assert file_spacing("a.nrrd", (mm, mm), None, for_print=False).row_col_mm == (mm, mm)
