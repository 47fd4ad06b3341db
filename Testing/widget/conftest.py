"""Slicer's window without Slicer: Qt from PySide6, real MRML, and `stand_ins` for the rest."""

import os
import sys
import time
import types
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import Geometry
from stand_ins import (
    MODULE_FOLDER,
    add_module,
    base_classes,
    child_widgets,
    load_ui,
    parameter_wrapper,
    widget_classes,
)

FAKE_WORKER = Path(__file__).parents[1] / "fake_worker.py"
ROW = [(50, 20 + 10 * index) for index in range(8)]
GROUP = [(220 + 9 * (index % 3), 30 + 12 * (index // 3)) for index in range(9)]


@pytest.fixture(scope="session")
def application():
    # Elsewhere a missing wheel is a broken installation, and fails.
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        pytest.skip("slicer-core has wheels for Python 3.11 and 3.12 only")
    from PySide6 import QtWidgets

    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


@pytest.fixture(scope="session")
def stood_in(application):
    """`slicer`, `qt` and `ctk` as the module's code imports them."""
    import slicer
    from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

    qt, ctk = types.ModuleType("qt"), types.ModuleType("ctk")
    for library in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in dir(library):
            if name.startswith("Q"):
                setattr(qt, name, getattr(library, name))
    for made in widget_classes(QtWidgets, QtCore):
        setattr(ctk if made.__name__.startswith("ctk") else slicer, made.__name__, made)
    sys.modules |= {"qt": qt, "ctk": ctk}
    add_module("slicer.i18n", tr=lambda text: text, translate=lambda _context, text: text)
    add_module("slicer.ScriptedLoadableModule", **base_classes(slicer))
    add_module("slicer.parameterNodeWrapper", **parameter_wrapper(slicer, qt, ctk))
    slicer.util.loadUI = lambda path: load_ui(path, slicer, qt, ctk)
    slicer.util.childWidgetVariables = child_widgets
    slicer.util.mainWindow = lambda: None
    return slicer


@pytest.fixture
def scene(stood_in, monkeypatch):
    """The application's scene, new for each test."""
    from MicrocalcSegmentationLib.mrml.application import OwnScene

    opened = OwnScene()
    monkeypatch.setattr(stood_in, "mrmlScene", opened.scene, raising=False)
    yield opened.scene
    del opened


@pytest.fixture
def process(application):
    """A function that lets timers run until a condition holds."""

    def until(holds, seconds=30.0):
        end = time.monotonic() + seconds
        while not holds():
            application.processEvents()
            time.sleep(0.01)
            assert time.monotonic() < end, "waited too long"

    return until


@pytest.fixture
def module(stood_in, monkeypatch):
    """The module file, imported as Slicer imports it."""
    monkeypatch.syspath_prepend(str(MODULE_FOLDER))
    sys.modules.pop("MicrocalcSegmentation", None)
    import MicrocalcSegmentation

    return MicrocalcSegmentation


@pytest.fixture
def volume(scene):
    """A row of eight MCs of probability 0.99 down to 0.64, a group of nine of 0.7."""
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    pixels = np.random.default_rng(0).integers(80, 95, (300, 160)).astype(np.int16)
    for index, (row, col) in enumerate(ROW):
        pixels[row - 1 : row + 2, col - 1 : col + 2] = 199 - 5 * index
    for row, col in GROUP:
        pixels[row - 1 : row + 2, col - 1 : col + 2] = 170
    return add_volume(scene, pixels, Geometry((0.1, 0.1)), "left_cc")


@pytest.fixture
def widget(module, scene, volume, monkeypatch):
    """The module's widget as Slicer builds it, with the worker of few lines behind it."""
    from MicrocalcSegmentationLib.gui import packages_box

    monkeypatch.setattr(packages_box, "missing", lambda _engine: [])
    made = module.MicrocalcSegmentationWidget()
    made.setup()
    made.logic.detection._worker._command = [sys.executable, str(FAKE_WORKER)]
    yield made
    made.cleanup()


@pytest.fixture
def ui(widget):
    return widget.ui


@pytest.fixture
def detected(widget, volume, ui, process):
    """The widget after a first run at 0.65: two clusters."""
    widget._parameters.inputVolume = volume
    widget._parameters.threshold = 0.65
    ui.detectButton.click()
    process(lambda: not widget.logic.detection.running and ui.detectButton.text() == "Detect")
    return widget
