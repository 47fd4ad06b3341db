"""What counts as a mask, and whether it lies where its image does."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dataset_files import drop_spacing, only, write_image, write_nrrd, write_segmentation
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.training.datasets import open_dataset
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from scipy.ndimage import gaussian_filter, label


@pytest.fixture
def image(tmp_path, make_breast):
    """(folder, mammogram, mask) of one DICOM image, left.dcm, that has no mask yet."""
    mammogram, mask = make_breast(1)
    write_image(tmp_path / "left.dcm", mammogram)
    return tmp_path, mammogram, mask


def loaded(folder):
    return only(open_dataset(folder)).load()


def refusal(folder):
    with pytest.raises(InputError) as caught:
        loaded(folder)
    return str(caught.value)


def save(values, path, **how):
    Image.fromarray(values).save(path, **how)


def test_a_mask_s_transparency_counts_for_nothing(image):
    folder, _, mask = image
    colours = np.zeros((*mask.shape, 4), np.uint8)
    colours[..., 3], colours[mask, 0] = 255, 255
    save(colours, folder / "left_mask.png")
    assert (loaded(folder).mask == mask).all()


def test_a_mask_of_transparency_alone_is_refused(image):
    folder, _, mask = image
    colours = np.zeros((*mask.shape, 4), np.uint8)
    colours[mask, 3] = 255
    save(colours, folder / "left_mask.png")
    assert refusal(folder).startswith("left_mask.png: marked by transparency alone; save the mask")


def test_a_segmentation_whose_segments_have_no_numbers_is_refused(image):
    folder, _, mask = image
    tags = {"Segment0_Name": "Breast", "Segment0_LabelValue": "x"}
    write_nrrd(folder / "left.seg.nrrd", mask.astype(np.uint8), tags=tags)
    assert refusal(folder).startswith("left.seg.nrrd: the numbers of its segments cannot be read;")


def test_a_jpeg_is_refused_as_a_mask_whatever_it_is_called(image):
    folder, _, mask = image
    save(mask.astype(np.uint8) * 255, folder / "left_mask.jpg")
    assert refusal(folder).startswith("left_mask.jpg: JPEG changes the pixels around what is")
    (folder / "left_mask.jpg").rename(folder / "left_mask.png")
    assert "save the mask as PNG" in refusal(folder)


@pytest.mark.parametrize("kind", ["the image", "soft edges", "through JPEG", "probabilities"])
def test_a_picture_is_refused_as_a_mask(image, kind):
    folder, mammogram, mask = image
    path = folder / "left_mask.nrrd"
    soft = gaussian_filter(mask.astype(np.float32), 1.0)
    if kind == "the image":
        write_nrrd(path, mammogram.pixels.astype(np.uint16))
    elif kind == "soft edges":
        write_nrrd(path, np.round(255 * soft).astype(np.uint8))
    elif kind == "probabilities":
        write_nrrd(path, np.where(soft > 0.01, soft, 0))
    else:
        save(mask.astype(np.uint8) * 255, folder / "lossy.jpg")
        values = np.array(Image.open(folder / "lossy.jpg"))
        (folder / "lossy.jpg").unlink()
        write_nrrd(path, values)
    assert refusal(folder).startswith("left_mask.nrrd: a picture of many grey values")


@pytest.mark.parametrize("ending", ["_mask.nrrd", "_mask.png", ".seg.nrrd"])
def test_labels_of_several_mcs_are_one_mask(image, ending):
    folder, _, mask = image
    labels = label(mask)[0].astype(np.uint8)
    labels[(labels == 1) & (np.arange(mask.shape[0]) % 2 == 0)[:, None]] = 200  # it touches 1
    if ending == "_mask.png":
        save(labels, folder / f"left{ending}")
    else:
        write_nrrd(folder / f"left{ending}", labels)
    assert (loaded(folder).mask == mask).all()


def test_a_fractional_segmentation_counts_where_it_is_half_full(image):
    folder, _, mask = image
    full = np.where(mask, 200, 0).astype(np.uint8)
    full[mask & (np.arange(mask.shape[1]) % 2 == 0)] = 100
    full[~mask & (gaussian_filter(full.astype(float), 2) > 1)] = 99
    edit = fractional(full)
    write_segmentation(folder / "x.dcm", {"MC": mask}, folder / "left.dcm", edit)
    assert (loaded(folder).mask == mask).all()


def fractional(values, most=200):
    """An edit of a DICOM segmentation: its one frame holds these fractions."""

    def edit(dataset):
        dataset.SegmentationType, dataset.SegmentationFractionalType = "FRACTIONAL", "OCCUPANCY"
        dataset.MaximumFractionalValue = most
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelData = values.tobytes()

    return edit


@pytest.mark.parametrize("ending", ["nrrd", "mha", "nii.gz", "nii"])
def test_a_mask_of_another_spacing_or_place_is_refused_in_every_format(image, ending):
    folder, _, mask = image
    path = folder / f"left_mask.{ending}"
    values = mask.astype(np.uint8)
    write_nrrd(path, values, 0.05)
    assert "the mask's spacing is 0.05 x 0.05 mm, its image's 0.1 x 0.1 mm" in refusal(folder)
    write_nrrd(path, values, origin=(20.0, 0.0, 0.0))
    assert refusal(folder).startswith(f"left_mask.{ending}: the mask lies 20 mm beside its image;")
    write_nrrd(path, values, origin=(0.0, 0.05, 0.0))
    assert (loaded(folder).mask == mask).all()


def test_a_mask_that_is_turned_against_its_image_is_refused(image):
    folder, _, mask = image
    turned = sitk.GetImageFromArray(mask.astype(np.uint8)[None])
    turned.SetSpacing((0.1, 0.1, 1.0))
    turned.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, -1))
    sitk.WriteImage(turned, str(folder / "left_mask.nrrd"))
    assert refusal(folder).startswith("left_mask.nrrd: the mask is turned against its image;")


def test_a_mask_whose_file_says_nothing_of_its_place_is_taken_by_index(image):
    folder, mammogram, mask = image
    (folder / "left.dcm").unlink()
    write_nrrd(folder / "left.nrrd", mammogram.pixels, origin=(12.0, -3.0, 0.0))
    write_nrrd(folder / "left_mask.mha", mask.astype(np.uint8), 1.0)
    assert (loaded(folder).mask == mask).all()


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        (("PixelMeasuresSequence", "PixelSpacing", [0.05, 0.05]), "spacing is 0.05 x 0.05 mm"),
        (("PlanePositionSequence", "ImagePositionPatient", [0, 20, 0]), "lies 20 mm beside"),
    ],
)
def test_a_dicom_segmentation_of_another_spacing_or_place_is_refused(image, measured, says):
    folder, _, mask = image
    sequence, keyword, value = measured

    def edit(dataset):
        group, item = Dataset(), Dataset()
        setattr(item, keyword, value)
        setattr(group, sequence, Sequence([item]))
        dataset.SharedFunctionalGroupsSequence = Sequence([group])

    write_segmentation(folder / "x.dcm", {"MC": mask}, folder / "left.dcm", edit)
    assert says in refusal(folder)


def test_a_segmentation_drawn_on_an_image_without_spacing_is_placed_by_index(image):
    folder, _, mask = image
    drop_spacing(folder / "left.dcm")
    write_nrrd(folder / "left.seg.nrrd", mask[30:].astype(np.uint8), 1.0, (0.0, 30.0, 0.0))
    (drawn,) = open_dataset(folder, spacing_mm=(0.1, 0.1)).images
    assert (drawn.load().mask == mask).all()
    write_nrrd(folder / "left.seg.nrrd", mask.astype(np.uint8), 1.0, (0.0, 300.0, 0.0))
    with pytest.raises(InputError, match="marked pixels lie outside the image"):
        drawn.load()


def test_a_mask_may_be_measured_in_a_magnified_breast(image):
    folder, mammogram, mask = image
    write_image(folder / "left.dcm", replace(mammogram, magnification=1.5))
    dataset = pydicom.dcmread(folder / "left.dcm")
    dataset.EstimatedRadiographicMagnificationFactor = 1.5
    dataset.save_as(folder / "left.dcm")
    for spacing_mm in (0.1, 0.1 / 1.5):
        write_nrrd(folder / "left_mask.nrrd", mask.astype(np.uint8), spacing_mm)
        assert (loaded(folder).mask == mask).all()
