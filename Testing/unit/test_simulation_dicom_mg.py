"""Simulated mammograms are written as what they are, and the same way every time."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.simulation import dicom_mg
from MicrocalcSegmentationLib.simulation.dicom_mg import SYNTAXES, Encoding, write_dicom_mg


@pytest.fixture
def mammogram(grey_pattern):
    return Mammogram(
        grey_pattern, Geometry((0.07, 0.08)), Source("pattern"), view="CC", laterality="L"
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_same_input_gives_the_same_bytes(tmp_path, mammogram, syntax):
    for name in ("a", "b"):
        write_dicom_mg(tmp_path / name, mammogram, Encoding(syntax), seed=3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def identifiers(path):
    dataset = pydicom.dcmread(path)
    return [dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID]


def test_another_seed_is_another_study(tmp_path, mammogram):
    for seed in (1, 2):
        write_dicom_mg(tmp_path / str(seed), mammogram, seed=seed)
    assert not set(identifiers(tmp_path / "1")) & set(identifiers(tmp_path / "2"))


def test_another_image_or_view_of_a_seed_is_of_the_same_study(tmp_path, mammogram):
    others = {
        "first": mammogram,
        "pixels": replace(mammogram, pixels=mammogram.pixels[::-1]),
        "view": replace(mammogram, view="MLO"),
        "side": replace(mammogram, laterality="R"),
    }
    for name, other in others.items():
        write_dicom_mg(tmp_path / name, other)
    found = [identifiers(tmp_path / name) for name in others]
    assert len({study for study, _, _ in found}) == 1
    assert len({image for _, _, image in found}) == len(others)


def test_it_says_that_no_patient_is_shown(tmp_path, mammogram):
    write_dicom_mg(tmp_path / "a", mammogram, seed=7)
    dataset = pydicom.dcmread(tmp_path / "a")
    assert str(dataset.PatientName) == "SYNTHETIC^NOT A PATIENT"
    assert dataset.PatientID == "SYNTHETIC-7"
    assert "not of a patient" in dataset.ImageComments


def test_a_deflated_file_is_the_explicit_one_deflated(tmp_path, mammogram):
    import zlib

    found = {}
    for syntax in (dicom_mg.EXPLICIT, dicom_mg.DEFLATED):
        path = tmp_path / syntax
        write_dicom_mg(path, mammogram, Encoding(syntax))
        meta = pydicom.filereader.read_file_meta_info(path)
        found[syntax] = path.read_bytes()[132 + 12 + meta.FileMetaInformationGroupLength :]
    inflated = zlib.decompress(found[dicom_mg.DEFLATED], -zlib.MAX_WBITS)
    assert inflated == found[dicom_mg.EXPLICIT]


def test_lossy_compression_is_declared(tmp_path, mammogram):
    for syntax, method in (
        (dicom_mg.JPEG_LS_NEAR, "ISO_14495_1"),
        (dicom_mg.JPEG_2000, "ISO_15444_1"),
    ):
        write_dicom_mg(tmp_path / "a", mammogram, Encoding(syntax))
        dataset = pydicom.dcmread(tmp_path / "a")
        assert (dataset.LossyImageCompression, dataset.LossyImageCompressionMethod) == (
            "01",
            method,
        )
        assert dataset.LossyImageCompressionRatio > 1


@pytest.mark.parametrize(
    ("changes", "encoding", "reason"),
    [
        ({}, Encoding(syntax="1.2.3"), "no transfer syntax that can be written"),
        ({}, Encoding(photometric="RGB"), "not MONOCHROME1 or MONOCHROME2"),
        ({}, Encoding(bits_stored=7), "8 to 16 can be written"),
        ({"view": "XYZ"}, Encoding(), "view XYZ: CC, MLO"),
        ({"pixels": np.ones((64, 80), np.float32)}, Encoding(), "finite, varying pixels"),
        ({"pixels": np.full((64, 80), np.nan)}, Encoding(), "finite, varying pixels"),
        ({"presentation": "FOR PROCESSING"}, Encoding(rescale=True), "no rescale slope"),
        (
            {"valid": np.tri(64, 80, dtype=bool)},
            Encoding(syntax=dicom_mg.JPEG_2000),
            "padding does not survive lossy compression",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path, mammogram, changes, encoding, reason
):
    with pytest.raises(InputError, match=reason):
        write_dicom_mg(tmp_path / "a", replace(mammogram, **changes), encoding)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path, mammogram, monkeypatch):
    def fail_half_way(path, dataset):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_text("before")
    monkeypatch.setattr(dicom_mg, "_write_file", fail_half_way)
    with pytest.raises(InputError, match="No space left on device"):
        write_dicom_mg(tmp_path / "a", mammogram)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"


def test_a_missing_folder_is_an_input_error(tmp_path, mammogram):
    with pytest.raises(InputError, match="cannot be written"):
        write_dicom_mg(tmp_path / "none" / "a", mammogram)
