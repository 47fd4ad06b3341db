"""What the grey values mean: modality, VOI, polarity, exposure and padding."""

import logging

import numpy as np
import pydicom
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.reading import read_mammogram
from pydicom.dataset import Dataset


def lut_item(entries, first=0, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item.LUTData = np.asarray(entries, "<u2").tobytes()
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    return item


def setting(**elements):
    def edit(dataset):
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
            if dataset[keyword].VR == "US or SS":
                dataset[keyword].VR = "US"

    return edit


def pixels_of(path):
    return read_mammogram(path).pixels


def test_rescale_is_applied(mg_file, grey_pattern):
    path = mg_file(setting(RescaleSlope="0.5", RescaleIntercept="-100"))
    np.testing.assert_array_equal(pixels_of(path), grey_pattern * 0.5 - 100)


def test_a_modality_lut_replaces_rescale(mg_file, grey_pattern):
    squares = np.arange(4096) ** 2 // 256
    item = lut_item(squares)
    item.ModalityLUTType = "US"
    path = mg_file(setting(ModalityLUTSequence=[item]))
    np.testing.assert_array_equal(pixels_of(path), squares[grey_pattern.astype(int)])


def test_values_outside_a_lut_take_its_ends(mg_file, grey_pattern):
    entries = np.arange(5000, 8000)
    path = mg_file(setting(ModalityLUTSequence=[lut_item(entries, first=500)]))
    expected = 5000 + np.clip(grey_pattern - 500, 0, 2999)
    np.testing.assert_array_equal(pixels_of(path), expected)


def test_eight_bit_entries_may_be_packed_two_in_a_word(mg_file, grey_pattern):
    item = lut_item(np.arange(4096), bits=8)
    item.LUTData = (np.arange(4096) // 16).astype("u1").tobytes()
    path = mg_file(setting(ModalityLUTSequence=[item]))
    np.testing.assert_array_equal(pixels_of(path), grey_pattern // 16)


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT"])
def test_a_window_clips_nothing(mg_file, grey_pattern, function):
    path = mg_file(setting(WindowCenter=2000, WindowWidth=100, VOILUTFunction=function))
    np.testing.assert_array_equal(pixels_of(path), grey_pattern)


def test_a_sigmoid_function_is_applied(mg_file, grey_pattern):
    path = mg_file(setting(WindowCenter=2048, WindowWidth=4096, VOILUTFunction="SIGMOID"))
    expected = 1 / (1 + np.exp(-4 * (grey_pattern.astype(float) - 2048) / 4096))
    np.testing.assert_allclose(pixels_of(path), expected, rtol=1e-6)


def test_the_first_voi_lut_is_applied_after_the_modality_transform(mg_file, grey_pattern):
    roots = np.round(np.sqrt(np.arange(8192)) * 700)
    items = [lut_item(roots), lut_item(np.arange(8192))]
    path = mg_file(setting(RescaleSlope="2", VOILUTSequence=items))
    np.testing.assert_array_equal(pixels_of(path), roots[2 * grey_pattern.astype(int)])


@pytest.mark.parametrize("width", [20, 200])
def test_a_sigmoid_that_merges_grey_levels_is_left_off(mg_file, grey_pattern, width):
    path = mg_file(setting(WindowCenter=2048, WindowWidth=width, VOILUTFunction="SIGMOID"))
    np.testing.assert_array_equal(pixels_of(path), grey_pattern)


def test_a_lut_that_merges_grey_levels_still_says_which_way_is_bright(mg_file, grey_pattern):
    eight_bits_falling = 255 - np.arange(4096) // 16
    path = mg_file(setting(VOILUTSequence=[lut_item(eight_bits_falling, bits=8)]))
    np.testing.assert_array_equal(pixels_of(path), 4095 - grey_pattern)


def test_monochrome1_is_inverted_once_whatever_the_presentation_lut_says(mg_file, grey_pattern):
    for shape in ("INVERSE", "IDENTITY"):
        path = mg_file(setting(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape=shape))
        np.testing.assert_array_equal(pixels_of(path), 4095 - grey_pattern)


def test_monochrome2_with_an_inverse_presentation_lut_is_kept_and_logged(
    mg_file, grey_pattern, caplog
):
    path = mg_file(setting(PresentationLUTShape="INVERSE"))
    np.testing.assert_array_equal(pixels_of(path), grey_pattern)
    assert "inverse Presentation LUT" in caplog.text


RISING = "MONOCHROME1"  # without a sign: the grey value rises with the exposure
FALLING = "MONOCHROME2"


@pytest.mark.parametrize(
    ("relationship", "sign", "photometric", "expected"),
    [
        ("LIN", 1, RISING, "log of counts"),
        ("LIN", 1, FALLING, "log of counts"),
        ("LIN", None, RISING, "log of counts"),
        (None, None, RISING, "log of counts"),
        (None, 1, FALLING, "log of counts"),
        ("LIN", -1, FALLING, "log of what is missing"),
        ("LIN", None, FALLING, "log of what is missing"),
        ("LOG", -1, FALLING, "as it is"),
        ("LOG", None, FALLING, "as it is"),
        (None, None, FALLING, "as it is"),
        ("DISP", -1, RISING, "as it is"),
        ("LOG", 1, FALLING, "negative"),
        ("LOG", None, RISING, "negative"),
    ],
)
def test_for_processing_becomes_log_attenuation(
    mg_file, grey_pattern, relationship, sign, photometric, expected
):
    def edit(dataset):
        dataset.PresentationIntentType = "FOR PROCESSING"
        dataset.PhotometricInterpretation = photometric
        dataset.PixelIntensityRelationship = relationship
        dataset.PixelIntensityRelationshipSign = sign

    values = grey_pattern.astype(float)
    smallest = np.unique(values)[1]
    attenuation = {
        "log of counts": -np.log(np.maximum(values, smallest)),
        "log of what is missing": -np.log(np.maximum(4095 - values, np.unique(4095 - values)[1])),
        "as it is": values,
        "negative": -values,
    }
    np.testing.assert_allclose(pixels_of(mg_file(edit)), attenuation[expected], rtol=1e-6)


def test_a_dead_detector_element_is_as_dense_as_the_densest(mg_file, grey_pattern):
    counts = grey_pattern + 1000
    counts[5, 7] = 0
    path = mg_file(
        setting(
            PresentationIntentType="FOR PROCESSING",
            PixelIntensityRelationship="LIN",
            PixelIntensityRelationshipSign=1,
            BitsStored=16,
            HighBit=15,
            PixelData=counts.astype("<u2").tobytes(),
        )
    )
    pixels = pixels_of(path)
    assert pixels[5, 7] == pixels.max() == pytest.approx(-np.log(1000))


def test_an_exposure_that_is_nowhere_above_zero_is_refused(mg_file):
    path = mg_file(
        setting(
            PresentationIntentType="FOR PROCESSING",
            PixelIntensityRelationship="LIN",
            PixelIntensityRelationshipSign=1,
            RescaleSlope="-1",
        )
    )
    with pytest.raises(InputError, match=r"without any exposure above zero; export"):
        read_mammogram(path)


def test_voi_means_nothing_for_processing(mg_file, grey_pattern):
    path = mg_file(
        setting(
            PresentationIntentType="FOR PROCESSING",
            PixelIntensityRelationship="LOG",
            PixelIntensityRelationshipSign=-1,
            WindowCenter=2048,
            WindowWidth=4096,
            VOILUTFunction="SIGMOID",
        )
    )
    np.testing.assert_array_equal(pixels_of(path), grey_pattern)


@pytest.mark.parametrize(
    ("value", "limit", "lowest", "highest"),
    [(3000, None, 3000, 3000), (3000, 4095, 3000, 4095), (200, 0, 0, 200)],
)
def test_padding_is_masked_and_filled_with_the_darkest(
    mg_file, grey_pattern, value, limit, lowest, highest
):
    elements = {"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit}
    edit = setting(**{word: number for word, number in elements.items() if number is not None})
    for path in (mg_file(edit), implicit(mg_file(edit))):
        mammogram = read_mammogram(path)
        padding = (grey_pattern >= lowest) & (grey_pattern <= highest)
        assert padding.any()
        np.testing.assert_array_equal(mammogram.valid, ~padding)
        np.testing.assert_array_equal(mammogram.pixels[~padding], grey_pattern[~padding])
        assert (mammogram.pixels[padding] == grey_pattern[~padding].min()).all()


def implicit(path):
    """The file again, in implicit VR: signed or unsigned is no longer written down."""
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def test_padding_of_a_signed_image_may_be_written_as_unsigned(mg_file, grey_pattern):
    def edit(dataset):
        dataset.PixelRepresentation = 1
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelData = (grey_pattern - 2048).astype("<i2").tobytes()
        dataset.PixelPaddingValue = 65536 - 2048
        dataset["PixelPaddingValue"].VR = "US"

    mammogram = read_mammogram(mg_file(edit))
    np.testing.assert_array_equal(mammogram.valid, grey_pattern > 0)


def test_padding_of_a_monochrome1_image_turns_dark(mg_file, grey_pattern):
    path = mg_file(setting(PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0))
    mammogram = read_mammogram(path)
    padding = grey_pattern == 0
    inside = (4095 - grey_pattern)[~padding]
    assert (mammogram.pixels[padding] == inside.min()).all()


def test_padding_that_no_pixel_has_is_no_mask(mg_file):
    path = mg_file(setting(PixelPaddingValue=60000))
    assert read_mammogram(path).valid is None


def test_an_image_of_padding_alone_is_refused(mg_file):
    path = mg_file(setting(PixelPaddingValue=0, PixelPaddingRangeLimit=4095))
    with pytest.raises(InputError, match=r"all pixels are padding; check that it holds an image"):
        read_mammogram(path)


@pytest.mark.parametrize("slope", ["0", "NaN", "inf", "1e300"])
def test_a_rescale_that_leaves_nothing_is_refused(mg_file, slope):
    def edit(dataset):
        with pydicom.config.disable_value_validation():
            dataset.RescaleSlope = slope

    with pytest.raises(InputError, match=r"all pixels have the same value|NaN or infinite"):
        read_mammogram(mg_file(edit))


def test_a_damaged_lut_is_refused(mg_file):
    item = lut_item(np.arange(4096))
    item.LUTData = item.LUTData[:1000]
    with pytest.raises(InputError, match=r"look-up table has 500 of 4096 entries"):
        read_mammogram(mg_file(setting(ModalityLUTSequence=[item])))
    del item.LUTDescriptor
    with pytest.raises(InputError, match=r"look-up table is incomplete"):
        read_mammogram(mg_file(setting(ModalityLUTSequence=[item])))


def test_a_transform_left_off_is_logged(mg_file, caplog):
    caplog.set_level(logging.INFO)
    read_mammogram(mg_file(setting(WindowCenter=9, WindowWidth=2, VOILUTFunction="SIGMOID")))
    assert "VOI transform merges grey levels; left off" in caplog.text
