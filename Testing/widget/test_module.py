"""What the module tells Slicer of itself, its sample data, and its self-test."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def announced(module, stood_in, monkeypatch):
    """The module's own object, as Slicer makes it at start; and what is connected."""
    connected = {}
    application = types.SimpleNamespace(connect=connected.__setitem__)
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


def test_the_sample_is_offered_and_loads_without_a_network(announced, scene, monkeypatch):
    _, connected = announced
    offered = {}
    logic = types.SimpleNamespace(registerCustomSampleDataSource=lambda **all: offered.update(all))
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    connected["startupCompleted()"]()
    assert (offered["category"], offered["sampleName"]) == ("Mammography", "SimulatedMammogram")
    assert Path(offered["thumbnailFileName"]).is_file()
    volume = offered["customDownloader"](None)
    assert volume.GetName() == "SimulatedMammogram"
    assert volume.GetSpacing()[:2] == pytest.approx((0.1, 0.1))
    from MicrocalcSegmentationLib.mrml.volumes import pixels_of

    assert np.ptp(pixels_of(volume)) > 1000


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
