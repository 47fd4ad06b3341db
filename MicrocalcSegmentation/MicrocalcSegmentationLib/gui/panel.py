"""The panel: what its controls do, and when and why they are disabled.

Knows Qt only through the widgets that it is given, so that it runs in Slicer (PythonQt) and
under test alike: values are set by set...() and read by property(), which both know.
"""

from collections.abc import Callable
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from ..errors import InputError, MicrocalcError
from ..model import load_model
from ..mrml.study import require_one_patient, require_views
from ..mrml.volumes import require_usable_volume, set_spacing
from ..settings import Settings
from .detection import Detection, Options, Outcome
from .findings_box import FindingsBox
from .install import Packages
from .meaning import meaning
from .packages_box import PackagesBox
from .parameters import ENGINES
from .study_box import StudyBox

POLL_MS = 50
SETTLE_MS = 150  # the threshold is taken when the slider has rested that long
_PROGRESS_STEPS = 1000
_SAME_THRESHOLD = 1e-6
_NO_RUN = "Run Detect first."
_WHILE_IDLE = (
    *("inputSelector", "studyBox", "studyCheck", "modelSelector", "engineSelector"),
    *("forceCpuBox", "keepProbabilityBox"),
)


@dataclass(frozen=True)
class Surroundings:
    """What the panel needs of the application.

    choose_folder: asks for a folder; "" when the user thinks better of it. confirm: asks a
    question. packages: installs what is missing. layout: gives Slicer's vtkMRMLLayoutNode.
    """

    choose_folder: Callable[[], str]
    confirm: Callable[[str], bool]
    packages: Packages
    layout: Callable[[], object]


class Panel:
    """Connects the widgets of the .ui with a `Detection`."""

    def __init__(self, ui, scene, detection: Detection, surroundings: Surroundings):
        self.ui = ui
        self.parameters = None
        self.findings = FindingsBox(ui, scene, detection)
        self.study = StudyBox(ui, scene, surroundings.layout)
        self._detection = detection
        self._surroundings = surroundings
        self._packages = surroundings.packages
        self.packages = PackagesBox(ui, surroundings.packages, surroundings.confirm)
        self._shown: list = []
        self._model: str | None = None
        self._tried_threshold: float | None = None
        self._then: Callable[[], None] | None = None  # once packages are installed
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)
        self._settle = qt.QTimer()
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._move_threshold)
        self._connect()
        self._show_idle("")

    def set_parameters(self, parameters) -> None:
        """Take up the scene's parameter node; None between scenes."""
        self.parameters = parameters
        self._model = None if parameters is None else parameters.model
        self.study.set_parameters(parameters)
        self.refresh()

    def refresh(self) -> None:
        """Show what holds for what is chosen now; called on every change of a parameter."""
        if self.parameters is None:
            return
        self.study.refresh()
        volumes = list(self._volumes.values())
        if volumes != self._shown:
            self._shown = volumes
            findings = next(filter(None, map(self._detection.findings_of, volumes)), None)
            if findings is not None:
                # Or else merely looking at another volume would change its findings.
                self.parameters.threshold = findings.threshold
        if self.parameters.model != self._model:
            self._model = self.parameters.model
            self.parameters.threshold = load_model(self._model).threshold
            # For the next run: what another model has found stays as it is.
            self._tried_threshold = self.parameters.threshold
        self._check_volumes()
        self._check_threshold()
        self.packages.refresh(idle=not self._timer.isActive())
        self.findings.fill(self._volumes)

    def poll(self) -> None:
        """Take what the worker or pip has told; called by a timer while one is at it."""
        installing = self._packages.running
        outcome = self._packages.poll() if installing else self._detection.poll()
        if outcome is None:
            return
        if outcome.kind == "progress":
            self._show_progress(outcome)
            return
        self._timer.stop()
        self._show_idle(outcome.text)
        then, self._then = self._then, None
        if outcome.kind == "done" and outcome.made and self.parameters.wholeStudy:
            self.study.show()
        self.refresh()
        if installing and outcome.kind == "done" and then is not None:
            self._attempt(then)

    def close(self) -> None:
        """Stop all work and timers."""
        self._timer.stop()
        self._settle.stop()
        self._packages.close()
        self._detection.close()

    def on_scene_closed(self) -> None:
        """Forget what belonged to the scene; a job under way ends without a trace."""
        self._detection.cancel()
        self._detection.forget_closed()
        self._shown = []
        self.findings.clear()

    def on_detect(self) -> None:
        """Detect, or cancel when a job is under way."""
        if self._detection.running or self._packages.running:
            self._packages.cancel()
            self._detection.cancel()
            self.ui.stageLabel.setText(_("Cancelling..."))
            return
        self._attempt(self._detect)

    def on_set_spacing(self) -> None:
        """Give the volumes that lack it the spacing that the user has typed."""
        row_col_mm = [self.ui.rowSpacing.property("value"), self.ui.colSpacing.property("value")]
        for volume in self._volumes.values():
            if "true spacing" in _reason_against(volume):
                self._attempt(lambda lacking=volume: set_spacing(lacking, tuple(row_col_mm)))
        self.refresh()

    def on_update(self) -> None:
        """Measure and group the edited segmentation."""
        self._attempt(lambda: self._detection.start_update(self._found))
        self._begin_polling()

    def on_export(self) -> None:
        """Ask for a folder and write everything there."""
        self._write(self._detection.start_export)

    def on_training(self) -> None:
        """Ask for a folder of training cases and add this one."""
        self._write(self._detection.start_training)

    def on_remove_packages(self) -> None:
        """Take away what was installed from here, after asking."""
        self._attempt(lambda: self.packages.start_removal(self._detection.close))
        self._begin_polling()

    @property
    def _volumes(self) -> dict[str, object]:
        """View -> volume that is chosen; of a single one the view is ""."""
        if self.parameters is None:
            return {}
        if self.parameters.wholeStudy:
            return self.study.chosen()
        volume = self.parameters.inputVolume
        return {} if volume is None else {"": volume}

    @property
    def _found(self) -> list:
        """Chosen volumes whose findings are known."""
        return [one for one in self._volumes.values() if self._detection.findings_of(one)]

    def _connect(self) -> None:
        ui = self.ui
        ui.detectButton.clicked.connect(lambda *_args: self.on_detect())
        ui.setSpacingButton.clicked.connect(lambda *_args: self.on_set_spacing())
        ui.updateButton.clicked.connect(lambda *_args: self.on_update())
        ui.exportButton.clicked.connect(lambda *_args: self.on_export())
        ui.trainingButton.clicked.connect(lambda *_args: self.on_training())
        ui.removePackagesButton.clicked.connect(lambda *_args: self.on_remove_packages())

    def _attempt(self, action: Callable[[], None]) -> None:
        """Do something; a refusal is shown as its sentence."""
        try:
            action()
        except MicrocalcError as error:
            self.ui.stageLabel.setText(str(error))

    def _detect(self) -> None:
        self._require_volumes()
        require_one_patient(self._volumes)
        self._tried_threshold = None
        if self.packages.start_missing(ENGINES[self.parameters.engine]):
            self._then = self._detect
            self._begin_polling()
            return
        settings = Settings(
            threshold=self.parameters.threshold,
            engine=ENGINES[self.parameters.engine],
            device="cpu" if self.parameters.forceCpu else "auto",
        )
        options = Options(settings, self.parameters.model, self.parameters.keepProbability)
        self._detection.start(list(self._volumes.values()), options)
        self._begin_polling()

    def _begin_polling(self) -> None:
        if not (self._detection.running or self._packages.running):
            return
        self.ui.detectButton.setText(_("Cancel"))
        self.ui.detectButton.setEnabled(True)
        self.ui.detectButton.setToolTip(_("Stop; the scene stays as it was."))
        self.ui.progressBar.setValue(0)
        self.ui.progressBar.setVisible(True)
        self.ui.stageLabel.setText(_("Starting"))
        for name in ("updateButton", "exportButton", "trainingButton", *_WHILE_IDLE):
            getattr(self.ui, name).setEnabled(False)
        self.ui.removePackagesButton.setEnabled(False)
        self._timer.start()

    def _show_progress(self, outcome: Outcome) -> None:
        self.ui.progressBar.setValue(round(_PROGRESS_STEPS * outcome.fraction))
        left = outcome.seconds_left
        text = outcome.text[:1].upper() + outcome.text[1:]
        self.ui.stageLabel.setText(text if left is None else f"{text}, {left:.0f} s left")

    def _show_idle(self, text: str) -> None:
        self.ui.detectButton.setText(_("Detect"))
        self.ui.progressBar.setVisible(False)
        self.ui.stageLabel.setText(text)
        self.ui.engineLabel.setText(self._detection.runs_on)
        self.ui.engineLabel.setVisible(bool(self._detection.runs_on))
        for name in _WHILE_IDLE:
            getattr(self.ui, name).setEnabled(True)

    def _require_volumes(self) -> None:
        if self.parameters.wholeStudy:
            require_views(self._volumes)
        elif not self._volumes:
            require_usable_volume(None)
        for volume in self._volumes.values():
            require_usable_volume(volume)

    def _check_volumes(self) -> None:
        """Say why what is chosen cannot be used; offer to set a spacing that lacks."""
        reason = ""
        try:
            self._require_volumes()
        except InputError as error:
            reason = str(error)
        self.ui.messageLabel.setText(reason)
        self.ui.messageLabel.setVisible(bool(reason))
        self.ui.spacingRow.setVisible("true spacing" in reason)
        if self._timer.isActive():
            return
        self.ui.detectButton.setEnabled(not reason)
        self.ui.detectButton.setToolTip(reason or _("Find and outline the microcalcifications."))

    def _check_threshold(self) -> None:
        """Before the first run the slider says what to detect with, later what to show."""
        idle = bool(self._found) and not self._timer.isActive()
        self.ui.meaningLabel.setText(meaning(self.parameters.model, self.parameters.threshold))
        for name, tip in (
            ("updateButton", _("Measure and group what is in the segmentation now.")),
            ("exportButton", _("Write tables, segmentation, points and review into a folder.")),
            ("trainingButton", _("Write image and mask, without rejected clusters, for training.")),
        ):
            getattr(self.ui, name).setEnabled(idle)
            getattr(self.ui, name).setToolTip(tip if self._found else _(_NO_RUN))
        if idle and self._new_threshold() is not None:
            self._settle.start()

    def _new_threshold(self) -> float | None:
        """The slider's value, when it is neither that of the findings nor just tried."""
        if not self._found:
            return None
        wanted = self.parameters.threshold
        known = [self._detection.findings_of(volume).threshold for volume in self._found]
        stays = all(abs(wanted - one) < _SAME_THRESHOLD for one in known)
        return None if stays or wanted == self._tried_threshold else wanted

    def _move_threshold(self) -> None:
        """Make the findings of the slider's threshold; the networks do not run."""
        wanted = self._new_threshold() if self.parameters is not None else None
        if wanted is None or self._timer.isActive():
            return  # a job that runs is followed by another look at the slider
        self._tried_threshold = wanted
        self._attempt(lambda: self._detection.start_threshold(self._found, wanted))
        self._begin_polling()

    def _write(self, start: Callable) -> None:
        folder = self._surroundings.choose_folder()
        if folder:
            self._attempt(lambda: start(self._found, folder))
            self._begin_polling()


def _reason_against(volume) -> str:
    try:
        require_usable_volume(volume)
    except InputError as error:
        return str(error)
    return ""
