"""Whatever is no readable mammogram gets one sentence: what, where, what to do."""

import contextlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.reading import dicom, read_mammogram
from MicrocalcSegmentationLib.simulation import dicom_mg
from MicrocalcSegmentationLib.simulation.dicom_mg import SYNTAXES, Encoding
from openjpeg.utils import encode_array

FUZZ = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def setting(**elements):
    def edit(dataset):
        for keyword, value in elements.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    return edit


def refusal(path, spacing_mm=None):
    with pytest.raises(InputError) as caught:
        read_mammogram(path, spacing_mm)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 300
    return sentence


def test_a_missing_file(tmp_path):
    path = tmp_path / "none.dcm"
    assert refusal(path) == f"{path}: no such file; check the name"


def test_a_folder(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path.name}: a folder; give the image file in it"


def test_an_empty_file(tmp_path):
    (tmp_path / "a.dcm").touch()
    assert refusal(tmp_path / "a.dcm") == "a.dcm: an empty file; copy or export it again"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_something_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "pipe: not an ordinary file; give an image file"


def test_a_file_that_may_not_be_opened(mg_file, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    path = mg_file()
    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path) == (
        "image.dcm: cannot be read (Permission denied); check the file and its permissions"
    )


def test_a_file_that_fails_while_it_is_read(mg_file, monkeypatch):
    def fail(*args):
        raise OSError(5, "Input/output error")

    path = mg_file()
    monkeypatch.setattr(dicom, "read_dicom", fail)
    assert "image.dcm: cannot be read (Input/output error)" in refusal(path)


def test_a_name_that_no_system_takes():
    assert "cannot be read" in refusal("a\0b.dcm")


@pytest.mark.parametrize("name", ["notes.txt", "notes.png", "notes", "notes.nrrd", "notes.dcm"])
def test_a_file_that_is_not_an_image(tmp_path, name):
    (tmp_path / name).write_text("Nothing to see here.\n" * 50)
    assert f"{name}: " in refusal(tmp_path / name)
    assert "not an image" in refusal(tmp_path / name) or "damaged" in refusal(tmp_path / name)


def test_another_modality(mg_file):
    for modality in ("CR", "DX", "CT"):
        sentence = refusal(mg_file(setting(Modality=modality)))
        assert sentence == (
            f"image.dcm: its modality is {modality}, not MG (mammography); give a mammogram"
        )
    plain = setting(Modality=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    assert "its modality is not stated, not MG" in refusal(mg_file(plain))


def test_several_frames(mg_file):
    assert "image.dcm: a multi-frame object (25 frames; tomosynthesis?)" in refusal(
        mg_file(setting(NumberOfFrames=25))
    )
    read_mammogram(mg_file(setting(NumberOfFrames=1)))


def test_a_tomosynthesis_object_of_one_frame(mg_file):
    path = mg_file(setting(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3"))
    assert "give the 2-D mammogram of the same view" in refusal(path)


@pytest.mark.parametrize(
    "elements",
    [
        {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3},
        {"PhotometricInterpretation": "YBR_FULL_422", "SamplesPerPixel": 3},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"SamplesPerPixel": 3},
    ],
)
def test_colour(mg_file, elements):
    sentence = refusal(mg_file(setting(**elements)))
    assert sentence.startswith("image.dcm: a colour image (")
    assert sentence.endswith("mammograms are grey, export it as MONOCHROME2")


def test_a_report_or_another_object_without_an_image(mg_file):
    assert refusal(mg_file(setting(PixelData=None))) == (
        "image.dcm: no pixel data; the file is cut short or holds no image, copy or export it again"
    )
    path = mg_file(setting(PixelData=None, Modality="SR"))
    assert "its modality is SR, not MG" in refusal(path)


def test_an_image_that_does_not_say_whether_it_is_grey(mg_file):
    assert "(not stated, 1 values per pixel)" in refusal(
        mg_file(setting(PhotometricInterpretation=None))
    )


def test_a_constant_image(mg_file):
    path = mg_file(setting(PixelData=b"\x05\x00" * 64 * 80))
    assert refusal(path).startswith("image.dcm: all pixels have the same value")


@pytest.mark.parametrize(("rows", "cols"), [(48, 80), (64, 48), (0, 0)])
def test_an_image_smaller_than_a_patch(mg_file, rows, cols):
    sentence = refusal(mg_file(setting(Rows=rows, Columns=cols)))
    assert f"{rows} x {cols} pixels is smaller than one patch of 49 x 49" in sentence


def test_a_header_that_claims_more_than_memory_holds(mg_file):
    sentence = refusal(mg_file(setting(Rows=60000, Columns=60000)))
    assert "its header claims 60000 x 60000 pixels, more than any mammogram has" in sentence


def test_a_compressed_stream_that_claims_more_than_its_header(mg_file):
    for syntax, marker, at in (
        (dicom_mg.JPEG_LS, b"\xff\xf7", 5),
        (dicom_mg.JPEG_2000_LOSSLESS, b"\xff\x51", 8),
    ):
        path = mg_file(encoding=Encoding(syntax))
        content = bytearray(path.read_bytes())
        start = content.index(marker) + at
        content[start : start + 4] = b"\xea\x60\xea\x60"
        path.write_bytes(content)
        assert "cut short or damaged (the stream is (" in refusal(path)


def test_a_compressed_stream_of_more_bits_than_an_image_has(mg_file):
    def deepen(dataset):
        rows, cols = np.mgrid[:64, :80]
        deep = encode_array((rows * cols * 3000).astype(np.uint32), bits_stored=24)
        dataset.PixelData = pydicom.encaps.encapsulate([deep])

    path = mg_file(deepen, Encoding(dicom_mg.JPEG_2000_LOSSLESS))
    assert "damaged (more than 16 bits a pixel)" in refusal(path)


def test_a_deflated_data_set_that_would_fill_the_memory(mg_file, monkeypatch):
    path = mg_file(encoding=Encoding(dicom_mg.DEFLATED))
    meta = pydicom.filereader.read_file_meta_info(path)
    head = path.read_bytes()[: 132 + 12 + meta.FileMetaInformationGroupLength]
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = squeeze.compress(bytes(40_000_000)) + squeeze.flush()
    path.write_bytes(head + bomb)
    monkeypatch.setattr(dicom, "_MAX_INFLATED_BYTES", 20_000_000)
    assert "inflates to more data than a mammogram has" in refusal(path)


@pytest.mark.parametrize(
    "elements",
    [
        {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0},
        {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31},
        {"BitsAllocated": 16, "BitsStored": 17, "HighBit": 16},
        {"HighBit": 3},
        {"BitsStored": 1, "HighBit": 0},
        {"BitsAllocated": None},
        {"Rows": None},
    ],
)
def test_an_impossible_layout_of_bits(mg_file, elements):
    assert refusal(mg_file(setting(**elements))).startswith("image.dcm: ")


def test_a_transfer_syntax_that_cannot_be_read(mg_file):
    def as_video(dataset):
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"

    path = mg_file(as_video, Encoding(dicom_mg.JPEG_LS))
    sentence = refusal(path)
    assert "which cannot be read; decompress it first" in sentence


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_file_cut_anywhere_is_refused(mg_file, syntax):
    path = mg_file(encoding=Encoding(syntax))
    whole = path.read_bytes()
    cuts = [4, 100, 131, 132, 140, 200, 400, *range(500, len(whole) - 8, len(whole) // 25)]
    for cut in [*cuts, len(whole) - 8]:
        path.write_bytes(whole[:cut])
        assert "cut short" in refusal(path) or cut < 132


def test_a_compressed_stream_cut_inside_a_whole_file_is_refused(mg_file):
    def cut(dataset):
        frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
        half = frame[: len(frame) // 4 * 2]
        dataset.PixelData = pydicom.encaps.encapsulate([half])

    for syntax in (dicom_mg.RLE, dicom_mg.JPEG_LS, dicom_mg.JPEG_2000_LOSSLESS):
        sentence = refusal(mg_file(cut, Encoding(syntax)))
        assert "its compressed pixel data are cut short or damaged (" in sentence


@pytest.mark.parametrize("syntax", SYNTAXES)
@FUZZ
@given(data=st.data())
def test_no_damage_raises_anything_but_a_refusal(mg_file, syntax, data):
    path = mg_file(encoding=Encoding(syntax))
    content = bytearray(path.read_bytes())
    where = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(where)] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | where)
    path.write_bytes(content[:cut])
    with contextlib.suppress(InputError):
        assert np.isfinite(read_mammogram(path).pixels).all()


@FUZZ
@given(content=st.binary(min_size=1, max_size=400), preamble=st.booleans())
def test_garbage_is_refused(tmp_path, content, preamble):
    path = tmp_path / "garbage"
    path.write_bytes(bytes(128) + b"DICM" + content if preamble else content)
    refusal(path)


@FUZZ
@given(content=st.binary(max_size=400))
def test_garbage_that_starts_like_dicom_is_refused(tmp_path, content):
    path = tmp_path / "garbage"
    path.write_bytes(struct.pack("<HH", 8, 5) + content)
    refusal(path)


def test_nothing_is_printed_for_damaged_dicom(mg_file, capfd):
    path = mg_file(encoding=Encoding(dicom_mg.RLE))
    whole = path.read_bytes()
    for cut in (200, 1000, len(whole) - 500):
        path.write_bytes(whole[:cut])
        refusal(path)
    assert capfd.readouterr() == ("", "")
