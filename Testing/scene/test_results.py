"""Findings as nodes of a real scene: where they lie, what they say, how they are replaced."""

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.export.nrrd import terminology_entry
from MicrocalcSegmentationLib.export.segments import CALCIFICATION_CLUSTER, cluster_colour
from MicrocalcSegmentationLib.geometry import Geometry

# Not orthogonal on purpose: what holds here holds on any grid.
SHEARED = ((0.98, 0.199, 0.0), (-0.05, 0.9987, 0.01), (0.0, 0.0, 1.0))
GEOMETRIES = {
    "anisotropic": Geometry((0.1, 0.04), (12.5, -80.25, 33.0)),
    "flipped": Geometry((0.07, 0.05), (-3.0, 250.0, 7.5), ((-1, 0, 0), (0, -1, 0), (0, 0, 1))),
    "sheared": Geometry((0.08, 0.05), (-40.0, 10.0, 5.0), SHEARED),
}


@pytest.fixture
def results(slicer):
    from MicrocalcSegmentationLib.mrml import results

    return results


@pytest.fixture
def loaded(mrml, slicer):
    """A function (findings, name) -> volume node with the findings' image."""
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    def load(findings, name="film"):
        mammogram = findings.mammogram
        volume = add_volume(mrml.scene, mammogram.pixels, mammogram.geometry, name)
        volume.CreateDefaultDisplayNodes()
        return volume

    return load


def node_ids(scene):
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def items_of(scene, parent=None):
    """Item -> name, of everything below an item of the subject hierarchy."""
    import slicer
    import vtk

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    ids = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent or hierarchy.GetSceneItemID(), ids, True)
    return {
        ids.GetId(index): hierarchy.GetItemName(ids.GetId(index))
        for index in range(ids.GetNumberOfIds())
    }


def pixels_of_segment(slicer, node, segment, volume):
    """(rows, cols) bool of a segment on the volume's grid, by Slicer's own export.

    Nothing of ours takes part in where the pixels come to lie.
    """
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segment)
    labels = node.GetScene().AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.ExportSegmentsToLabelmapNode(node, ids, labels, volume)
    image = labels.GetImageData()
    cols, rows, _ = image.GetDimensions()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, cols) > 0
    node.GetScene().RemoveNode(labels)
    return values


def draw(slicer, node, segment, mask, geometry):
    """Put a (rows, cols) bool mask into a new segment, as an effect of Segment Editor does."""
    from MicrocalcSegmentationLib.mrml.volumes import ijk_to_ras
    from vtk.util.numpy_support import numpy_to_vtk

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(mask.shape[1], mask.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
    image.SetGeometryFromImageToWorldMatrix(ijk_to_ras(geometry))
    node.GetSegmentation().AddEmptySegment(segment)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(image, node, segment)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_every_point_lies_on_its_pixel_of_the_volume(
    results, mrml, make_findings, loaded, geometry
):
    import vtk

    findings = make_findings(geometry=geometry)
    volume = loaded(findings)
    written = results.write_results(mrml.scene, volume, findings)
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    places = {}
    for node in written.points.values():
        for index in range(node.GetNumberOfControlPoints()):
            label = node.GetNthControlPointLabel(index)
            places[label] = node.GetNthControlPointPositionWorld(index)
    assert len(places) == 15
    for mc in findings.calcifications:
        expected = matrix.MultiplyPoint((mc.col, mc.row, 0, 1))[:3]
        np.testing.assert_allclose(places[f"MC {mc.number}"], expected, atol=1e-5)
    for index, cluster in enumerate(findings.clusters):
        expected = matrix.MultiplyPoint((cluster.col, cluster.row, 0, 1))[:3]
        centre = written.centres.GetNthControlPointPositionWorld(index)
        np.testing.assert_allclose(centre, expected, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_every_segment_covers_its_pixels_of_the_volume(
    results, mrml, slicer, make_findings, loaded, geometry
):
    findings = make_findings(geometry=geometry)
    volume = loaded(findings)
    node = results.write_results(mrml.scene, volume, findings).segmentation
    for segment, cluster in (("Cluster_1", 1), ("Cluster_2", 2), ("Isolated", 0)):
        numbers = [mc.number for mc in findings.calcifications if mc.cluster == cluster]
        shown = pixels_of_segment(slicer, node, segment, volume)
        np.testing.assert_array_equal(shown, np.isin(findings.labels, numbers))


def test_segments_have_name_colour_and_code(results, mrml, make_findings, loaded):
    findings = make_findings(laterality="L")
    node = results.write_results(mrml.scene, loaded(findings), findings).segmentation
    segmentation = node.GetSegmentation()
    segment = segmentation.GetSegment("Cluster_2")
    assert segment.GetName() == "Cluster 2 (7 MCs)"
    np.testing.assert_allclose(segment.GetColor(), cluster_colour(2))
    assert segment.GetTerminology() == terminology_entry(CALCIFICATION_CLUSTER, "L")
    assert segmentation.GetNumberOfLayers() == 1
    reference = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    assert reference.GetName() == "film"


def test_points_are_named_described_and_coloured(results, mrml, make_findings, loaded):
    findings = make_findings()
    written = results.write_results(mrml.scene, loaded(findings), findings)
    assert written.centres.GetNthControlPointLabel(1).startswith("Cluster 2: 7 MCs, ")
    assert written.centres.GetNthControlPointDescription(1).startswith("area ")
    points = written.points[2]
    assert points.GetName() == "Cluster 2 (7 MCs)"
    assert points.GetNumberOfControlPoints() == 7
    assert points.GetNthControlPointDescription(0).startswith("diameter 0.34 mm")
    np.testing.assert_allclose(points.GetDisplayNode().GetSelectedColor(), cluster_colour(2))
    assert points.GetLocked()


def test_tables_hold_a_row_per_cluster_and_per_mc(results, mrml, make_findings, loaded):
    findings = make_findings()
    written = results.write_results(mrml.scene, loaded(findings), findings)
    clusters, mcs = written.clusters.GetTable(), written.calcifications.GetTable()
    assert (clusters.GetNumberOfRows(), mcs.GetNumberOfRows()) == (2, 15)
    assert clusters.GetValueByName(1, "count").ToInt() == 7
    area = clusters.GetValueByName(0, "area_mm2").ToDouble()
    assert area == pytest.approx(findings.clusters[0].area_mm2, abs=1e-3)
    assert clusters.GetValueByName(0, "distribution").ToString() == "grouped"
    assert mcs.GetValueByName(14, "cluster").ToInt() == 0


def test_the_probability_is_a_volume_on_the_same_grid(results, mrml, make_findings, loaded):
    from MicrocalcSegmentationLib.mrml.volumes import geometry_of, pixels_of

    findings = make_findings(geometry=GEOMETRIES["sheared"])
    volume = loaded(findings)
    assert results.write_results(mrml.scene, volume, findings).probability is None
    probability = results.write_results(mrml.scene, volume, findings, True).probability
    np.testing.assert_array_equal(pixels_of(probability), findings.probability)
    rows_cols = [30, 41]
    np.testing.assert_allclose(
        geometry_of(probability).position_lps(rows_cols),
        geometry_of(volume).position_lps(rows_cols),
        atol=1e-9,
    )


def test_everything_lies_in_one_folder_beside_the_volume(results, mrml, make_findings, loaded):
    findings = make_findings()
    written = results.write_results(mrml.scene, loaded(findings), findings, True)
    inside = items_of(mrml.scene, written.folder)
    assert sorted(inside.values()) == sorted(node.GetName() for node in written.nodes())
    assert len(inside) == 8
    assert items_of(mrml.scene)[written.folder] == "film microcalcifications"


def test_a_second_run_replaces_the_first_and_nothing_else(results, mrml, make_findings, loaded):
    findings, other = make_findings(), make_findings({}, [(60, 50)])
    volume, second = loaded(findings), loaded(other, "second")
    kept = results.write_results(mrml.scene, second, other)
    own = mrml.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Cluster 1 (6 MCs)")
    first = results.write_results(mrml.scene, volume, findings, True)
    first.segmentation.SetName("renamed by the reader")
    counted, items = len(node_ids(mrml.scene)), len(items_of(mrml.scene))
    again = results.write_results(mrml.scene, volume, findings, True)
    assert len(node_ids(mrml.scene)) == counted
    assert len(items_of(mrml.scene)) == items
    assert again.folder == first.folder
    assert again.segmentation.GetName() == "film MCs"
    assert mrml.scene.IsNodePresent(own)
    assert all(mrml.scene.IsNodePresent(node) for node in kept.nodes())
    assert not any(mrml.scene.IsNodePresent(node) for node in first.nodes())


def test_removing_leaves_nothing_behind(results, mrml, make_findings, loaded):
    findings = make_findings()
    volume = loaded(findings)
    before, items = node_ids(mrml.scene), None
    results.item_of(mrml.scene, volume)
    items = items_of(mrml.scene)
    results.write_results(mrml.scene, volume, findings, True)
    results.remove_results(mrml.scene, volume)
    assert node_ids(mrml.scene) == before
    assert items_of(mrml.scene) == items


def test_a_folder_that_holds_more_is_left(results, mrml, make_findings, loaded):
    findings = make_findings()
    volume = loaded(findings)
    written = results.write_results(mrml.scene, volume, findings)
    own = mrml.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "my own")
    hierarchy = results.hierarchy_of(mrml.scene)
    hierarchy.SetItemParent(results.item_of(mrml.scene, own), written.folder)
    results.remove_results(mrml.scene, volume)
    assert list(items_of(mrml.scene, written.folder).values()) == ["my own"]


def test_results_deleted_by_the_user_are_written_anew(results, mrml, make_findings, loaded):
    findings = make_findings()
    volume = loaded(findings)
    first = results.write_results(mrml.scene, volume, findings)
    results.hierarchy_of(mrml.scene).RemoveItem(first.folder, True, True)
    for node in first.nodes()[2:]:
        mrml.scene.RemoveNode(node)
    again = results.write_results(mrml.scene, volume, findings)
    assert None not in (again.segmentation, again.centres, again.clusters, again.calcifications)
    assert len(items_of(mrml.scene, again.folder)) == 7


def test_a_failure_in_the_middle_leaves_the_scene_as_it_was(
    results, mrml, make_findings, loaded, monkeypatch
):
    findings = make_findings()
    volume = loaded(findings)
    results.write_results(mrml.scene, volume, findings)
    before, items = node_ids(mrml.scene), items_of(mrml.scene)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(results.nodes, "add_table", fail)
    with pytest.raises(MemoryError):
        results.write_results(mrml.scene, volume, findings)
    assert node_ids(mrml.scene) == before
    assert items_of(mrml.scene) == items


@pytest.mark.parametrize("kind", ["closed", "other size"])
def test_a_volume_that_left_or_changed_meanwhile_is_refused(
    results, mrml, make_findings, loaded, kind
):
    findings = make_findings()
    volume = loaded(findings)
    if kind == "closed":
        mrml.scene.Clear(0)
        sentence = "closed while the work ran"
    else:
        volume.GetImageData().SetDimensions(4, 4, 1)
        sentence = "film: the volume has changed since the work began; run it again"
    before = node_ids(mrml.scene)
    with pytest.raises(InputError, match=sentence):
        results.write_results(mrml.scene, volume, findings)
    assert node_ids(mrml.scene) == before


def test_results_move_with_a_volume_under_a_transform(results, mrml, make_findings, loaded):
    findings = make_findings()
    volume = loaded(findings)
    transform = mrml.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volume.SetAndObserveTransformNodeID(transform.GetID())
    written = results.write_results(mrml.scene, volume, findings)
    for node in (written.segmentation, written.centres, *written.points.values()):
        assert node.GetTransformNodeID() == transform.GetID()


def test_no_findings_give_empty_nodes(results, mrml, make_findings, loaded):
    findings = make_findings({}, [])
    written = results.write_results(mrml.scene, loaded(findings), findings)
    assert written.segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert written.centres.GetNumberOfControlPoints() == 0
    assert written.clusters.GetTable().GetNumberOfRows() == 0
    assert written.points == {}


def test_the_mask_comes_back_from_an_edited_segmentation(
    results, mrml, slicer, make_findings, loaded
):
    from MicrocalcSegmentationLib.mrml.drawn import mask_of

    findings = make_findings(geometry=GEOMETRIES["sheared"])
    volume = loaded(findings)
    node = results.write_results(mrml.scene, volume, findings).segmentation
    np.testing.assert_array_equal(mask_of(node, findings.mammogram), findings.mask)
    drawn = np.zeros(findings.labels.shape, bool)
    drawn[100:104, 5:9] = True
    draw(slicer, node, "mine", drawn, findings.mammogram.geometry)
    node.GetSegmentation().RemoveSegment("Cluster_1")
    numbers = [mc.number for mc in findings.calcifications if mc.cluster == 1]
    expected = (findings.mask & ~np.isin(findings.labels, numbers)) | drawn
    np.testing.assert_array_equal(mask_of(node, findings.mammogram), expected)
