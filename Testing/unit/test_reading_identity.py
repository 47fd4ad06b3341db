"""Which image it is, of which breast, and where it lies."""

import logging
import warnings

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import IDENTITY
from MicrocalcSegmentationLib.reading import read_mammogram
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes


def setting(**elements):
    def edit(dataset):
        for keyword, value in elements.items():
            with config.disable_value_validation():
                setattr(dataset, keyword, value)

    return edit


def code(value, scheme="SCT"):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "a view"
    return item


@pytest.mark.parametrize("stated", ["CC", "MLO", "ML", "XCCL"])
def test_the_view_position_is_the_view(mg_file, stated):
    assert read_mammogram(mg_file(setting(ViewPosition=stated))).view == stated


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CranioCaudal", "CC"),
        ("MedioLateralObliqueProjection", "MLO"),
        ("MedioLateralProjection", "ML"),
        ("LateroMedial", "LM"),
        ("LateroMedialOblique", "LMO"),
        ("CaudoCranial", "FB"),
        ("SuperolateralToInferomedialOblique", "SIO"),
        ("InferomedialToSuperolateralOblique", "ISO"),
        ("CranioCaudalExaggeratedLaterally", "XCCL"),
        ("CranioCaudalExaggeratedMedially", "XCCM"),
    ],
)
def test_the_view_code_serves_without_a_position(mg_file, name, expected):
    value = getattr(codes.cid4014, name).value
    edit = setting(ViewPosition=None, ViewCodeSequence=[code(value)])
    assert read_mammogram(mg_file(edit)).view == expected


@pytest.mark.parametrize(("value", "expected"), [("R-10242", "CC"), ("R-10226", "MLO")])
def test_the_older_view_codes_are_known(mg_file, value, expected):
    edit = setting(ViewPosition="", ViewCodeSequence=[code(value, "SNM3")])
    assert read_mammogram(mg_file(edit)).view == expected


@pytest.mark.parametrize("sequence", [[], [code("12345")], [Dataset()]])
def test_an_unknown_view_is_none(mg_file, sequence):
    edit = setting(ViewPosition=None, ViewCodeSequence=sequence)
    assert read_mammogram(mg_file(edit)).view is None


def test_a_view_in_the_orientation_s_place_is_taken(mg_file):
    edit = setting(ViewPosition=None, ViewCodeSequence=[], PatientOrientation="MLO")
    assert read_mammogram(mg_file(edit)).view == "MLO"


@pytest.mark.parametrize(
    ("image", "series", "expected"),
    [("L", "R", "L"), (None, "R", "R"), ("", "L", "L"), ("B", None, None), (None, None, None)],
)
def test_the_image_s_laterality_comes_before_the_series(mg_file, image, series, expected):
    edit = setting(ImageLaterality=image, Laterality=series)
    assert read_mammogram(mg_file(edit)).laterality == expected


@pytest.mark.parametrize(
    ("intent", "sop_class", "expected"),
    [
        ("FOR PROCESSING", "1.2.840.10008.5.1.4.1.1.1.2", "FOR PROCESSING"),
        ("FOR PRESENTATION", "1.2.840.10008.5.1.4.1.1.1.2.1", "FOR PRESENTATION"),
        (None, "1.2.840.10008.5.1.4.1.1.1.2", "FOR PRESENTATION"),
        (None, "1.2.840.10008.5.1.4.1.1.1.2.1", "FOR PROCESSING"),
        ("OTHER", "1.2.840.10008.5.1.4.1.1.7", None),
    ],
)
def test_the_presentation_is_stated_or_follows_from_the_class(mg_file, intent, sop_class, expected):
    edit = setting(PresentationIntentType=intent, SOPClassUID=sop_class)
    assert read_mammogram(mg_file(edit)).presentation == expected


def test_a_mammography_class_makes_up_for_a_missing_modality(mg_file):
    assert read_mammogram(mg_file(setting(Modality=None))).view == "MLO"


def test_identifiers_are_text_by_keyword(mg_file):
    edit = setting(
        PatientName="Müller^Änne",
        SpecificCharacterSet="ISO_IR 100",
        SoftwareVersions=["1.0", "2.0"],
        AccessionNumber="",
        StudyDate="20240229",
    )
    path = mg_file(edit)
    source = read_mammogram(path).source
    assert (source.name, source.path) == ("image.dcm", str(path))
    assert source.dicom["PatientName"] == "Müller^Änne"
    assert source.dicom["SoftwareVersions"] == "1.0\\2.0"
    assert source.dicom["StudyDate"] == "20240229"
    assert (source.dicom["Rows"], source.dicom["Columns"]) == ("64", "80")
    assert "AccessionNumber" not in source.dicom
    uids = {"SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"}
    assert uids <= source.dicom.keys()
    assert all(type(value) is str for value in source.dicom.values())


def test_a_damaged_identifier_is_left_out_and_the_image_is_read(mg_file):
    path = mg_file(setting(StudyID="from\x00the\x02next element"))
    assert "StudyID" not in read_mammogram(path).source.dicom


def test_odd_values_are_read_in_silence_and_logged(mg_file, caplog, capfd):
    caplog.set_level(logging.INFO)
    path = mg_file(setting(StudyDate="yesterday", PatientID="x" * 200))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = read_mammogram(path).source
    assert source.dicom["StudyDate"] == "yesterday"
    assert "image.dcm: The value length (200) exceeds" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_without_a_position_the_image_lies_at_the_origin(mg_file):
    geometry = read_mammogram(mg_file()).geometry
    assert geometry.origin_lps == (0, 0, 0)
    assert geometry.directions_lps == IDENTITY


@pytest.mark.parametrize(
    "cosines",
    [[1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], ["NaN"] * 6],
)
def test_an_impossible_orientation_is_not_used(mg_file, cosines):
    path = mg_file(setting(ImageOrientationPatient=cosines))
    assert read_mammogram(path).geometry.directions_lps == IDENTITY


def test_a_damaged_orientation_is_not_used(mg_file, caplog):
    path = mg_file(setting(ImageOrientationPatient=["0", "1", "0", "0", "0", "-1"]))
    path.write_bytes(path.read_bytes().replace(b"0\\1\\0\\0\\0\\-1", b"o\\I\\o\\o\\o\\-I"))
    assert read_mammogram(path).geometry.directions_lps == IDENTITY
    assert "placed at the origin" in caplog.text


def test_slightly_rounded_direction_cosines_become_unit_vectors(mg_file):
    path = mg_file(setting(ImageOrientationPatient=["0.6", "0.799", "0", "-0.799", "0.6", "0"]))
    axes = np.array(read_mammogram(path).geometry.directions_lps)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(axes[0], [0.6005, 0.7996, 0], atol=1e-3)
