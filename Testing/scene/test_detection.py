"""Detection in a real scene with a real worker process, whose networks are a few lines."""

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.errors import Cancelled, InputError
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.gui.client import Worker
from MicrocalcSegmentationLib.settings import Settings

FAKE = str(Path(__file__).parents[1] / "fake_worker.py")
PLACES = [(50, 20 + 10 * index) for index in range(8)]
OTHERS = [(90, 30 + 10 * index) for index in range(6)]


@pytest.fixture
def detection_room(slicer):
    from MicrocalcSegmentationLib.gui import detection

    return detection


@pytest.fixture
def detection(detection_room, mrml):
    made = detection_room.Detection(mrml.scene, Worker([sys.executable, FAKE]))
    yield made
    made.close()


@pytest.fixture
def volume(mrml):
    """Eight MCs in a row, each a little fainter, and below them six of probability 0.6."""
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    pixels = np.random.default_rng(0).integers(80, 95, (120, 120)).astype(np.int16)
    for index, (row, col) in enumerate(PLACES):
        pixels[row - 1 : row + 2, col - 1 : col + 2] = 199 - 5 * index
    for row, col in OTHERS:
        pixels[row - 1 : row + 2, col - 1 : col + 2] = 160
    return add_volume(mrml.scene, pixels, Geometry((0.1, 0.1), (5.0, 6.0, 7.0)), "film")


def options(detection_room, model=None, threshold=0.63, probability=False):
    return detection_room.Options(Settings(threshold=threshold), model, probability)


def finish(detection, seconds=20.0):
    until, outcomes = time.monotonic() + seconds, []
    while time.monotonic() < until:
        outcome = detection.poll()
        if outcome:
            outcomes.append(outcome)
            if outcome.kind != "progress":
                return outcome
        time.sleep(0.02)
    raise AssertionError(f"no end within {seconds} s: {outcomes}")


def wait_until_it_works(detection):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if (outcome := detection.poll()) and outcome.kind == "progress":
            return
        time.sleep(0.02)
    raise AssertionError("no progress within 20 s")


def scene_state(scene):
    return [
        (scene.GetNthNode(n).GetID(), scene.GetNthNode(n).GetMTime())
        for n in range(scene.GetNumberOfNodes())
    ]


def nodes_of(scene):
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


def test_one_line_gives_nodes_and_findings(detection, detection_room, volume):
    results, findings = detection.segment(volume, options(detection_room, probability=True))
    assert len(findings.calcifications) == 8
    assert [cluster.count for cluster in findings.clusters] == [8]
    assert results.segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert results.probability is not None
    assert results.points[1].GetNumberOfControlPoints() == 8
    assert not detection.running


def test_images_unlike_what_was_learnt_from_are_told_of(slicer, make_findings):
    from MicrocalcSegmentationLib.gui.jobs import summary

    usual = make_findings()
    assert "doubtful" not in summary([usual, usual])
    told = summary([usual, replace(usual, odds_divisor=4.2)])
    assert told.startswith("30 MCs, 4 clusters in 2 views, 4 MCs isolated; 4.2 times as many")


def test_progress_is_told_while_one_waits(detection, detection_room, volume):
    told = []

    class Told:
        def report(self, fraction, text):
            told.append((fraction, text))
            if len(told) > 3:
                raise Cancelled

    before = scene_state(volume.GetScene())
    with pytest.raises(Cancelled):
        detection.segment(volume, options(detection_room, "slow"), Told())
    assert told[-1][1] == "working slowly"
    assert scene_state(volume.GetScene()) == before
    assert not detection.running


def test_cancel_leaves_the_scene_as_it_was(detection, detection_room, volume):
    detection.segment(volume, options(detection_room))
    before = scene_state(volume.GetScene())
    detection.start([volume], options(detection_room, "slow"))
    wait_until_it_works(detection)
    began = time.monotonic()
    detection.cancel()
    assert finish(detection).kind == "cancelled"
    assert time.monotonic() - began < 1
    assert scene_state(volume.GetScene()) == before


def test_a_killed_worker_leaves_the_scene_and_the_next_run_works(detection, detection_room, volume):
    before = scene_state(volume.GetScene())
    detection.start([volume], options(detection_room, "slow"))
    wait_until_it_works(detection)
    os.kill(detection._worker.pid, signal.SIGKILL)
    outcome = finish(detection)
    assert outcome.kind == "failed"
    assert "ended by itself" in outcome.text
    assert scene_state(volume.GetScene()) == before
    assert detection.segment(volume, options(detection_room))[1].clusters


def test_a_refusal_is_the_exception_of_the_console(detection, detection_room, volume):
    before = scene_state(volume.GetScene())
    with pytest.raises(InputError, match="film: cannot be used; try another"):
        detection.segment(volume, options(detection_room, "refuse"))
    assert scene_state(volume.GetScene()) == before


def test_another_threshold_replaces_the_findings_at_once(detection, detection_room, volume):
    results, _ = detection.segment(volume, options(detection_room))
    counted = len(nodes_of(volume.GetScene()))
    began = time.monotonic()
    detection.start_threshold([volume], 0.5)
    outcome = finish(detection)
    assert time.monotonic() - began < 1
    assert len(outcome.made[0][1].calcifications) == 14
    assert outcome.made[0][0].folder == results.folder
    assert outcome.text == "14 MCs, 1 cluster, 0 MCs isolated"
    assert len(nodes_of(volume.GetScene())) == counted
    detection.start_threshold([volume], 0.9)
    outcome = finish(detection)
    assert outcome.text == "2 MCs, 0 clusters, 2 MCs isolated"


def test_an_edited_segmentation_is_measured_and_grouped_anew(
    detection, detection_room, volume, slicer
):
    from MicrocalcSegmentationLib.mrml.volumes import ijk_to_ras
    from vtk.util.numpy_support import numpy_to_vtk

    results, findings = detection.segment(volume, options(detection_room))
    mask = findings.mask.astype(np.uint8)
    mask[70:73, 60:63] = 1
    mask[45:55, 85:95] = 0  # one MC is erased
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(mask.shape[1], mask.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(mask.ravel(), deep=True))
    image.SetGeometryFromImageToWorldMatrix(ijk_to_ras(findings.mammogram.geometry))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(image, results.segmentation, "Cluster_1")
    detection.start_update([volume])
    outcome = finish(detection)
    places = [(round(mc.row), round(mc.col)) for mc in outcome.made[0][1].calcifications]
    assert (71, 61) in places
    assert (50, 90) not in places
    assert len(places) == 8
    assert outcome.made[0][0].clusters.GetTable().GetValueByName(0, "count").ToInt() == 8


@pytest.mark.parametrize("what", ["emptied", "deleted"])
def test_a_segmentation_edited_into_nothing_is_refused(detection, detection_room, volume, what):
    results, _ = detection.segment(volume, options(detection_room))
    if what == "emptied":
        results.segmentation.GetSegmentation().RemoveAllSegments()
        sentence = "film: nothing is left in the segmentation; draw an MC, or run Detect again"
    else:
        volume.GetScene().RemoveNode(results.segmentation)
        sentence = "film: its segmentation was deleted; run Detect again"
    before = nodes_of(volume.GetScene())
    try:
        detection.start_update([volume])
        refused = finish(detection).text
    except InputError as error:
        refused = str(error)
    assert refused == sentence
    assert nodes_of(volume.GetScene()) == before


def test_without_a_run_there_is_no_threshold_to_move(detection, volume):
    with pytest.raises(InputError, match="run Detect first"):
        detection.start_threshold([volume], 0.5)


def test_results_deleted_and_renamed_in_mid_run_do_no_harm(detection, detection_room, volume):
    results, _ = detection.segment(volume, options(detection_room))
    scene = volume.GetScene()
    detection.start([volume], options(detection_room))
    results.segmentation.SetName("mine")
    scene.RemoveNode(results.clusters)
    volume.SetName("renamed")
    outcome = finish(detection)
    assert outcome.kind == "done"
    assert outcome.made[0][0].segmentation.GetName() == "renamed MCs"
    assert outcome.made[0][0].clusters is not None
    assert scene.GetNodesByClass("vtkMRMLSegmentationNode").GetNumberOfItems() == 1


def test_a_scene_closed_in_mid_run_stays_empty(detection, detection_room, volume):
    scene = volume.GetScene()
    detection.start([volume], options(detection_room))
    scene.Clear(0)
    before = nodes_of(scene)
    outcome = finish(detection)
    # Even the hierarchy that Slicer itself makes anew is not there yet.
    assert (outcome.kind, outcome.text) == (
        "failed",
        "the volume was closed while the work ran; nothing was written",
    )
    assert nodes_of(scene) == before
    detection.forget_closed()
    assert detection.findings_of(volume) is None


def test_a_second_run_waits_for_the_first(detection, detection_room, volume):
    detection.start([volume], options(detection_room, "slow"))
    with pytest.raises(InputError, match="another detection is running"):
        detection.start([volume], options(detection_room))


def test_reviews_are_kept_hidden_carried_over_and_exported(
    detection, detection_room, volume, tmp_path
):
    from MicrocalcSegmentationLib.mrml.review import Review, reviews_of, set_review

    results, _ = detection.segment(volume, options(detection_room, threshold=0.55))
    assert [one.review for one in reviews_of(results)] == [Review()]
    set_review(results, 1, Review("rejected", "skin fold, says the MLO"))
    display = results.segmentation.GetDisplayNode()
    assert not display.GetSegmentVisibility("Cluster_1")
    assert not results.points[1].GetDisplayNode().GetVisibility()
    detection.start_threshold([volume], 0.65)
    outcome = finish(detection)
    (reviewed,) = reviews_of(outcome.made[0][0])
    assert reviewed.review == Review("rejected", "skin fold, says the MLO")
    assert not outcome.made[0][0].segmentation.GetDisplayNode().GetSegmentVisibility("Cluster_1")
    detection.start_export([volume], tmp_path)
    assert finish(detection).text == f"8 files written to {tmp_path / 'film'}"
    assert (tmp_path / "film" / "review.csv").read_text() == (
        'cluster,review,note\n1,rejected,"skin fold, says the MLO"\n'
    )
    exported = json.loads((tmp_path / "film" / "findings.json").read_text())
    assert exported["counts"]["clusters"] == 1
    set_review(outcome.made[0][0], 1, Review("accepted"))
    assert outcome.made[0][0].segmentation.GetDisplayNode().GetSegmentVisibility("Cluster_1")


def test_a_chosen_cluster_stands_out_in_every_view(detection, detection_room, volume, mrml):
    from MicrocalcSegmentationLib.mrml.review import highlight
    from MicrocalcSegmentationLib.mrml.views import show_cluster

    views = [mrml.scene.AddNewNodeByClass("vtkMRMLSliceNode", name) for name in ("R", "G")]
    for view in views:
        view.SetDimensions(400, 300, 1)
        view.SetFieldOfView(240, 180, 1)
    results, findings = detection.segment(volume, options(detection_room))
    show_cluster(mrml.scene, volume, findings, findings.clusters[0])
    centre = results.centres.GetNthControlPointPositionWorld(0)
    for view in views:
        matrix = view.GetSliceToRAS()
        middle = [matrix.GetElement(axis, 3) for axis in range(3)]
        np.testing.assert_allclose(middle, centre, atol=1e-6)
        width, height, _ = view.GetFieldOfView()
        assert min(width, height) == pytest.approx(findings.clusters[0].extent_mm + 16)
        assert width / height == pytest.approx(4 / 3)
    highlight(results, 0)
    assert results.points[1].GetDisplayNode().GetOpacity() < 0.5
    highlight(results, 1)
    assert results.points[1].GetDisplayNode().GetOpacity() == 1
    highlight(results, None)
    assert results.points[1].GetDisplayNode().GetOpacity() == 1


def add_to_training_set(detection, volume, folder):
    detection.start_training([volume], folder)
    return finish(detection).text.startswith("added to the training set as film_")


def test_a_reviewed_case_joins_a_training_set_without_what_was_rejected(
    detection, detection_room, volume, tmp_path
):
    from MicrocalcSegmentationLib.evaluation.cases import folder_cases
    from MicrocalcSegmentationLib.mrml.review import Review, set_review
    from MicrocalcSegmentationLib.mrml.volumes import pixels_of

    results, findings = detection.segment(volume, options(detection_room))
    assert add_to_training_set(detection, volume, tmp_path)
    (case,) = folder_cases(tmp_path)
    truth = case.load()
    np.testing.assert_array_equal(truth.mask, findings.mask)
    np.testing.assert_array_equal(truth.mammogram.pixels, pixels_of(volume))
    assert truth.mammogram.spacing_mm == pytest.approx((0.1, 0.1))
    set_review(results, 1, Review("rejected"))
    assert add_to_training_set(detection, volume, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    (case,) = folder_cases(tmp_path)
    assert not case.load().mask.any()
    known = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert known["positive"] is False
    assert "film" not in known["patient"]


@pytest.mark.parametrize("what", ["missing", "damaged"])
def test_a_model_that_cannot_be_used_is_a_sentence(detection_room, mrml, volume, tmp_path, what):
    from MicrocalcSegmentationLib.model import load_model

    model = tmp_path / "own"
    if what == "damaged":
        shutil.copytree(load_model().folder, model)
        for graph in model.glob("*.onnx"):
            graph.write_bytes(b"damaged")
    real = detection_room.Detection(mrml.scene)
    before = scene_state(mrml.scene)
    try:
        with pytest.raises(InputError, match=r"own.*(no such model|not the file its manifest)"):
            real.segment(volume, options(detection_room, str(model)))
    finally:
        real.close()
    assert scene_state(mrml.scene) == before
