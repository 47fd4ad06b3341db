"""Small DICOM mammograms with known pixels, for the tests of reading and writing."""

import numpy as np
import pydicom
import pytest
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg

SPACING_MM = (0.07, 0.08)  # rows first; different, so that a swap shows


@pytest.fixture(scope="session")
def grey_pattern():
    """(64, 80) float32 of whole numbers from 0 to 4095, without any symmetry."""
    rows, cols = np.mgrid[:64, :80]
    waves = np.sin(rows / 7) + np.cos(cols / 9 + rows / 31) + cols / 40
    scaled = (waves - waves.min()) / np.ptp(waves) * 4095
    return np.round(scaled).astype(np.float32)


@pytest.fixture
def mg_file(tmp_path, grey_pattern):
    """A function (edit=, encoding=, name=, **of the Mammogram) -> path of a DICOM MG file.

    Its pixels are the pattern, stored as they are in 12 bits. edit(dataset) changes the data
    set before it is written again, as it is, in its own transfer syntax.
    """

    def write(edit=None, encoding=None, name="image.dcm", **fields):
        fields = {"pixels": grey_pattern, "view": "MLO", "laterality": "R"} | fields
        fields.setdefault("geometry", Geometry(SPACING_MM))
        path = tmp_path / name
        encoding = encoding or Encoding(grey_range=(0, 4095))
        write_dicom_mg(path, Mammogram(source=Source("pattern"), **fields), encoding)
        if edit:
            dataset = pydicom.dcmread(path)
            edit(dataset)
            dataset.save_as(path)
        return path

    return write


@pytest.fixture
def cases(tmp_path, write_breast):
    """A folder of five small images of five patients, in turns digital and film."""
    folder = tmp_path / "cases"
    for seed in range(5):
        write_breast(folder, f"case{seed}", seed)
    return folder
