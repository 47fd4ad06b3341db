"""Mammograms in NRRD, MHA, NIfTI, TIFF, PNG and JPEG."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.reading import read_mammogram
from PIL import Image

ORIENTED = ["a.nrrd", "a.mha", "a.mhd", "a.nii", "a.nii.gz"]


def itk_image(pixels, spacing=(0.06, 0.05), origin=None, direction=None):
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(spacing + (1.0,) * (image.GetDimension() - 2))
    if origin:
        image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


def assert_placed_alike(mammogram, image, index_of, tolerance_mm=1e-5):
    """Compare positions of a few pixels; index_of(row, col) -> ITK's index."""
    for row, col in ((0, 0), (0, 50), (40, 0), (13, 57)):
        there = np.zeros(3)
        place = image.TransformContinuousIndexToPhysicalPoint(index_of(row, col))
        there[: len(place)] = place
        ours = mammogram.geometry.position_lps(np.array([row, col]))
        np.testing.assert_allclose(ours, there, atol=tolerance_mm)


@pytest.mark.parametrize("name", [*ORIENTED, "a.tif", "a.png"])
def test_sixteen_bits_come_back_with_their_spacing(tmp_path, grey_pattern, name):
    pixels = (grey_pattern * 15).astype(np.uint16)
    sitk.WriteImage(itk_image(pixels), str(tmp_path / name))
    mammogram = read_mammogram(tmp_path / name)
    np.testing.assert_array_equal(mammogram.pixels, pixels)
    assert mammogram.pixels.dtype == np.float32
    assert mammogram.geometry.spacing_mm == pytest.approx((0.05, 0.06))
    assert mammogram.source.spacing_from == "file header"
    assert mammogram.source.name == name
    assert mammogram.source.dicom == {}
    assert (mammogram.view, mammogram.laterality, mammogram.presentation) == (None,) * 3


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32, np.float64])
def test_every_kind_of_number_is_read(tmp_path, grey_pattern, kind):
    pixels = (grey_pattern / 4095 * 200).astype(kind)
    sitk.WriteImage(itk_image(pixels), str(tmp_path / "a.nrrd"))
    np.testing.assert_array_equal(
        read_mammogram(tmp_path / "a.nrrd").pixels, pixels.astype(np.float32)
    )


@pytest.mark.parametrize("name", ORIENTED)
def test_a_volume_of_one_slice_keeps_its_place(tmp_path, grey_pattern, name):
    turn = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]])
    image = itk_image(grey_pattern[None], origin=(10, -20, 30), direction=turn)
    sitk.WriteImage(image, str(tmp_path / name))
    mammogram = read_mammogram(tmp_path / name)
    np.testing.assert_array_equal(mammogram.pixels, grey_pattern)
    assert_placed_alike(mammogram, image, lambda row, col: (col, row, 0))
    np.testing.assert_allclose(mammogram.geometry.directions_lps, turn.T, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slice_may_lie_along_any_axis(tmp_path, grey_pattern, axis):
    image = itk_image(np.expand_dims(grey_pattern, 2 - axis))
    image.SetSpacing([3.0 if one == axis else 0.05 + one / 100 for one in range(3)])
    image.SetOrigin((1, 2, 3))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    mammogram = read_mammogram(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(mammogram.pixels, grey_pattern)
    assert mammogram.geometry.slice_thickness_mm == 3

    def index_of(row, col):
        return [*(col, row)[:axis], 0, *(col, row)[axis:]]

    assert_placed_alike(mammogram, image, index_of)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.floats(0.03, 0.19)] * 2),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    mirrored=st.booleans(),
)
def test_any_orientation_places_pixels_where_itk_does(
    tmp_path, grey_pattern, angles, spacing, origin, mirrored
):
    turn = np.reshape(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix(), (3, 3))
    if mirrored:
        turn = turn @ np.diag([1, 1, -1])
    image = itk_image(grey_pattern[None], spacing, origin, turn)
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    mammogram = read_mammogram(tmp_path / "a.nrrd")
    assert_placed_alike(mammogram, image, lambda row, col: (col, row, 0))


def test_a_flat_image_with_a_flipped_axis_keeps_its_place(tmp_path, grey_pattern):
    image = itk_image(grey_pattern, origin=(3, 4), direction=[[0, -1], [1, 0]])
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    mammogram = read_mammogram(tmp_path / "a.mha")
    assert_placed_alike(mammogram, image, lambda row, col: (col, row))
    axes = np.array(mammogram.geometry.directions_lps)
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_file_without_spacing_asks_for_it(tmp_path, grey_pattern, name):
    path = tmp_path / name
    Image.fromarray((grey_pattern // 16).astype(np.uint8)).save(path)
    with pytest.raises(InputError) as refusal:
        read_mammogram(path)
    assert str(refusal.value) == f"{name}: no pixel spacing in the file; pass --spacing-mm"
    mammogram = read_mammogram(path, (0.05, 0.06))
    assert mammogram.spacing_mm == (0.05, 0.06)
    assert mammogram.source.spacing_from == "user"


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii"])
def test_a_unit_spacing_is_unknown(tmp_path, grey_pattern, name):
    sitk.WriteImage(itk_image(grey_pattern, (1.0, 1.0)), str(tmp_path / name))
    with pytest.raises(InputError, match=rf"{name}: no pixel spacing in the file; pass --spac"):
        read_mammogram(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_resolution_for_printing_is_not_taken_for_spacing(tmp_path, grey_pattern, name):
    path = tmp_path / name
    Image.fromarray((grey_pattern // 16).astype(np.uint8)).save(path, dpi=(300, 300))
    with pytest.raises(InputError, match=r"pass --spacing-mm"):
        read_mammogram(path)


def test_the_resolution_of_a_film_digitiser_is_taken(tmp_path, grey_pattern):
    path = tmp_path / "film.tif"
    Image.fromarray(grey_pattern.astype(np.uint16)).save(path, dpi=(508, 508))
    assert read_mammogram(path).spacing_mm == pytest.approx((0.05, 0.05))


def test_an_impossible_spacing_is_refused(tmp_path, grey_pattern):
    sitk.WriteImage(itk_image(grey_pattern, (5.0, 5.0)), str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match=r"a.nrrd: spacing in the file: 5 5 mm is not .* pass"):
        read_mammogram(tmp_path / "a.nrrd")


def test_the_users_spacing_wins_and_the_disagreement_is_logged(tmp_path, grey_pattern, caplog):
    sitk.WriteImage(itk_image(grey_pattern), str(tmp_path / "a.nrrd"))
    mammogram = read_mammogram(tmp_path / "a.nrrd", (0.07, 0.07))
    assert mammogram.spacing_mm == (0.07, 0.07)
    assert "using --spacing-mm 0.07 0.07, though the file states 0.05 0.06 mm" in caplog.text


def test_a_scaled_nifti_is_not_mistaken_for_a_cut_one(tmp_path, grey_pattern):
    path = tmp_path / "a.nii"
    sitk.WriteImage(itk_image(grey_pattern.astype(np.int16)), str(path))
    content = bytearray(path.read_bytes())
    content[112:116] = np.float32(0.5).tobytes()  # scl_slope: ITK then delivers floats
    path.write_bytes(content)
    np.testing.assert_array_equal(read_mammogram(path).pixels, grey_pattern / 2)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.nrrd"])
def test_a_colour_image_is_refused(tmp_path, grey_pattern, name):
    channel = (grey_pattern // 16).astype(np.uint8)
    rgb = np.stack([channel, channel, 255 - channel], axis=-1)
    sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(tmp_path / name))
    with pytest.raises(InputError, match=rf"{name}: a colour image .*convert it to one grey"):
        read_mammogram(tmp_path / name, (0.05, 0.05))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.nrrd"])
def test_grey_saved_as_colour_is_read_as_grey(tmp_path, grey_pattern, name):
    channel = (grey_pattern // 16).astype(np.uint8)
    rgb = np.stack([channel] * 3, axis=-1)
    sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(tmp_path / name))
    read = read_mammogram(tmp_path / name, (0.05, 0.05))
    np.testing.assert_array_equal(read.pixels, channel)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.tif"])
def test_a_volume_of_several_slices_is_refused(tmp_path, grey_pattern, name):
    stack = np.stack([grey_pattern, grey_pattern]).astype(np.uint16)
    sitk.WriteImage(itk_image(stack), str(tmp_path / name))
    with pytest.raises(InputError, match=rf"{name}: a volume of 80 x 64 x 2 pixels .*single 2-D"):
        read_mammogram(tmp_path / name, (0.05, 0.05))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_pixels_that_are_not_finite_are_refused(tmp_path, grey_pattern, bad):
    pixels = grey_pattern.astype(np.float64)
    pixels[3, 4] = bad
    sitk.WriteImage(itk_image(pixels), str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match=r"a.nrrd: some pixels are NaN or infinite; replace"):
        read_mammogram(tmp_path / "a.nrrd")


def test_a_constant_image_is_refused(tmp_path):
    sitk.WriteImage(itk_image(np.full((64, 80), 7.0)), str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match=r"a.nrrd: all pixels have the same value.*check that"):
        read_mammogram(tmp_path / "a.nrrd")


@pytest.mark.parametrize(("shape", "accepted"), [((49, 49), True), ((48, 80), False)])
def test_an_image_smaller_than_a_patch_is_refused(tmp_path, shape, accepted):
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    sitk.WriteImage(itk_image(pixels), str(tmp_path / "a.nrrd"))
    if accepted:
        assert read_mammogram(tmp_path / "a.nrrd").pixels.shape == shape
        return
    with pytest.raises(InputError, match=r"48 x 80 pixels is smaller than one patch of 49 x 49;"):
        read_mammogram(tmp_path / "a.nrrd")


def test_a_header_that_claims_too_much_is_refused_before_anything_is_read(tmp_path):
    header = "NRRD0004\ntype: short\ndimension: 2\nsizes: 60000 60000\nencoding: raw\n"
    (tmp_path / "a.nrrd").write_text(header + "spacings: 0.05 0.05\nendian: little\n\n")
    with pytest.raises(InputError, match=r"claims 60000 x 60000 pixels, more than any mammogram"):
        read_mammogram(tmp_path / "a.nrrd")


@pytest.mark.parametrize(
    "name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz", "a.tif", "a.png", "a.jpg"]
)
def test_a_cut_file_is_refused(tmp_path, grey_pattern, name, capfd):
    path = tmp_path / name
    pixels = (grey_pattern // 16).astype(np.uint8)
    sitk.WriteImage(itk_image(pixels), str(path))
    whole = path.read_bytes()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match=rf"{name}: .*(cut short|not an image)"):
            read_mammogram(path, (0.05, 0.05))
    assert capfd.readouterr().out == ""


def test_a_cut_data_file_beside_its_header_is_refused(tmp_path, grey_pattern):
    sitk.WriteImage(itk_image(grey_pattern), str(tmp_path / "a.mhd"))
    (tmp_path / "a.raw").write_bytes((tmp_path / "a.raw").read_bytes()[:5000])
    with pytest.raises(InputError, match=r"a.mhd: MHA that is cut short or damaged; copy"):
        read_mammogram(tmp_path / "a.mhd")
    (tmp_path / "a.raw").unlink()
    with pytest.raises(InputError, match=r"a.mhd: MHA that is cut short or damaged; copy"):
        read_mammogram(tmp_path / "a.mhd")
