"""What dicom3tools' validator says of the mammograms that we write."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.simulation.dicom_mg import (
    DEFLATED,
    JPEG_2000,
    JPEG_LS_NEAR,
    SYNTAXES,
    Encoding,
    write_dicom_mg,
)

VALIDATOR = "dciodvfy"
HOW_TO_GET_IT = f"{VALIDATOR} is not installed: apt-get install dicom3tools"
# dciodvfy cannot inflate; that a deflated file is the explicit one deflated, byte for byte,
# is checked in unit/test_simulation_dicom_mg.py.
READABLE = sorted(set(SYNTAXES) - {DEFLATED})
IOD = {
    "FOR PRESENTATION": "MammographyImageForPresentation",
    "FOR PROCESSING": "MammographyImageForProcessing",
}
# The terms that dciodvfy knows are those of radiography of other parts; mammography units
# write CC, MLO and so on (Context Group 4014), and readers rely on it.
JUSTIFIED = ("ViewPosition(0018,5101)[1]> - Unrecognized defined term = <",)


@pytest.fixture(scope="module")
def dciodvfy():
    """A function path -> the validator's lines."""
    program = shutil.which(VALIDATOR)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)

    def validate(path):
        command = [program, "-new", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).splitlines()

    return validate


def written(path, encoding, **fields):
    rows, cols = np.mgrid[:64, :81]
    pixels = (np.sin(rows / 7) + cols / 40).astype(np.float32)
    geometry = Geometry((0.07, 0.08))
    write_dicom_mg(path, Mammogram(pixels, geometry, Source("pattern"), **fields), encoding)
    return path


def assert_valid(lines, intent):
    # The validator names the IOD that it checked against; without that it checked nothing.
    assert IOD[intent] in lines
    found = [line for line in lines if line.startswith(("Error", "Warning"))]
    assert [line for line in found if not any(known in line for known in JUSTIFIED)] == []


@pytest.mark.parametrize("intent", IOD)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", READABLE)
def test_every_transfer_syntax_is_a_valid_mammogram(
    tmp_path, dciodvfy, syntax, photometric, intent
):
    encoding = Encoding(syntax, photometric)
    path = written(tmp_path / "a.dcm", encoding, presentation=intent, view="MLO", laterality="R")
    assert_valid(dciodvfy(path), intent)


@pytest.mark.parametrize("view", ["CC", "MLO", "ML", "LM"])
@pytest.mark.parametrize("laterality", ["L", "R"])
def test_every_view_and_side_is_a_valid_mammogram(tmp_path, dciodvfy, view, laterality):
    path = written(tmp_path / "a.dcm", Encoding(), view=view, laterality=laterality)
    assert_valid(dciodvfy(path), "FOR PRESENTATION")


@pytest.mark.parametrize("bits", [8, 10, 14, 16])
@pytest.mark.parametrize("intent", IOD)
def test_padding_magnification_and_every_depth_are_valid(tmp_path, dciodvfy, bits, intent):
    valid = np.tri(64, 81, dtype=bool)
    encoding = Encoding(bits_stored=bits)
    path = written(
        tmp_path / "a.dcm", encoding, presentation=intent, valid=valid, magnification=1.8
    )
    assert_valid(dciodvfy(path), intent)


def test_the_validator_does_find_errors(tmp_path, dciodvfy):
    import pydicom

    path = written(tmp_path / "a.dcm", Encoding())
    dataset = pydicom.dcmread(path)
    del dataset.PresentationIntentType
    dataset.save_as(path)
    assert any(line.startswith("Error") for line in dciodvfy(path))


def test_lossy_syntaxes_are_among_those_checked():
    assert {JPEG_LS_NEAR, JPEG_2000} < set(READABLE)
