"""Every way that DICOM stores pixels gives the same mammogram."""

from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.reading import read_mammogram
from MicrocalcSegmentationLib.simulation import dicom_mg
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg

LOSSLESS = sorted(set(dicom_mg.SYNTAXES) - {dicom_mg.JPEG_LS_NEAR, dicom_mg.JPEG_2000})
PATTERN = {"grey_range": (0, 4095)}


def transcoded(path, syntax, quality=None):
    """The file compressed again by GDCM, in place."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    if quality is not None:
        codec = gdcm.JPEGCodec()
        codec.SetLossless(False)
        codec.SetQuality(quality)
        change.SetUserCodec(codec)
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


def in_bits(pattern, bits):
    """The pattern's 0 to 4095 stretched over another number of bits."""
    return np.round(pattern.astype(np.float64) / (4095 / (2**bits - 1)))


def syntax_of(path):
    return str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_lossless_syntax_gives_the_pixels_back(mg_file, grey_pattern, syntax, photometric):
    path = mg_file(encoding=Encoding(syntax, photometric, **PATTERN))
    assert syntax_of(path) == syntax
    mammogram = read_mammogram(path)
    np.testing.assert_array_equal(mammogram.pixels, grey_pattern)
    assert mammogram.pixels.dtype == np.float32
    assert mammogram.valid is None


@pytest.mark.parametrize("bits", [8, 10, 14, 16])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_lossless_syntax_keeps_every_depth(mg_file, grey_pattern, syntax, bits):
    path = mg_file(encoding=Encoding(syntax, bits_stored=bits, **PATTERN))
    expected = in_bits(grey_pattern, bits)
    np.testing.assert_array_equal(read_mammogram(path).pixels, expected)


def test_near_lossless_jpeg_ls_stays_within_its_stated_error(mg_file, grey_pattern):
    path = mg_file(encoding=Encoding(dicom_mg.JPEG_LS_NEAR, near=3, **PATTERN))
    error = np.abs(read_mammogram(path).pixels - grey_pattern)
    assert 0 < error.max() <= 3


def test_lossy_jpeg_2000_stays_close(mg_file, grey_pattern):
    path = mg_file(encoding=Encoding(dicom_mg.JPEG_2000, ratio=4, **PATTERN))
    error = np.abs(read_mammogram(path).pixels - grey_pattern)
    assert 0 < error.max() < 0.01 * 4095


@pytest.mark.parametrize(
    ("syntax", "uid"),
    [
        (gdcm.TransferSyntax.JPEGLosslessProcess14, "1.2.840.10008.1.2.4.57"),
        (gdcm.TransferSyntax.JPEGLosslessProcess14_1, "1.2.840.10008.1.2.4.70"),
        (gdcm.TransferSyntax.JPEGLSLossless, "1.2.840.10008.1.2.4.80"),
        (gdcm.TransferSyntax.JPEG2000Lossless, "1.2.840.10008.1.2.4.90"),
        (gdcm.TransferSyntax.RLELossless, "1.2.840.10008.1.2.5"),
    ],
)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_another_encoder_s_lossless_file_gives_the_pixels_back(
    mg_file, grey_pattern, syntax, uid, bits
):
    path = transcoded(mg_file(encoding=Encoding(bits_stored=bits, **PATTERN)), syntax)
    assert syntax_of(path) == uid
    expected = in_bits(grey_pattern, bits)
    np.testing.assert_array_equal(read_mammogram(path).pixels, expected)


def test_baseline_jpeg_stays_close(mg_file, grey_pattern):
    path = mg_file(encoding=Encoding(bits_stored=8, **PATTERN))
    transcoded(path, gdcm.TransferSyntax.JPEGBaselineProcess1, quality=95)
    assert syntax_of(path) == "1.2.840.10008.1.2.4.50"
    error = np.abs(read_mammogram(path).pixels - grey_pattern / (4095 / 255))
    assert 0 < error.max() < 0.02 * 255


def test_extended_jpeg_of_12_bits_stays_close(grey_pattern):
    path = Path(__file__).parent / "data" / "jpeg_extended_12_bit.dcm"
    assert syntax_of(path) == "1.2.840.10008.1.2.4.51"
    error = np.abs(read_mammogram(path).pixels - grey_pattern)
    assert 0 < error.max() < 0.01 * 4095


def test_itk_sees_the_same_pixels_in_the_same_place(mg_file):
    def place(dataset):
        dataset.ImagePositionPatient = [10, -20, 30]
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    for edit in (None, place):
        for photometric in ("MONOCHROME1", "MONOCHROME2"):
            path = mg_file(edit, Encoding(photometric=photometric, **PATTERN))
            ours, itks = read_mammogram(path), sitk.ReadImage(str(path))
            np.testing.assert_array_equal(ours.pixels, sitk.GetArrayFromImage(itks)[0])
            assert ours.geometry.spacing_mm == itks.GetSpacing()[1::-1]
            assert ours.geometry.slice_thickness_mm == itks.GetSpacing()[2]
            for row, col in ((0, 0), (7, 30)):
                there = itks.TransformIndexToPhysicalPoint((col, row, 0))
                np.testing.assert_allclose(ours.geometry.position_lps(np.array([row, col])), there)
            axes = np.reshape(itks.GetDirection(), (3, 3)).T
            np.testing.assert_array_equal(ours.geometry.directions_lps, axes)


def test_signed_pixels_keep_their_sign(mg_file, grey_pattern):
    def make_signed(dataset):
        values = (grey_pattern - 2048).astype("<i2") & 0x0FFF  # 12 bits, as some writers leave it
        dataset.PixelRepresentation = 1
        dataset.PixelData = values.astype("<u2").tobytes()

    path = mg_file(make_signed)
    np.testing.assert_array_equal(read_mammogram(path).pixels, grey_pattern - 2048)


@pytest.mark.parametrize("syntax", [dicom_mg.JPEG_LS, dicom_mg.JPEG_2000_LOSSLESS, dicom_mg.RLE])
def test_signed_pixels_keep_their_sign_when_compressed(mg_file, grey_pattern, syntax):
    def make_signed(dataset):
        dataset.PixelRepresentation = 1
        values = (grey_pattern - 2048).astype(np.int16)
        dataset.compress(syntax, values, generate_instance_uid=False)

    path = mg_file(make_signed)
    np.testing.assert_array_equal(read_mammogram(path).pixels, grey_pattern - 2048)


def test_bits_beside_the_stored_ones_are_left_out(mg_file, grey_pattern):
    def shift_and_overlay(dataset):
        values = (grey_pattern.astype("<u2") << 2) | 0x8001  # an overlay bit on either side
        dataset.HighBit = 13
        dataset.PixelData = values.tobytes()

    np.testing.assert_array_equal(read_mammogram(mg_file(shift_and_overlay)).pixels, grey_pattern)


def test_big_endian_words_of_8_bit_pixels_are_put_in_order(mg_file, grey_pattern):
    def as_words(dataset):
        dataset["PixelData"].VR = "OW"
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()

    path = mg_file(as_words, Encoding(dicom_mg.BIG_ENDIAN, bits_stored=8, **PATTERN))
    expected = in_bits(grey_pattern, 8)
    np.testing.assert_array_equal(read_mammogram(path).pixels, expected)


@pytest.mark.parametrize("name", ["image", "image.png", "image.dcm"])
def test_dicom_is_known_by_its_content(mg_file, grey_pattern, name):
    np.testing.assert_array_equal(read_mammogram(mg_file(name=name)).pixels, grey_pattern)


@pytest.mark.parametrize("meta", [True, False], ids=["file meta", "no file meta"])
@pytest.mark.parametrize("syntax", [dicom_mg.IMPLICIT, dicom_mg.EXPLICIT, dicom_mg.BIG_ENDIAN])
def test_dicom_without_preamble_is_read(mg_file, grey_pattern, syntax, meta):
    path = mg_file(encoding=Encoding(syntax, **PATTERN))
    content = path.read_bytes()
    length = pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength
    path.write_bytes(content[132:] if meta else content[132 + 12 + length :])
    np.testing.assert_array_equal(read_mammogram(path).pixels, grey_pattern)


def test_a_frame_in_several_fragments_is_one_frame(mg_file, grey_pattern):
    def split(dataset):
        frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
        fragments = pydicom.encaps.fragment_frame(frame, 4)
        items = [b"\xfe\xff\x00\xe0" + len(one).to_bytes(4, "little") + one for one in fragments]
        dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" + b"".join(items)

    path = mg_file(split, Encoding(dicom_mg.JPEG_2000_LOSSLESS, **PATTERN))
    np.testing.assert_array_equal(read_mammogram(path).pixels, grey_pattern)


@pytest.mark.parametrize("intent", ["FOR PRESENTATION", "FOR PROCESSING"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_written_mammogram_comes_back_as_it_was(tmp_path, grey_pattern, intent, photometric):
    pixels = grey_pattern / 4095 * 2  # attenuation: 2 is an exposure of 13 %
    valid = np.ones(pixels.shape, bool)
    valid[:, 70:] = False
    geometry = Geometry((0.07, 0.08))
    written = Mammogram(pixels, geometry, Source("x"), valid, 1.5, "CC", "R", intent)
    encoding = Encoding(
        photometric=photometric, bits_stored=14, rescale=intent == "FOR PRESENTATION"
    )
    write_dicom_mg(tmp_path / "x.dcm", written, encoding)
    read = read_mammogram(tmp_path / "x.dcm")
    np.testing.assert_array_equal(read.valid, valid)
    # Exposures have no absolute scale, so attenuation comes back but for a constant.
    offset = 0 if intent == "FOR PRESENTATION" else (read.pixels - pixels)[valid].mean()
    np.testing.assert_allclose(read.pixels[valid] - offset, pixels[valid], atol=0.0006)
    assert read.pixels[~valid].max() == read.pixels[valid].min()
    assert (read.view, read.laterality, read.presentation) == ("CC", "R", intent)
    assert (read.geometry, read.magnification) == (geometry, 1.5)
    assert read.spacing_mm == pytest.approx((0.07 / 1.5, 0.08 / 1.5))
