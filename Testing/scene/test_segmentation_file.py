"""The written `.seg.nrrd`, read by Slicer's own storage node, by slicerio and by ITK."""

import numpy as np
import pydicom
import pytest
import SimpleITK
import slicerio
from MicrocalcSegmentationLib.export.nrrd import write_segmentation
from MicrocalcSegmentationLib.export.segments import cluster_colour
from MicrocalcSegmentationLib.geometry import Geometry
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

COS, SIN = np.cos(0.3), np.sin(0.3)
GEOMETRIES = {
    "plain": Geometry((0.1, 0.1)),
    "anisotropic": Geometry((0.1, 0.04), origin_lps=(12.5, -80.25, 33.0)),
    "flipped": Geometry(
        (0.07, 0.05),
        origin_lps=(-3.0, 250.0, 7.5),
        directions_lps=((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    ),
    "sagittal": Geometry(
        (0.05, 0.06),
        origin_lps=(1.0, 2.0, 3.0),
        directions_lps=((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)),
    ),
    "rotated": Geometry(
        (0.08, 0.05),
        origin_lps=(-40.0, 10.0, 5.0),
        directions_lps=((COS, SIN, 0.0), (-SIN, COS, 0.0), (0.0, 0.0, 1.0)),
        slice_thickness_mm=2.5,
    ),
}


@pytest.fixture(params=GEOMETRIES)
def geometry(request):
    return GEOMETRIES[request.param]


def write_image(findings, path):
    """The mammogram's pixels as ITK writes them: a reference that knows nothing of us."""
    geometry = findings.mammogram.geometry
    image = SimpleITK.GetImageFromArray(findings.mammogram.pixels[None])
    row_mm, col_mm = geometry.spacing_mm
    image.SetSpacing((col_mm, row_mm, geometry.slice_thickness_mm))
    image.SetOrigin(geometry.origin_lps)
    image.SetDirection(np.array(geometry.directions_lps).T.ravel())
    SimpleITK.WriteImage(image, str(path))


def load_volume(mrml, path):
    volume = mrml.Volumes.AddArchetypeVolume(str(path), "image")
    assert volume is not None
    return volume


def load_segmentation(mrml, slicer, path):
    node = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    mrml.scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return node


def ijk_to_ras(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def pixels_of_segment(slicer, node, segment_id, volume):
    """(row, col) of the segment's pixels in the volume's own grid, as Slicer resamples them."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    reference = slicer.vtkOrientedImageData()
    reference.SetExtent(volume.GetImageData().GetExtent())
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    reference.SetImageToWorldMatrix(matrix)
    labelmap = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    resampled = slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample
    assert resample.ResampleOrientedImageToReferenceOrientedImage(labelmap, reference, resampled)
    extent = resampled.GetExtent()
    values = vtk_to_numpy(resampled.GetPointData().GetScalars())
    values = values.reshape(extent[3] - extent[2] + 1, extent[1] - extent[0] + 1)
    rows, cols = np.nonzero(values)
    return set(zip((rows + extent[2]).tolist(), (cols + extent[0]).tolist(), strict=True))


def pixels_of(findings, cluster):
    numbers = [mc.number for mc in findings.calcifications if mc.cluster == cluster]
    return {tuple(at) for at in np.argwhere(np.isin(findings.labels, numbers)).tolist()}


def test_segments_lie_on_the_image_pixel_by_pixel(mrml, slicer, tmp_path, make_findings, geometry):
    findings = make_findings(geometry=geometry)
    write_image(findings, tmp_path / "image.nrrd")
    write_segmentation(findings, tmp_path / "image.seg.nrrd")
    volume = load_volume(mrml, tmp_path / "image.nrrd")
    node = load_segmentation(mrml, slicer, tmp_path / "image.seg.nrrd")
    for segment_id, cluster in (("Segment_1", 1), ("Segment_2", 2), ("Segment_3", 0)):
        expected = pixels_of(findings, cluster)
        assert len(expected) >= 18
        assert pixels_of_segment(slicer, node, segment_id, volume) == expected


def test_segment_of_one_mc_has_its_centre_where_slicer_puts_the_pixel(
    mrml, slicer, tmp_path, make_findings, geometry
):
    row, col = 37, 61
    findings = make_findings({}, [(row, col)], geometry)
    write_image(findings, tmp_path / "image.nrrd")
    write_segmentation(findings, tmp_path / "image.seg.nrrd")
    volume = load_volume(mrml, tmp_path / "image.nrrd")
    expected = (ijk_to_ras(volume) @ (col, row, 0, 1))[:3]
    node = load_segmentation(mrml, slicer, tmp_path / "image.seg.nrrd")
    np.testing.assert_allclose(node.GetSegmentCenterRAS("Segment_1"), expected, atol=1e-5)


def test_dicom_mammogram_loaded_by_slicer_lies_under_its_segments(
    mrml, slicer, tmp_path, make_findings
):
    findings = make_findings(geometry=Geometry((0.09, 0.05)))
    write_dicom(findings.mammogram, tmp_path / "image.dcm")
    write_segmentation(findings, tmp_path / "image.seg.nrrd")
    volume = load_volume(mrml, tmp_path / "image.dcm")
    np.testing.assert_allclose(np.diag(ijk_to_ras(volume))[:2], (-0.05, -0.09), atol=1e-9)
    node = load_segmentation(mrml, slicer, tmp_path / "image.seg.nrrd")
    assert pixels_of_segment(slicer, node, "Segment_1", volume) == pixels_of(findings, 1)


def write_dicom(mammogram, path):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["segmentation file"])
    dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "MG"
    dataset.Rows, dataset.Columns = mammogram.pixels.shape
    dataset.ImagerPixelSpacing = list(mammogram.geometry.spacing_mm)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = mammogram.pixels.astype("<u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)


def test_names_colours_and_terminology_are_read_back(mrml, slicer, tmp_path, make_findings):
    import vtk

    findings = make_findings(laterality="R")
    write_segmentation(findings, tmp_path / "image.seg.nrrd")
    segmentation = load_segmentation(mrml, slicer, tmp_path / "image.seg.nrrd").GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    assert ids == ["Segment_1", "Segment_2", "Segment_3"]
    names = [segmentation.GetSegment(segment_id).GetName() for segment_id in ids]
    assert names == ["Cluster 1 (6 MCs)", "Cluster 2 (7 MCs)", "Isolated (2 MCs)"]
    for segment_id, cluster, code in (
        ("Segment_1", 1, "SCT^129769006^Calcification Cluster"),
        ("Segment_3", 0, "SCT^129770007^Individual Calcification"),
    ):
        segment = segmentation.GetSegment(segment_id)
        np.testing.assert_allclose(segment.GetColor(), cluster_colour(cluster), atol=1e-5)
        text = vtk.reference("")
        assert segment.GetTag("TerminologyEntry", text)
        parts = str(text).split("~")
        assert parts[2] == code
        assert parts[5:] == ["SCT^76752008^Breast", "SCT^24028007^Right"]


def test_findings_without_mcs_load_as_an_empty_segmentation(mrml, slicer, tmp_path, make_findings):
    write_segmentation(make_findings({}, []), tmp_path / "none.seg.nrrd")
    node = load_segmentation(mrml, slicer, tmp_path / "none.seg.nrrd")
    assert node.GetSegmentation().GetNumberOfSegments() == 0


def test_slicerio_reads_the_same_segments(tmp_path, make_findings, geometry):
    findings = make_findings(geometry=geometry)
    write_segmentation(findings, tmp_path / "image.seg.nrrd")
    read = slicerio.read_segmentation(str(tmp_path / "image.seg.nrrd"))
    assert [segment["name"] for segment in read["segments"]] == [
        "Cluster 1 (6 MCs)",
        "Cluster 2 (7 MCs)",
        "Isolated (2 MCs)",
    ]
    assert read["segments"][0]["terminology"]["anatomicRegion"] == ["SCT", "76752008", "Breast"]
    mask = read["voxels"][:, :, 0].T  # slicerio's axes are (col, row, slice)
    np.testing.assert_array_equal(mask > 0, findings.mask)
    mc = findings.calcifications[3]
    position = (read["ijkToLPS"] @ (mc.col, mc.row, 0, 1))[:3]
    np.testing.assert_allclose(position, geometry.position_lps([mc.row, mc.col]), atol=1e-9)


def test_itk_reads_the_grid_of_the_image(tmp_path, make_findings, geometry):
    findings = make_findings(geometry=geometry)
    write_image(findings, tmp_path / "image.nrrd")
    write_segmentation(findings, tmp_path / "image.seg.nrrd")
    image = SimpleITK.ReadImage(str(tmp_path / "image.nrrd"))
    mask = SimpleITK.ReadImage(str(tmp_path / "image.seg.nrrd"))
    assert mask.GetSize() == image.GetSize()
    for corner in ((0, 0, 0), (image.GetWidth() - 1, image.GetHeight() - 1, 0)):
        np.testing.assert_allclose(
            mask.TransformIndexToPhysicalPoint(corner),
            image.TransformIndexToPhysicalPoint(corner),
            atol=1e-6,
        )
