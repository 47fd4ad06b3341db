"""The written `.mrk.json`, read by Slicer's own markups logic and storage node."""

import numpy as np
import pytest
import SimpleITK
from MicrocalcSegmentationLib.export.markups import write_markups
from MicrocalcSegmentationLib.export.segments import cluster_colour
from MicrocalcSegmentationLib.geometry import Geometry

ROTATED = ((0.6, 0.8, 0.0), (-0.8, 0.6, 0.0), (0.0, 0.0, 1.0))
GEOMETRIES = [
    Geometry((0.1, 0.04), (12.5, -80.25, 33.0)),
    Geometry((0.07, 0.05), (-3.0, 250.0, 7.5), ((-1, 0, 0), (0, -1, 0), (0, 0, 1))),
    Geometry((0.08, 0.05), (-40.0, 10.0, 5.0), ROTATED),
]


def load_lists(mrml, path):
    assert mrml.Markups.LoadMarkupsFromJson(str(path), None)
    return {node.GetName(): node for node in mrml.nodes("vtkMRMLMarkupsFiducialNode")}


def points_of(node):
    """Label -> RAS position."""
    return {
        node.GetNthControlPointLabel(n): node.GetNthControlPointPositionWorld(n)
        for n in range(node.GetNumberOfControlPoints())
    }


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=["anisotropic", "flipped", "rotated"])
def test_points_lie_where_slicer_puts_the_pixels_of_the_image(
    mrml, tmp_path, make_findings, geometry
):
    import vtk

    findings = make_findings(geometry=geometry)
    image = SimpleITK.GetImageFromArray(findings.mammogram.pixels[None])
    image.SetSpacing((geometry.spacing_mm[1], geometry.spacing_mm[0], 1.0))
    image.SetOrigin(geometry.origin_lps)
    image.SetDirection(np.array(geometry.directions_lps, dtype=float).T.ravel())
    SimpleITK.WriteImage(image, str(tmp_path / "image.nrrd"))
    volume = mrml.Volumes.AddArchetypeVolume(str(tmp_path / "image.nrrd"), "image")
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)

    write_markups(findings, tmp_path / "image.mrk.json")
    lists = load_lists(mrml, tmp_path / "image.mrk.json")
    points = {}
    for name, node in lists.items():
        if name != "Cluster centres":
            points |= points_of(node)
    assert len(points) == len(findings.calcifications) == 15
    for mc in findings.calcifications:
        expected = ijk_to_ras.MultiplyPoint((mc.col, mc.row, 0, 1))[:3]
        np.testing.assert_allclose(points[f"MC {mc.number}"], expected, atol=1e-5)
    centre = points_of(lists["Cluster centres"])
    cluster = findings.clusters[0]
    expected = ijk_to_ras.MultiplyPoint((cluster.col, cluster.row, 0, 1))[:3]
    (label,) = [label for label in centre if label.startswith("Cluster 1:")]
    np.testing.assert_allclose(centre[label], expected, atol=1e-5)


def test_each_group_is_a_list_of_its_own_with_the_colour_of_its_segment(
    mrml, tmp_path, make_findings
):
    write_markups(make_findings(), tmp_path / "image.mrk.json")
    lists = load_lists(mrml, tmp_path / "image.mrk.json")
    counts = {name: node.GetNumberOfControlPoints() for name, node in lists.items()}
    assert counts == {
        "Cluster centres": 2,
        "Cluster 1 (6 MCs)": 6,
        "Cluster 2 (7 MCs)": 7,
        "Isolated (2 MCs)": 2,
    }
    for name, cluster in (("Cluster 2 (7 MCs)", 2), ("Isolated (2 MCs)", 0)):
        colour = lists[name].GetDisplayNode().GetSelectedColor()
        np.testing.assert_allclose(colour, cluster_colour(cluster), atol=1e-5)


def test_labels_and_descriptions_are_read_back(mrml, tmp_path, make_findings):
    write_markups(make_findings(), tmp_path / "image.mrk.json")
    lists = load_lists(mrml, tmp_path / "image.mrk.json")
    centres = lists["Cluster centres"]
    assert centres.GetNthControlPointLabel(0) == "Cluster 1: 6 MCs, 167 per cm2"
    assert centres.GetNthControlPointDescription(0) == "area 3.6 mm2, extent 2.7 mm"
    isolated = lists["Isolated (2 MCs)"]
    assert isolated.GetNthControlPointLabel(1) == "MC 15"
    assert isolated.GetNthControlPointDescription(1) == (
        "diameter 0.34 mm, area 0.090 mm2, probability 0.975"
    )
    assert isolated.GetLocked()


def test_findings_without_mcs_load_as_one_empty_list(mrml, tmp_path, make_findings):
    write_markups(make_findings({}, []), tmp_path / "none.mrk.json")
    lists = load_lists(mrml, tmp_path / "none.mrk.json")
    assert {name: node.GetNumberOfControlPoints() for name, node in lists.items()} == {
        "Cluster centres": 0
    }


def test_a_storage_node_reads_the_centres_as_the_first_list(mrml, slicer, tmp_path, make_findings):
    write_markups(make_findings(), tmp_path / "image.mrk.json")
    node = mrml.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    storage = slicer.vtkMRMLMarkupsJsonStorageNode()
    mrml.scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "image.mrk.json"))
    assert storage.ReadData(node)
    assert node.GetNumberOfControlPoints() == 2
