"""What the module tells Slicer of itself, its sample data, and its self-test."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

MODULE_FOLDER = Path(__file__).parents[2] / "MicrocalcSegmentation"


@pytest.fixture
def announced(module, stood_in, scene, monkeypatch):
    """The module's own object, as Slicer makes it at start; and what is connected."""
    connected = {}
    layout = stood_in.vtkMRMLLayoutLogic()
    layout.SetMRMLScene(scene)
    manager = types.SimpleNamespace(layoutLogic=lambda: layout)
    application = types.SimpleNamespace(
        connect=connected.__setitem__, layoutManager=lambda: manager
    )
    monkeypatch.setattr(stood_in, "app", application, raising=False)
    parent = types.SimpleNamespace()
    module.MicrocalcSegmentation(parent)
    return parent, connected


def test_slicer_is_told_title_categories_and_authors(announced):
    parent, _ = announced
    assert parent.title == "Microcalcification Segmentation"
    assert parent.categories == ["Segmentation", "Mammography"]
    assert "not a medical device" in parent.helpText
    assert "9360941" in parent.acknowledgementText
    assert not hasattr(parent, "hidden")


@pytest.fixture
def started(announced, monkeypatch):
    """What is offered in Sample Data once Slicer has started: name -> all that it was told."""
    _, connected = announced
    offered = {}
    logic = types.SimpleNamespace(
        registerCustomSampleDataSource=lambda **all: offered.update({all["sampleName"]: all})
    )
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    connected["startupCompleted()"]()
    return offered


def test_the_samples_are_offered_and_load_without_a_network(started, scene):
    from MicrocalcSegmentationLib.mrml.volumes import pixels_of

    assert list(started) == ["SimulatedMammogram", "SimulatedMammogramStudy"]
    for offered in started.values():
        assert offered["category"] == "Mammography"
        assert Path(offered["thumbnailFileName"]).is_file()
    (volume,) = started["SimulatedMammogram"]["customDownloader"](None)
    assert volume.GetSpacing()[:2] == pytest.approx((0.1, 0.1))
    assert np.ptp(pixels_of(volume)) > 100
    assert len(started["SimulatedMammogramStudy"]["customDownloader"](None)) == 4


def test_the_sample_study_is_found_as_one_patients_views(started, scene):
    from MicrocalcSegmentationLib.mrml.study import study_of

    volumes = started["SimulatedMammogramStudy"]["customDownloader"](None)
    study = study_of(scene)
    assert {view: volume.GetName() for view, volume in study.items()} == {
        "RCC": "SimulatedRCC",
        "LCC": "SimulatedLCC",
        "RMLO": "SimulatedRMLO",
        "LMLO": "SimulatedLMLO",
    }
    assert list(study.values()) == volumes


def test_samples_stay_small():
    files = list((MODULE_FOLDER / "Resources/SampleData").glob("*.nrrd"))
    assert len(files) == 4
    assert all(file.stat().st_size < 1_000_000 for file in files)


def test_the_layout_is_registered_at_start(started, scene):
    from MicrocalcSegmentationLib.mrml.hanging import LAYOUT_ID

    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.IsLayoutDescription(LAYOUT_ID)


def test_the_self_test_passes_with_the_shipped_model(module, scene):
    told = []
    test = module.MicrocalcSegmentationTest()
    test.delayDisplay = told.append
    test.runTest()
    assert told[-1] == "All passed"


def test_the_self_test_can_fail(module, scene, monkeypatch):
    from MicrocalcSegmentationLib.gui import selftest

    class Blind:
        def segment(self, _volume):
            return None, types.SimpleNamespace(clusters=())

        def forget_closed(self):
            pass

    with pytest.raises(AssertionError, match="no cluster was found"):
        selftest.run_self_test(scene, Blind(), lambda _text: None)
    assert scene.GetNodesByClass("vtkMRMLScalarVolumeNode").GetNumberOfItems() == 0
