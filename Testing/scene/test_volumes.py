"""Slicer's volume nodes as mammograms, and what is refused."""

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.reading import read_mammogram
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg

SHAPE = (80, 70)


@pytest.fixture
def volumes(slicer):
    from MicrocalcSegmentationLib.mrml import volumes

    return volumes


def mammogram_of(*arguments):
    from MicrocalcSegmentationLib.mrml import loading  # knows Slicer, which may not be there

    return loading.mammogram_of(*arguments)


@pytest.fixture
def volume(mrml, slicer):
    return make_volume(mrml, slicer, noise())


def noise():
    return np.random.default_rng(3).integers(0, 4000, SHAPE).astype(np.int16)


def make_volume(mrml, slicer, values, spacing=(0.05, 0.09)):
    """A volume as Slicer's own functions make it; spacing is (column, row)."""
    node = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "film")
    slicer.util.updateVolumeFromArray(node, values[None] if values.ndim == 2 else values)
    node.SetSpacing(*spacing, 1.0)
    return node


def state(scene):
    return scene.GetNumberOfNodes(), [
        scene.GetNthNode(n).GetMTime() for n in range(scene.GetNumberOfNodes())
    ]


def test_pixels_and_spacing_are_the_volumes_own(volumes, volume):
    mammogram = mammogram_of(volume)
    np.testing.assert_array_equal(mammogram.pixels, noise())
    assert mammogram.pixels.dtype == np.float32
    assert mammogram.spacing_mm == pytest.approx((0.09, 0.05))
    assert mammogram.source.name == "film"
    assert mammogram.source.spacing_from == "volume"


def test_the_scene_is_not_touched_by_reading(volumes, volume, mrml):
    before = state(mrml.scene)
    mammogram_of(volume).pixels[:] = 0
    assert state(mrml.scene) == before
    np.testing.assert_array_equal(volumes.pixels_of(volume), noise())


MATRICES = {
    "plain": [[0.05, 0, 0, 1], [0, 0.09, 0, 2], [0, 0, 1, 3]],
    "flipped": [[-0.05, 0, 0, 12], [0, -0.05, 0, -7], [0, 0, 1, 0]],
    "sheared": [[0.05, 0.01, 0, -3], [0, 0.09, 0, 5], [0, 0.002, 1, 9]],
    "sagittal": [[0, 0, 1, 4], [0.06, 0, 0, 5], [0, -0.05, 0, 6]],
}


def matrix_of(vtk, rows):
    matrix = vtk.vtkMatrix4x4()
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            matrix.SetElement(i, j, value)
    return matrix


@pytest.mark.parametrize("rows", MATRICES.values(), ids=MATRICES)
def test_a_pixel_lies_where_slicers_matrix_puts_it(volumes, volume, rows):
    import vtk

    matrix = matrix_of(vtk, rows)
    volume.SetIJKToRASMatrix(matrix)
    geometry = mammogram_of(volume).geometry
    back = volumes.ijk_to_ras(geometry)
    for row, col in ((0, 0), (17, 5), (79, 69)):
        expected = matrix.MultiplyPoint((col, row, 0, 1))[:3]
        np.testing.assert_allclose(volumes.ras_of(geometry, [row, col]), expected, atol=1e-9)
        np.testing.assert_allclose(back.MultiplyPoint((col, row, 0, 1))[:3], expected, atol=1e-9)


@pytest.mark.parametrize("presentation", ["FOR PRESENTATION", "FOR PROCESSING"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_dicom_volume_gives_what_the_file_gives(
    volumes, mrml, tmp_path, presentation, photometric
):
    values = np.random.default_rng(1).uniform(0.1, 4.0, SHAPE).astype(np.float32)
    drawn = Mammogram(
        values,
        Geometry((0.09, 0.05)),
        Source("x"),
        view="MLO",
        laterality="R",
        presentation=presentation,
    )
    path = tmp_path / "image.dcm"
    write_dicom_mg(path, drawn, Encoding(photometric=photometric))
    volume = mrml.Volumes.AddArchetypeVolume(str(path), "image", 4)
    ours, files = mammogram_of(volume), read_mammogram(path)
    np.testing.assert_allclose(ours.pixels, files.pixels, atol=2e-6)
    assert np.corrcoef(ours.pixels.ravel(), values.ravel())[0, 1] > 0.999
    assert (ours.view, ours.laterality, ours.presentation) == ("MLO", "R", presentation)
    assert ours.source.dicom == files.source.dicom
    assert ours.source.dicom["SOPInstanceUID"]
    np.testing.assert_allclose(
        ours.geometry.position_lps([11, 23]), files.geometry.position_lps([11, 23]), atol=1e-9
    )


def test_padding_of_an_inverted_file_is_no_image(volumes, mrml, tmp_path):
    values = np.random.default_rng(1).uniform(1, 4, SHAPE).astype(np.float32)
    valid = np.ones(SHAPE, bool)
    valid[:, 60:] = False
    drawn = Mammogram(values, Geometry((0.05, 0.05)), Source("x"), valid=valid)
    path = tmp_path / "image.dcm"
    write_dicom_mg(path, drawn, Encoding(photometric="MONOCHROME1"))
    volume = mrml.Volumes.AddArchetypeVolume(str(path), "image", 4)
    ours, files = mammogram_of(volume), read_mammogram(path)
    np.testing.assert_array_equal(files.valid, valid)
    np.testing.assert_array_equal(ours.valid, valid)
    np.testing.assert_allclose(ours.pixels, files.pixels)


def test_a_volume_of_slicers_database_is_looked_up_there(volumes, volume, tmp_path):
    path = tmp_path / "stored"
    drawn = Mammogram(
        noise().astype(np.float32), Geometry((0.09, 0.05)), Source("x"), view="CC", laterality="L"
    )
    write_dicom_mg(path, drawn, Encoding())
    volume.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    asked = []
    mammogram = mammogram_of(volume, lambda uid: asked.append(uid) or str(path))
    assert asked == ["1.2.3"]
    assert (mammogram.view, mammogram.laterality) == ("CC", "L")


def test_a_spacing_given_by_the_user_is_the_volumes_from_then_on(volumes, mrml, slicer):
    volume = make_volume(mrml, slicer, noise(), (1.0, 1.0))
    volumes.set_spacing(volume, (0.07, 0.05))
    assert mammogram_of(volume).spacing_mm == pytest.approx((0.07, 0.05))
    with pytest.raises(InputError, match=r"5 x 5 mm is no mammogram's pixel spacing; give 0.02"):
        volumes.set_spacing(volume, (5.0, 5.0))
    assert volume.GetSpacing()[:2] == pytest.approx((0.05, 0.07))


def refused(mrml, slicer, kind):
    """A node that is no usable mammogram."""
    if kind == "none":
        return None
    if kind == "no image":
        return mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "film")
    if kind == "label map":
        return mrml.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "film")
    if kind == "colour":
        node = mrml.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "film")
        slicer.util.updateVolumeFromArray(node, np.zeros((1, *SHAPE, 3), np.uint8))
        return node
    values = {
        "slices": np.stack([noise()] * 3),
        "constant": np.full(SHAPE, 7, np.int16),
        "not finite": np.where(noise() > 3900, np.nan, noise()).astype(np.float32),
        "small": noise()[:30],
    }.get(kind, noise())
    spacing = {"no spacing": (1.0, 1.0), "wide": (0.7, 0.7)}.get(kind, (0.05, 0.05))
    return make_volume(mrml, slicer, values, spacing)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    {
        "none": "no volume is chosen; load a mammogram and choose it",
        "no image": "film: the volume holds no image; load it again",
        "label map": "film: not a grey image; choose the mammogram itself",
        "colour": "film: a colour image; mammograms are grey",
        "slices": "film: 3 slices or frames .tomosynthesis.*; choose a 2-D mammogram",
        "constant": "film: all pixels have the same value",
        "not finite": "film: some pixels are NaN or infinite",
        "small": "film: 30 x 70 pixels is smaller than one patch",
        "no spacing": "film: its file states no pixel spacing .*; enter the true spacing",
        "wide": "film: pixels of 0.7 x 0.7 mm, which no mammogram has .*enter its true spacing",
    }.items(),
)
def test_what_is_no_mammogram_is_refused_in_one_sentence(volumes, mrml, slicer, kind, sentence):
    if kind == "colour":
        sentence = "film: (not a grey|a colour) image"
    node = refused(mrml, slicer, kind)
    before = state(mrml.scene)
    with pytest.raises(InputError, match=sentence) as caught:
        mammogram_of(node)
    assert "\n" not in str(caught.value)
    assert state(mrml.scene) == before


@pytest.mark.parametrize(
    ("rows", "fits"),
    [
        ([[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7]], True),
        ([[1.2, 0, 0, 0], [0, 1.2, 0, 0], [0, 0, 1, 0]], False),
    ],
    ids=["turned", "scaled"],
)
def test_a_volume_may_be_turned_by_a_transform_but_not_scaled(volumes, volume, mrml, rows, fits):
    import vtk

    transform = mrml.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "registration")
    transform.SetMatrixTransformToParent(matrix_of(vtk, rows))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    if fits:
        assert mammogram_of(volume).spacing_mm == pytest.approx((0.09, 0.05))
    else:
        with pytest.raises(InputError, match=r"under the transform registration.*harden or remove"):
            mammogram_of(volume)
