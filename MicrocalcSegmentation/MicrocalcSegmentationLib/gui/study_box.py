"""The panel's four views of a patient: chosen by themselves or by hand, shown side by side."""

from collections.abc import Callable

from slicer.i18n import tr as _

from ..mrml.hanging import release, restrict, show_study
from ..mrml.study import VIEWS, study_of


class StudyBox:
    """Keeps the views in the parameter node. layout: gives Slicer's vtkMRMLLayoutNode."""

    def __init__(self, ui, scene, layout: Callable[[], object]):
        self._ui = ui
        self._scene = scene
        self._layout = layout
        self._parameters = None
        self._was_whole = False
        ui.fillStudyButton.clicked.connect(lambda *_args: self.fill())
        ui.showStudyButton.clicked.connect(lambda *_args: self.show())

    def set_parameters(self, parameters) -> None:
        """Take up the scene's parameter node; None between scenes."""
        self._parameters = parameters
        self._was_whole = False

    def chosen(self) -> dict[str, object]:
        """View -> volume, of views that have one."""
        volumes = {view: getattr(self._parameters, view.lower()) for view in VIEWS}
        return {view: volume for view, volume in volumes.items() if volume is not None}

    def refresh(self) -> None:
        """Show the views' selectors or the single one, and fill them on first sight."""
        whole = self._parameters.wholeStudy
        self._ui.studyBox.setVisible(whole)
        self._ui.inputRow.setVisible(not whole)
        if whole and not self._was_whole:
            self._was_whole = True
            if not self.chosen():
                self.fill()
        elif not whole:
            self._was_whole = False
            if self._parameters.inputVolume is not None:
                release(self._scene, self._parameters.inputVolume)
        if whole:
            restrict(self._scene, self.chosen())
        self._ui.showStudyButton.setEnabled(bool(self.chosen()))
        tip = _("Show the views side by side, chest walls back to back.")
        none = _("Choose a view first.")
        self._ui.showStudyButton.setToolTip(tip if self.chosen() else none)

    def fill(self) -> None:
        """Choose the views by DICOM, or by the volumes' names; those it finds no volume for
        stay as they are."""
        for view, volume in study_of(self._scene, self._parameters.inputVolume).items():
            setattr(self._parameters, view.lower(), volume)

    def show(self) -> None:
        """Switch Slicer to the layout of four views."""
        layout = self._layout()
        if self.chosen() and layout is not None:
            show_study(self._scene, layout, self.chosen())
