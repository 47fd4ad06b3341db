"""A scene of findings, saved and loaded again in another process."""

import subprocess
import sys

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.export.segments import cluster_colour
from MicrocalcSegmentationLib.geometry import Geometry

ANISOTROPIC = Geometry((0.1, 0.04), (12.5, -80.25, 33.0))


@pytest.fixture
def results(slicer):
    from MicrocalcSegmentationLib.mrml import results

    return results


FRESH = """
import sys
import numpy as np
from MicrocalcSegmentationLib.mrml.application import load_scene, open_scene
from MicrocalcSegmentationLib.mrml.results import find_results
from MicrocalcSegmentationLib.mrml.volumes import geometry_of, pixels_of
import slicer
import vtk
opened = open_scene()
load_scene(opened.scene, sys.argv[1])
volume = opened.scene.GetFirstNodeByName("film")
found = find_results(opened.scene, volume)
segmentation = found.segmentation.GetSegmentation()
ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]

def pixels(one):
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(one)
    labels = opened.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.ExportSegmentsToLabelmapNode(found.segmentation, ids, labels, volume)
    return pixels_of(labels) > 0

np.savez(
    sys.argv[2],
    pixels=pixels_of(volume),
    probability=pixels_of(found.probability),
    origin=geometry_of(volume).position_lps([7, 9]),
    ids=ids,
    names=[segmentation.GetSegment(one).GetName() for one in ids],
    colours=[segmentation.GetSegment(one).GetColor() for one in ids],
    labelmap=[pixels(one) for one in ids],
    points=[found.centres.GetNthControlPointPositionWorld(n) for n in range(2)],
    parts=sorted(found.points),
    counts=[found.points[part].GetNumberOfControlPoints() for part in sorted(found.points)],
    density=[found.clusters.GetTable().GetValueByName(n, "density_per_cm2").ToDouble()
             for n in range(2)],
    mcs=found.calcifications.GetTable().GetNumberOfRows(),
    in_folder=found.folder > 0,
)
"""


def test_a_saved_scene_is_the_same_in_a_new_process(tmp_path, make_findings, results, slicer):
    from MicrocalcSegmentationLib.mrml.application import open_scene, save_scene
    from MicrocalcSegmentationLib.mrml.volumes import add_volume, ras_of

    findings = make_findings(geometry=ANISOTROPIC)
    mammogram = findings.mammogram
    opened = open_scene()
    volume = add_volume(opened.scene, mammogram.pixels, mammogram.geometry, "film")
    results.write_results(opened.scene, volume, findings, True)
    save_scene(opened.scene, tmp_path / "case.mrb")
    assert [path.name for path in tmp_path.iterdir()] == ["case.mrb"]
    command = [sys.executable, "-c", FRESH, str(tmp_path / "case.mrb"), str(tmp_path / "seen.npz")]
    subprocess.run(command, check=True, timeout=120)
    seen = np.load(tmp_path / "seen.npz")
    np.testing.assert_array_equal(seen["pixels"], mammogram.pixels)
    np.testing.assert_array_equal(seen["probability"], findings.probability)
    np.testing.assert_allclose(seen["origin"], mammogram.geometry.position_lps([7, 9]), atol=1e-6)
    assert seen["ids"].tolist() == ["Cluster_1", "Cluster_2", "Isolated"]
    assert seen["names"].tolist() == ["Cluster 1 (6 MCs)", "Cluster 2 (7 MCs)", "Isolated (2 MCs)"]
    np.testing.assert_allclose(seen["colours"][1], cluster_colour(2), atol=1e-4)
    for mask, cluster in zip(seen["labelmap"], (1, 2, 0), strict=True):
        numbers = [mc.number for mc in findings.calcifications if mc.cluster == cluster]
        np.testing.assert_array_equal(mask > 0, np.isin(findings.labels, numbers))
    centres = [ras_of(mammogram.geometry, [one.row, one.col]) for one in findings.clusters]
    np.testing.assert_allclose(seen["points"], centres, atol=1e-4)
    assert (seen["parts"].tolist(), seen["counts"].tolist()) == ([0, 1, 2], [2, 6, 7])
    densities = [one.density_per_cm2 for one in findings.clusters]
    np.testing.assert_allclose(seen["density"], densities, atol=0.01)
    assert seen["mcs"] == 15
    assert seen["in_folder"]


def test_a_scene_that_cannot_be_written_or_read_is_refused(tmp_path, slicer):
    from MicrocalcSegmentationLib.mrml.application import load_scene, open_scene, save_scene

    opened = open_scene()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write the results"):
        save_scene(opened.scene, tmp_path / "file" / "case.mrb")
    with pytest.raises(InputError, match="no Slicer scene"):
        load_scene(opened.scene, tmp_path / "none.mrb")
