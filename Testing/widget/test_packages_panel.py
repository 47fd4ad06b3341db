"""Packages and engines in the panel: installed with consent, removed on demand."""

import pytest


@pytest.fixture
def pip(widget, monkeypatch):
    """What the panel asks and what is installed, with a pip that does what it is told."""
    from MicrocalcSegmentationLib.gui import packages_box
    from MicrocalcSegmentationLib.gui.jobs import Outcome

    class Pip:
        agreed, asked, outcomes, noted = True, [], [], []

        @property
        def running(self):
            return bool(self.outcomes)

        def start_install(self, wanted):
            self.noted = [one.split(">")[0] for one in wanted]
            self.outcomes = [Outcome("progress", "Collecting tqdm", 0.2)] * 5
            self.outcomes.append(Outcome("done", "installed: tqdm", 1.0))

        def start_removal(self):
            self.outcomes = [Outcome("done", f"removed: {', '.join(self.noted)}", 1.0)]
            self.noted = []

        def cancel(self):
            if self.outcomes:
                self.outcomes = [Outcome("cancelled", "cancelled; nothing was installed")]
                self.noted = []

        def poll(self):
            return self.outcomes.pop(0)

        def installed_by_us(self):
            return self.noted

        def close(self):
            pass

    made = Pip()
    made.asked, made.outcomes, made.noted = [], [], []
    wanted = {"auto": ["tqdm>=4.64"], "keras": ["keras>=3.6"]}
    absent = lambda engine: [] if made.noted else wanted[engine]  # noqa: E731
    monkeypatch.setattr(packages_box, "missing", absent)
    monkeypatch.setattr(widget.panel, "_packages", made)
    monkeypatch.setattr(widget.panel.packages, "_packages", made)
    ask = lambda question: made.asked.append(question) or made.agreed  # noqa: E731
    monkeypatch.setattr(widget.panel.packages, "_confirm", ask)
    return made


def test_refused_packages_are_a_sentence_and_nothing_starts(widget, ui, volume, pip):
    widget._parameters.inputVolume = volume
    pip.agreed = False
    ui.detectButton.click()
    assert ui.stageLabel.text() == "not installed: tqdm; press Detect again to install them"
    assert "tqdm" in pip.asked[0]
    assert ui.detectButton.text() == "Detect"
    assert not widget.logic.detection.running


def test_accepted_packages_are_installed_and_detection_follows(widget, ui, volume, pip, process):
    widget._parameters.inputVolume = volume
    ui.detectButton.click()
    process(lambda: ui.stageLabel.text() == "Collecting tqdm")
    assert ui.detectButton.text() == "Cancel"
    assert ui.progressBar.value() == 200
    process(lambda: ui.detectButton.text() == "Detect" and "clusters" in ui.stageLabel.text())
    assert ui.removePackagesButton.isEnabled()
    assert ui.removePackagesButton.toolTip() == "tqdm"


def test_cancelling_an_installation_starts_no_detection(widget, ui, volume, pip, process):
    widget._parameters.inputVolume = volume
    ui.detectButton.click()
    process(lambda: ui.stageLabel.text() == "Collecting tqdm")
    ui.detectButton.click()
    process(lambda: ui.detectButton.text() == "Detect")
    assert ui.stageLabel.text() == "cancelled; nothing was installed"
    assert not widget.logic.detection.running


def test_what_was_installed_is_removed_on_demand(detected, ui, pip, process):
    pip.noted = ["tqdm", "onnxruntime"]
    detected.panel.refresh()
    worker = detected.logic.detection._worker
    assert worker.pid is not None
    ui.removePackagesButton.click()
    assert worker.pid is None  # it would still use them
    process(lambda: ui.stageLabel.text() == "removed: tqdm, onnxruntime")
    assert not ui.removePackagesButton.isEnabled()
    assert ui.removePackagesButton.toolTip() == "Nothing was installed from here."


def test_the_engine_is_chosen_installed_and_said_with_its_reason(widget, ui, volume, pip, process):
    widget._parameters.inputVolume = volume
    names = [ui.engineSelector.itemText(index) for index in range(ui.engineSelector.count())]
    assert names == ["Automatic", "ONNX Runtime", "TensorFlow"]
    assert ui.engineLabel.isHidden()
    ui.engineSelector.setCurrentText("TensorFlow")
    ui.forceCpuBox.setChecked(True)
    ui.detectButton.click()
    assert "keras" in pip.asked[0]
    process(lambda: ui.detectButton.text() == "Detect" and "clusters" in ui.stageLabel.text())
    assert ui.engineLabel.text() == "few lines on the CPU: asked for keras, cpu"
    assert not ui.engineLabel.isHidden()
