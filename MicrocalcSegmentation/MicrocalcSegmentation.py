"""The Slicer module: shells only, what they do is in MicrocalcSegmentationLib.

In Slicer's Python console, for a volume that is loaded::

    from MicrocalcSegmentation import MicrocalcSegmentationLogic
    nodes, findings = MicrocalcSegmentationLogic().segment(slicer.util.getNode("left_cc"))

For the views of a patient that are loaded, found by DICOM or by their names::

    made = MicrocalcSegmentationLogic().segmentStudy()
"""

from pathlib import Path

import qt
import slicer
import vtk
from MicrocalcSegmentationLib.gui.detection import Detection, Options
from MicrocalcSegmentationLib.gui.install import Packages, require_packages
from MicrocalcSegmentationLib.gui.selftest import run_self_test
from MicrocalcSegmentationLib.mrml.hanging import show_study
from MicrocalcSegmentationLib.mrml.study import require_one_patient, require_views, study_of
from MicrocalcSegmentationLib.settings import Settings
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class MicrocalcSegmentation(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Microcalcification Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation"), "Mammography"]
        parent.contributors = ["The authors of Microcalcification Segmentation"]
        parent.helpText = _(
            "Finds breast microcalcifications in mammograms, outlines each one, groups them into "
            "clusters (more than 5 on 1 cm2) and measures both. For research; not a medical "
            "device. Choose a mammogram, press Detect, click the rows of the table."
        )
        parent.acknowledgementText = _(
            "After Valvano et al., Convolutional Neural Networks for the Segmentation of "
            "Microcalcification in Mammography Imaging, J Healthcare Eng 2019, 9360941."
        )
        slicer.app.connect("startupCompleted()", onStartup)


def onStartup():
    """Offer the simulated mammograms in Slicer's Sample Data module, and the layout."""
    import SampleData
    from MicrocalcSegmentationLib.mrml.hanging import register_layout
    from MicrocalcSegmentationLib.mrml.sample import SAMPLES, load_sample

    icon = str(Path(__file__).parent / "Resources/Icons/MicrocalcSegmentation.png")
    for name in SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="Mammography",
            sampleName=name,
            thumbnailFileName=icon,
            customDownloader=lambda _source, name=name: load_sample(slicer.mrmlScene, name),
        )
    if layoutNode() is not None:
        register_layout(layoutNode())


def layoutNode():
    """Slicer's layout node; None where there is no window."""
    manager = slicer.app.layoutManager()
    return manager.layoutLogic().GetLayoutNode() if manager is not None else None


class MicrocalcSegmentationLogic(ScriptedLoadableModuleLogic):
    """For scripts and the Python console."""

    def __init__(self):
        super().__init__()
        self.detection = Detection(slicer.mrmlScene)

    def segment(self, volumeNode, model=None, **settings):
        """Find the microcalcifications of a loaded mammogram.

        settings: of the library's Settings, such as threshold=0.9, engine="onnx", device="cpu".
        Returns its result nodes and the findings. Raises InputError with a sentence that says
        what to do when the volume cannot be used; the scene is then as it was.
        """
        require_packages(settings.get("engine", "auto"))
        return self.detection.segment(volumeNode, Options(Settings(**settings), model))

    def segmentStudy(self, study=None, model=None, **settings):
        """Find the microcalcifications of a patient's views, and show them side by side.

        study: {"RCC": volume node, "LCC": ..., "RMLO": ..., "LMLO": ...}, any of them; by default
        the views that are found in the scene. Returns {view: (result nodes, findings)}. Raises
        InputError as segment does; then nothing was written for any view.
        """
        study = study_of(slicer.mrmlScene) if study is None else study
        require_views(study)
        require_one_patient(study)
        require_packages(settings.get("engine", "auto"))
        options = Options(Settings(**settings), model)
        made = self.detection.segment_all(list(study.values()), options)
        if layoutNode() is not None:
            show_study(slicer.mrmlScene, layoutNode(), study)
        return dict(zip(study, made, strict=True))

    def getParameterNode(self):
        """The panel's settings, kept in the scene."""
        from MicrocalcSegmentationLib.gui.parameters import MicrocalcSegmentationParameterNode

        return MicrocalcSegmentationParameterNode(super().getParameterNode())


class MicrocalcSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's frame: loads the .ui and tells `Panel` of scene and parameters."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.panel = None
        self._parameters = None
        self._connection = None

    def setup(self):
        """Build the panel."""
        from MicrocalcSegmentationLib.gui.panel import Panel, Surroundings

        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/MicrocalcSegmentation.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = MicrocalcSegmentationLogic()
        surroundings = Surroundings(
            lambda: self.chooseFolder(),
            lambda question: self.confirm(question),
            Packages(),
            layoutNode,
        )
        self.panel = Panel(self.ui, slicer.mrmlScene, self.logic.detection, surroundings)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.connectParameters()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        self.disconnectParameters()
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def enter(self):
        """Called each time the user opens the module."""
        self.connectParameters()

    def exit(self):
        """Called each time the user opens another module; a job under way goes on."""
        self.disconnectParameters()

    def onSceneStartClose(self, caller, event):
        """Let go of the scene's nodes."""
        self.disconnectParameters()
        self.panel.on_scene_closed()

    def onSceneEndClose(self, caller, event):
        """Take up the new scene, when the panel is open."""
        if self.parent.isEntered:
            self.connectParameters()

    def onNodeRemoved(self, caller, event):
        """Results or a volume may be gone."""
        self.logic.detection.forget_closed()

    def connectParameters(self):
        """Bind the widgets to the scene's parameter node."""
        if self._parameters is not None:
            return
        self._parameters = self.logic.getParameterNode()
        self._connection = self._parameters.connectGui(self.ui)
        node = self._parameters.parameterNode
        self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.panel.set_parameters(self._parameters)

    def disconnectParameters(self):
        """Undo `connectParameters`."""
        if self._parameters is None:
            return
        self._parameters.disconnectGui(self._connection)
        node = self._parameters.parameterNode
        self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = None
        self.panel.set_parameters(None)

    def onParametersModified(self, caller, event):
        """Any setting has changed."""
        self.panel.refresh()

    def confirm(self, question):
        """Ask before something is installed or removed."""
        return slicer.util.confirmOkCancelDisplay(question, self.parent.windowTitle)

    def chooseFolder(self):
        """Ask for the folder of an export."""
        return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Export to"))


class MicrocalcSegmentationTest(ScriptedLoadableModuleTest):
    """The self-test, for Slicer's Reload and Test."""

    def runTest(self):
        """Needs the Python packages that the first Detect installs."""
        self.setUp()
        logic = MicrocalcSegmentationLogic()
        try:
            run_self_test(slicer.mrmlScene, logic.detection, self.delayDisplay)
        finally:
            logic.detection.close()
