"""The panel as it looks, in light and in dark; MICROCALC_SCREENSHOTS=DIR keeps the pictures.

`panel.png` is the README's: the sample study, found by the shipped pair in the real worker.
"""

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import Geometry

FAKE_WORKER = Path(__file__).parents[1] / "fake_worker.py"
WIDTH = 560  # of Slicer's panel, in a window of usual size
VIEWS = ("RCC", "LCC", "RMLO", "LMLO")


def palette_of(style):
    from PySide6 import QtGui

    palette = QtGui.QPalette()
    if style == "dark":
        dark, light = QtGui.QColor(42, 42, 42), QtGui.QColor(230, 230, 230)
        role = QtGui.QPalette.ColorRole
        for one in (role.Window, role.Base, role.AlternateBase, role.Button, role.ToolTipBase):
            palette.setColor(one, dark)
        for one in (role.WindowText, role.Text, role.ButtonText, role.ToolTipText):
            palette.setColor(one, light)
        palette.setColor(role.PlaceholderText, QtGui.QColor(150, 150, 150))
        for one in (role.WindowText, role.Text, role.ButtonText):
            palette.setColor(QtGui.QPalette.ColorGroup.Disabled, one, QtGui.QColor(120, 120, 120))
    return palette


@pytest.fixture
def shown(module, stood_in, scene, application, process, monkeypatch):
    """A function (style, volumes, command=None) -> the widget with findings in it, laid out.

    Several volumes are a whole study. command: of a worker in place of the real one.
    """
    from MicrocalcSegmentationLib.gui import packages_box

    monkeypatch.setattr(packages_box, "missing", lambda _engine: [])
    app = types.SimpleNamespace(layoutManager=lambda: None)
    monkeypatch.setattr(stood_in, "app", app, raising=False)
    before = application.palette()
    made = []

    def show(style, volumes, command=None):
        application.setStyle("Fusion")
        application.setPalette(palette_of(style))
        widget = module.MicrocalcSegmentationWidget()
        made.append(widget)
        widget.setup()
        if command is not None:
            widget.logic.detection._worker._command = command
            widget._parameters.threshold = 0.65
        widget._parameters.inputVolume = volumes[0]
        widget._parameters.wholeStudy = len(volumes) > 1
        widget.ui.detectButton.click()
        process(lambda: widget.ui.detectButton.text() == "Detect", 120)
        widget.ui.clusterTable.selectRow(0)
        widget.ui.acceptButton.click()
        widget.ui.noteEdit.setText("like that of 2024")
        widget.ui.noteEdit.editingFinished.emit()
        widget.parent.resize(WIDTH, 860 if len(volumes) > 1 else 780)
        widget.parent.show()
        application.processEvents()
        return widget

    yield show
    for widget in made:
        widget.parent.close()
        widget.cleanup()
    application.setPalette(before)


def dotted(scene, names):
    """A volume of each name, with dots that the stand-in for the worker finds."""
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    pixels = np.random.default_rng(0).integers(80, 95, (300, 160)).astype(np.int16)
    for index in range(8):
        pixels[49:52, 19 + 10 * index : 22 + 10 * index] = 199 - 5 * index
    for index in range(9):
        row, col = 220 + 9 * (index % 3), 30 + 12 * (index // 3)
        pixels[row - 1 : row + 2, col - 1 : col + 2] = 170
    return [add_volume(scene, pixels, Geometry((0.1, 0.1)), name) for name in names]


def picture_of(widget, name):
    """(rows, cols, 3) of what is shown; kept as a PNG when asked for."""
    pixmap = widget.parent.grab()
    if folder := os.environ.get("MICROCALC_SCREENSHOTS"):
        assert pixmap.save(str(Path(folder) / f"{name}.png"))
    image = pixmap.toImage().convertToFormat(pixmap.toImage().Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


@pytest.mark.parametrize("study", [False, True], ids=["single", "study"])
@pytest.mark.parametrize("style", ["light", "dark"])
def test_the_panel_is_readable_and_nothing_is_cut(shown, scene, style, study):
    volumes = dotted(scene, VIEWS if study else ("left_cc",))
    widget = shown(style, volumes, [sys.executable, str(FAKE_WORKER)])
    name = f"panel_study_{style}" if study else f"panel_{style}"
    picture = picture_of(widget, name).mean(axis=2)
    background = np.median(picture)
    assert background > 200 if style == "light" else background < 80
    # Letters stand out from what they are written on, by more than WCAG's 4.5 to 1.
    extreme = np.percentile(picture, 0.2 if style == "light" else 99.8)
    lighter, darker = sorted((extreme / 255, background / 255), reverse=True)
    assert (lighter**2.2 + 0.05) / (darker**2.2 + 0.05) > 4.5
    from PySide6 import QtWidgets

    for button in widget.parent.findChildren(QtWidgets.QPushButton):
        if button.isVisible():
            assert button.width() >= button.sizeHint().width(), button.objectName()
    table = widget.ui.clusterTable
    assert not table.horizontalScrollBar().isVisible()


def test_the_sample_study_is_found_by_the_shipped_pair_from_the_panel(shown, scene):
    from MicrocalcSegmentationLib.mrml.sample import STUDY, load_sample

    widget = shown("light", load_sample(scene, STUDY))
    picture_of(widget, "panel")
    table = widget.ui.clusterTable
    views = {table.item(row, 0).text() for row in range(table.rowCount())}
    assert views == {"LCC", "LMLO"}  # the sides and views that hold its cluster
