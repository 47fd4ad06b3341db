"""Whole-study mode in the real panel: four views chosen, detected in one go, reviewed as one."""

import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import Geometry

FAKE_WORKER = Path(__file__).parents[1] / "fake_worker.py"
VIEWS = ("RCC", "LCC", "RMLO", "LMLO")


@pytest.fixture
def volumes(scene):
    """The four views, of which the left ones hold a row of eight MCs."""
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    made = {}
    for view in VIEWS:
        pixels = np.random.default_rng(0).integers(80, 95, (120, 130)).astype(np.int16)
        for index in range(8 if view[0] == "L" else 0):
            pixels[49:52, 19 + 10 * index : 22 + 10 * index] = 199 - 5 * index
        made[view] = add_volume(scene, pixels, Geometry((0.1, 0.1)), f"patient {view}")
    return made


@pytest.fixture
def application_with_layout(stood_in, scene, monkeypatch):
    logic = stood_in.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(scene)
    manager = types.SimpleNamespace(layoutLogic=lambda: logic)
    app = types.SimpleNamespace(layoutManager=lambda: manager)
    monkeypatch.setattr(stood_in, "app", app, raising=False)
    return logic.GetLayoutNode()


@pytest.fixture
def widget(module, scene, volumes, application_with_layout, monkeypatch):
    from MicrocalcSegmentationLib.gui import packages_box

    monkeypatch.setattr(packages_box, "missing", lambda _engine: [])
    made = module.MicrocalcSegmentationWidget()
    made.setup()
    made.logic.detection._worker._command = [sys.executable, str(FAKE_WORKER)]
    made._parameters.threshold = 0.65
    yield made
    made.cleanup()


@pytest.fixture
def detected(widget, process):
    widget.ui.studyCheck.setChecked(True)
    widget.ui.detectButton.click()
    process(lambda: widget.ui.detectButton.text() == "Detect")
    return widget


def cells(ui):
    table = ui.clusterTable
    return [[table.item(row, col).text() for col in range(3)] for row in range(table.rowCount())]


def test_the_views_are_found_when_the_mode_is_switched_on(widget, volumes):
    ui = widget.ui
    assert ui.studyBox.isHidden()
    assert ui.clusterTable.isColumnHidden(0)
    ui.studyCheck.setChecked(True)
    assert not ui.studyBox.isHidden()
    assert ui.inputRow.isHidden()
    for view, volume in volumes.items():
        assert getattr(ui, f"{view.lower()}Selector").currentNode() is volume
    assert ui.detectButton.isEnabled()
    ui.studyCheck.setChecked(False)
    assert ui.studyBox.isHidden()
    assert not ui.inputRow.isHidden()


def test_a_view_can_be_chosen_by_hand_and_twice_the_same_is_refused(widget, volumes):
    ui = widget.ui
    ui.studyCheck.setChecked(True)
    ui.rccSelector.setCurrentNode(volumes["LCC"])
    assert not ui.detectButton.isEnabled()
    assert ui.messageLabel.text().startswith("patient LCC: chosen for two views")
    ui.rccSelector.setCurrentNode(None)
    assert ui.detectButton.isEnabled()
    ui.fillStudyButton.click()
    assert ui.rccSelector.currentNode() is volumes["RCC"]


def test_no_view_at_all_is_a_sentence(widget):
    for view in VIEWS:
        setattr(widget._parameters, view.lower(), None)
    widget.ui.studyCheck.setChecked(True)
    for view in VIEWS:
        getattr(widget.ui, f"{view.lower()}Selector").setCurrentNode(None)
    assert widget.ui.messageLabel.text().startswith("no view is chosen")
    assert not widget.ui.showStudyButton.isEnabled()
    assert widget.ui.showStudyButton.toolTip() == "Choose a view first."


def test_all_views_are_detected_in_one_go_and_fill_one_table(detected, scene):
    from MicrocalcSegmentationLib.mrml.hanging import LAYOUT_ID

    ui = detected.ui
    assert ui.stageLabel.text() == "14 MCs, 2 clusters in 4 views, 0 MCs isolated"
    assert cells(ui) == [["LCC", "1", "7"], ["LMLO", "1", "7"]]
    assert not ui.clusterTable.isColumnHidden(0)
    assert scene.GetNodesByClass("vtkMRMLSegmentationNode").GetNumberOfItems() == 4
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == LAYOUT_ID


def test_a_click_jumps_that_view_and_no_other(detected, scene, volumes):
    slices = {
        view: scene.GetSingletonNode(f"Mammogram{view}", "vtkMRMLSliceNode") for view in VIEWS
    }
    before = {view: node.GetFieldOfView()[0] for view, node in slices.items()}
    detected.ui.clusterTable.selectRow(1)
    after = {view: node.GetFieldOfView()[0] for view, node in slices.items()}
    assert [view for view in VIEWS if after[view] != before[view]] == ["LMLO"]


def test_a_review_is_of_the_view_whose_row_is_chosen(detected, scene, volumes):
    from MicrocalcSegmentationLib.mrml.results import find_results
    from MicrocalcSegmentationLib.mrml.review import reviews_of

    detected.ui.clusterTable.selectRow(1)
    detected.ui.rejectButton.click()
    states = {
        view: [one.review.state for one in reviews_of(find_results(scene, volume))]
        for view, volume in volumes.items()
    }
    assert states == {"RCC": [], "LCC": [""], "RMLO": [], "LMLO": ["rejected"]}


def test_the_slider_moves_all_views(detected, process):
    detected.ui.thresholdSlider.setValue(0.75)
    process(
        lambda: detected.ui.stageLabel.text() == "10 MCs, 0 clusters in 4 views, 10 MCs isolated"
    )
    assert cells(detected.ui) == []


def test_export_writes_a_folder_for_each_view(detected, process, tmp_path, monkeypatch):
    monkeypatch.setattr(detected, "chooseFolder", lambda: str(tmp_path))
    detected.ui.exportButton.click()
    process(lambda: detected.ui.detectButton.text() == "Detect")
    assert detected.ui.stageLabel.text() == f"32 files written to {tmp_path}"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"patient {view}" for view in VIEWS
    )


def test_one_cancel_stops_all_and_writes_nothing(widget, scene, process):
    worker, calls = widget.logic.detection._worker, []
    real = worker.score

    def slow_from_the_second(mammogram, block, settings, _model):
        calls.append(mammogram.source.name)
        return real(mammogram, block, settings, "slow" if len(calls) > 1 else None)

    worker.score = slow_from_the_second
    ui = widget.ui
    ui.studyCheck.setChecked(True)
    ui.detectButton.click()
    process(lambda: ui.stageLabel.text().startswith("Patient LCC: working slowly"))
    assert ui.progressBar.value() > 250  # the first of four is done
    began = time.monotonic()
    ui.detectButton.click()
    process(lambda: ui.detectButton.text() == "Detect")
    assert time.monotonic() - began < 1.5
    assert calls == ["patient RCC", "patient LCC"]
    assert scene.GetNodesByClass("vtkMRMLSegmentationNode").GetNumberOfItems() == 0


def test_the_console_line_takes_the_views_of_the_scene(module, volumes, application_with_layout):
    logic = module.MicrocalcSegmentationLogic()
    logic.detection._worker._command = [sys.executable, str(FAKE_WORKER)]
    made = logic.segmentStudy(threshold=0.65)
    logic.detection.close()
    assert list(made) == list(VIEWS)
    nodes, findings = made["LMLO"]
    assert nodes.segmentation.GetName() == "patient LMLO MCs"
    assert len(findings.clusters) == 1
