"""The real panel, offscreen: .ui, module file, scene, worker process; see conftest."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.model import load_model, shipped_models

FAKE_WORKER = Path(__file__).parents[1] / "fake_worker.py"


def cells(ui):
    table = ui.clusterTable
    return [
        [table.item(row, col).text() for col in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def test_every_binding_of_the_ui_has_its_parameter_and_every_parameter_its_widget(widget, ui):
    named = {
        child.property("SlicerParameterName")
        for child in vars(ui).values()
        if child.property("SlicerParameterName")
    }
    assert named == set(widget._parameters._kinds)
    ui.forceCpuBox.setChecked(True)
    ui.keepProbabilityBox.setChecked(True)
    ui.thresholdSlider.setValue(0.7)
    assert widget._parameters.forceCpu
    assert widget._parameters.keepProbability
    assert widget._parameters.threshold == pytest.approx(0.7)
    assert [
        ui.modelSelector.itemText(n) for n in range(ui.modelSelector.count())
    ] == shipped_models()
    widget._parameters.forceCpu = False
    assert not ui.forceCpuBox.isChecked()


def test_another_model_brings_its_own_threshold(widget, ui):
    default, faithful = (load_model(name) for name in (None, "faithful"))
    assert default.threshold != faithful.threshold
    for model in (faithful, default):
        ui.modelSelector.setCurrentText(model.name)
        assert widget._parameters.model == model.name
        assert widget._parameters.threshold == pytest.approx(model.threshold, abs=0.001)


def test_every_widget_that_a_hand_can_move_says_what_it_does(ui):
    for name in (
        "inputSelector",
        "detectButton",
        "thresholdSlider",
        "clusterTable",
        "modelSelector",
    ):
        assert getattr(ui, name).toolTip()


def test_the_slider_says_what_its_place_means(widget, ui):
    model = load_model()
    point = model.operating_point(widget._parameters.threshold)
    assert f"{point.mcs_found:.0%} are found" in ui.meaningLabel.text()
    before = ui.meaningLabel.text()
    widget._parameters.threshold = 0.9
    assert ui.meaningLabel.text() != before


def test_without_a_volume_detect_is_disabled_and_says_why(widget, ui):
    assert not ui.detectButton.isEnabled()
    reason = "no volume is chosen; load a mammogram and choose it"
    assert ui.detectButton.toolTip() == ui.messageLabel.text() == reason
    assert not ui.updateButton.isEnabled()
    assert ui.updateButton.toolTip() == ui.exportButton.toolTip() == "Run Detect first."
    assert not ui.acceptButton.isEnabled()


def test_a_mammogram_enables_detect(widget, ui, volume):
    ui.inputSelector.setCurrentNode(volume)
    assert widget._parameters.inputVolume is volume
    assert ui.detectButton.isEnabled()
    assert ui.messageLabel.text() == ""
    assert ui.spacingRow.isHidden()


def test_a_volume_without_spacing_is_asked_for_it(widget, ui, volume):
    volume.SetSpacing(1, 1, 1)
    ui.inputSelector.setCurrentNode(volume)
    assert "states no pixel spacing" in ui.messageLabel.text()
    assert not ui.detectButton.isEnabled()
    assert not ui.spacingRow.isHidden()
    ui.rowSpacing.setValue(0.07)
    ui.colSpacing.setValue(0.06)
    ui.setSpacingButton.click()
    assert volume.GetSpacing()[:2] == pytest.approx((0.06, 0.07))
    assert ui.detectButton.isEnabled()
    assert ui.spacingRow.isHidden()


def test_detect_fills_the_scene_and_the_table(detected, ui, scene):
    # 9 MCs on 2.1 x 2.7 mm, and 7 of the row, whose eighth has 0.64, on 6.3 x 0.3 mm.
    assert cells(ui) == [
        ["", "1", "9", "5.7", "159", "3.4", "grouped", "", ""],
        ["", "2", "7", "1.9", "370", "6.3", "linear", "", ""],
    ]
    assert ui.stageLabel.text() == "16 MCs, 2 clusters, 0 MCs isolated"
    assert scene.GetNodesByClass("vtkMRMLSegmentationNode").GetNumberOfItems() == 1
    assert ui.exportButton.isEnabled()
    assert ui.progressBar.isHidden()


def test_progress_is_shown_and_cancel_brings_all_back(widget, ui, volume, scene, process):
    widget._parameters.inputVolume = volume
    widget.logic.detection._worker._command = [sys.executable, str(FAKE_WORKER)]
    begin_slowly(widget)
    process(lambda: ui.stageLabel.text().startswith("Working slowly"))
    assert ui.detectButton.text() == "Cancel"
    assert ui.progressBar.value() > 0
    assert not ui.progressBar.isHidden()
    assert not ui.inputSelector.isEnabled()
    assert not ui.engineSelector.isEnabled()
    assert not ui.removePackagesButton.isEnabled()
    nodes = scene.GetNumberOfNodes()
    began = time.monotonic()
    ui.detectButton.click()
    process(lambda: ui.detectButton.text() == "Detect")
    assert time.monotonic() - began < 1
    assert ui.stageLabel.text() == "cancelled; the scene is as it was"
    assert ui.inputSelector.isEnabled()
    assert scene.GetNumberOfNodes() == nodes


def begin_slowly(widget):
    """Detect with a model that takes half a minute; shipped ones are the only ones in the list."""
    worker = widget.logic.detection._worker
    real = worker.score

    def slow_once(mammogram, block, settings, _model):
        worker.score = real
        return real(mammogram, block, settings, "slow")

    worker.score = slow_once
    widget.ui.detectButton.click()


def test_the_time_left_is_told_when_it_can_be(widget, ui, volume, process):
    widget._parameters.inputVolume = volume
    begin_slowly(widget)
    process(lambda: ui.stageLabel.text().endswith(" s left"))
    ui.detectButton.click()
    process(lambda: ui.detectButton.text() == "Detect")


def test_a_killed_worker_is_a_sentence_and_the_next_run_works(widget, ui, volume, process):
    widget._parameters.inputVolume = volume
    widget._parameters.threshold = 0.65
    begin_slowly(widget)
    process(lambda: ui.stageLabel.text().startswith("Working slowly"))
    os.kill(widget.logic.detection._worker.pid, signal.SIGKILL)
    process(lambda: ui.detectButton.text() == "Detect")
    assert "ended by itself (signal SIGKILL)" in ui.stageLabel.text()
    ui.detectButton.click()
    process(lambda: ui.detectButton.text() == "Detect")
    assert len(cells(ui)) == 2


def test_the_threshold_slider_makes_new_clusters_without_the_networks(detected, ui, process):
    detection = detected.logic.detection
    pid = detection._worker.pid
    for value in (0.68, 0.7, 0.73):
        ui.thresholdSlider.setValue(value)
    # The group of 0.7 is gone, and of the row six are left.
    process(lambda: ui.stageLabel.text().startswith("6 MCs, 1 cluster"))
    assert cells(ui)[0][:3] == ["", "1", "6"]
    assert detection._worker.pid == pid
    ui.thresholdSlider.setValue(0.95)
    process(lambda: ui.stageLabel.text().startswith("1 MCs, 0 clusters"))
    assert cells(ui) == []


def test_choosing_another_model_changes_no_findings(detected, ui, process):
    before = cells(ui), ui.stageLabel.text()
    ui.modelSelector.setCurrentText("faithful")
    chosen = time.monotonic()
    process(lambda: time.monotonic() > chosen + 0.75)
    assert not detected.logic.detection.running
    assert (cells(ui), ui.stageLabel.text()) == before


def test_looking_at_another_volume_changes_no_findings(detected, ui, volume, scene, process):
    from MicrocalcSegmentationLib.mrml.volumes import add_volume, pixels_of

    other = add_volume(scene, pixels_of(volume).copy(), Geometry((0.1, 0.1)), "right_cc")
    detected._parameters.inputVolume = other
    assert cells(ui) == []
    detected._parameters.threshold = 0.9
    detected._parameters.inputVolume = volume
    assert detected._parameters.threshold == 0.65
    process(lambda: not detected.logic.detection.running)
    assert len(cells(ui)) == 2


def test_a_click_in_the_table_shows_the_cluster_in_every_view(detected, ui, scene, volume):
    from MicrocalcSegmentationLib.mrml.results import find_results

    view = scene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetFieldOfView(200, 200, 1)
    ui.clusterTable.selectRow(1)
    results = find_results(scene, volume)
    centre = results.centres.GetNthControlPointPositionWorld(1)
    matrix = view.GetSliceToRAS()
    assert [matrix.GetElement(axis, 3) for axis in range(3)] == pytest.approx(list(centre))
    assert view.GetFieldOfView()[0] == pytest.approx(6.3 + 16, abs=0.1)
    shown = {part: node.GetDisplayNode().GetOpacity() for part, node in results.points.items()}
    assert shown[2] == 1 > shown[1]
    assert ui.acceptButton.isEnabled()


def test_review_and_note_are_kept_in_the_scene(detected, ui, scene, volume):
    from MicrocalcSegmentationLib.mrml.results import find_results
    from MicrocalcSegmentationLib.mrml.review import reviews_of

    ui.clusterTable.selectRow(0)
    ui.rejectButton.click()
    ui.noteEdit.setText("vessel")
    ui.noteEdit.editingFinished.emit()
    assert [row[7:] for row in cells(ui)] == [["rejected", "vessel"], ["", ""]]
    kept = reviews_of(find_results(scene, volume))
    assert (kept[0].review.state, kept[0].review.note) == ("rejected", "vessel")
    ui.clusterTable.selectRow(1)
    assert ui.noteEdit.text() == ""
    ui.acceptButton.click()
    ui.clusterTable.selectRow(0)
    assert ui.noteEdit.text() == "vessel"
    ui.undecideButton.click()
    assert [row[7:] for row in cells(ui)] == [["", "vessel"], ["accepted", ""]]


def test_an_edited_segmentation_gives_new_clusters(detected, ui, scene, volume, process):
    from MicrocalcSegmentationLib.mrml.results import find_results

    segmentation = find_results(scene, volume).segmentation.GetSegmentation()
    segmentation.RemoveSegment("Cluster_1")
    ui.updateButton.click()
    process(lambda: ui.stageLabel.text().startswith("7 MCs, 1 cluster"))
    assert [row[:3] for row in cells(ui)] == [["", "1", "7"]]
    find_results(scene, volume).segmentation.GetSegmentation().RemoveAllSegments()
    ui.updateButton.click()
    process(lambda: ui.stageLabel.text().startswith("left_cc: nothing is left in the segmentation"))


def test_export_writes_everything_and_says_where(detected, ui, tmp_path, monkeypatch, process):
    monkeypatch.setattr(detected, "chooseFolder", lambda: str(tmp_path))
    ui.exportButton.click()
    process(lambda: ui.detectButton.text() == "Detect")
    assert ui.stageLabel.text() == f"8 files written to {tmp_path / 'left_cc'}"
    assert (tmp_path / "left_cc" / "review.csv").is_file()


def test_a_case_is_added_to_a_training_set(detected, ui, tmp_path, monkeypatch, process):
    monkeypatch.setattr(detected, "chooseFolder", lambda: str(tmp_path))
    ui.trainingButton.click()
    process(lambda: ui.detectButton.text() == "Detect")
    assert len(list(tmp_path.glob("left_cc_*_mask.nrrd"))) == 1
    assert ui.stageLabel.text().startswith("added to the training set as left_cc_")


def test_closing_the_scene_empties_the_panel(detected, ui, scene):
    scene.Clear(0)
    assert cells(ui) == []
    assert detected._parameters is not None
    assert detected._parameters.inputVolume is None
    assert not ui.detectButton.isEnabled()
    assert detected.logic.detection._place.kept == {}


def test_closing_the_scene_in_mid_run_ends_the_run(widget, ui, volume, scene, process):
    widget._parameters.inputVolume = volume
    begin_slowly(widget)
    process(lambda: ui.stageLabel.text().startswith("Working slowly"))
    scene.Clear(0)
    process(lambda: not widget.logic.detection.running)
    process(lambda: ui.detectButton.text() == "Detect")
    assert scene.GetNodesByClass("vtkMRMLSegmentationNode").GetNumberOfItems() == 0


def test_the_console_line_gives_nodes_and_findings(module, scene, volume):
    logic = module.MicrocalcSegmentationLogic()
    logic.detection._worker._command = [sys.executable, str(FAKE_WORKER)]
    nodes, findings = logic.segment(volume, threshold=0.65)
    assert nodes.segmentation.GetName() == "left_cc MCs"
    assert len(findings.clusters) == 2
    logic.detection.close()


def test_leaving_and_entering_the_module_binds_once(widget, ui, volume):
    widget.exit()
    assert widget._parameters is None
    widget.enter()
    widget.enter()
    ui.inputSelector.setCurrentNode(volume)
    assert widget._parameters.inputVolume is volume
