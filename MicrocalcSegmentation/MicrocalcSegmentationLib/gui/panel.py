"""The panel: what its controls do, and when and why they are disabled.

Knows Qt only through the widgets that it is given, so that it runs in Slicer (PythonQt) and
under test alike: values are set by set...() and read by property(), which both know.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from ..errors import InputError, MicrocalcError
from ..mrml.results import find_results
from ..mrml.review import ACCEPTED, REJECTED, UNDECIDED, Review, highlight, reviews_of, set_review
from ..mrml.views import show_cluster
from ..mrml.volumes import require_usable_volume, set_spacing
from ..settings import Settings
from .detection import Detection, Options, Outcome
from .table import fill_cluster_table

POLL_MS = 50
SETTLE_MS = 150  # the threshold is taken when the slider has rested that long
_PROGRESS_STEPS = 1000
_SAME_THRESHOLD = 1e-6
_NO_RUN = "Run Detect first."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What the panel needs of the application.

    ensure_packages: installs what is missing; raises InputError with the reason.
    choose_folder: asks for a folder; "" when the user thinks better of it.
    """

    ensure_packages: Callable[[], None]
    choose_folder: Callable[[], str]


class Panel:
    """Connects the widgets of the .ui with a `Detection`."""

    def __init__(self, ui, scene, detection: Detection, surroundings: Surroundings):
        self.ui = ui
        self.parameters = None
        self._scene = scene
        self._detection = detection
        self._surroundings = surroundings
        self._shown_volume = None
        self._tried_threshold: float | None = None
        self._filling = False
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
        self.refresh()

    def refresh(self) -> None:
        """Show what holds for the chosen volume now; called on every change of a parameter."""
        if self.parameters is None:
            return
        findings = self._detection.findings_of(self._volume)
        if self._volume is not self._shown_volume:
            self._shown_volume = self._volume
            if findings is not None:
                # Or else merely looking at another volume would change its findings.
                self.parameters.threshold = findings.threshold
        self._check_volume()
        self._check_threshold()
        self._fill_table()

    def poll(self) -> None:
        """Take what the worker has answered; called by a timer while a job is under way."""
        outcome = self._detection.poll()
        if outcome is None:
            return
        if outcome.kind == "progress":
            self._show_progress(outcome)
            return
        self._timer.stop()
        self._show_idle(outcome.text)
        self.refresh()

    def close(self) -> None:
        """Stop all work and timers."""
        self._timer.stop()
        self._settle.stop()
        self._detection.close()

    def on_scene_closed(self) -> None:
        """Forget what belonged to the scene; a job under way ends without a trace."""
        self._detection.cancel()
        self._detection.forget_closed()
        self.ui.clusterTable.setRowCount(0)

    def on_detect(self) -> None:
        """Detect, or cancel when a job is under way."""
        if self._detection.running:
            self._detection.cancel()
            self.ui.stageLabel.setText(_("Cancelling..."))
            return
        self._attempt(self._detect)

    def on_set_spacing(self) -> None:
        """Give the volume the spacing that the user has typed."""
        row_col_mm = [self.ui.rowSpacing.property("value"), self.ui.colSpacing.property("value")]
        self._attempt(lambda: set_spacing(self._volume, tuple(row_col_mm)))
        self.refresh()

    def on_update(self) -> None:
        """Measure and group the edited segmentation."""
        self._attempt(lambda: self._detection.start_update(self._volume))
        self._begin_polling()

    def on_export(self) -> None:
        """Ask for a folder and write everything there."""
        folder = self._surroundings.choose_folder()
        if folder:
            self._attempt(lambda: self._export(folder))

    def on_training(self) -> None:
        """Ask for a folder of training cases and add this one."""
        folder = self._surroundings.choose_folder()
        if folder:
            self._attempt(lambda: self._add_to_training_set(folder))

    def on_cluster_chosen(self) -> None:
        """Show the chosen row's cluster in every view."""
        cluster = self._chosen_cluster()
        if self._filling or cluster is None:
            return
        results = find_results(self._scene, self._volume)
        highlight(results, cluster)
        reviews = {one.cluster: one.review for one in reviews_of(results)}
        self.ui.noteEdit.setText(reviews.get(cluster, Review()).note)
        findings = self._detection.findings_of(self._volume)
        if findings is not None:
            show_cluster(self._scene, self._volume, findings, findings.clusters[cluster - 1])
        self._check_review()

    def on_review(self, state: str) -> None:
        """Keep the reader's decision on the chosen cluster."""
        self._review(lambda before: Review(state, before.note))

    def on_note(self) -> None:
        """Keep the reader's note on the chosen cluster."""
        text = self.ui.noteEdit.property("text")
        self._review(lambda before: Review(before.state, text))

    @property
    def _volume(self):
        return self.parameters.inputVolume if self.parameters is not None else None

    def _connect(self) -> None:
        ui = self.ui
        ui.detectButton.clicked.connect(lambda *_args: self.on_detect())
        ui.setSpacingButton.clicked.connect(lambda *_args: self.on_set_spacing())
        ui.updateButton.clicked.connect(lambda *_args: self.on_update())
        ui.exportButton.clicked.connect(lambda *_args: self.on_export())
        ui.trainingButton.clicked.connect(lambda *_args: self.on_training())
        ui.acceptButton.clicked.connect(lambda *_args: self.on_review(ACCEPTED))
        ui.rejectButton.clicked.connect(lambda *_args: self.on_review(REJECTED))
        ui.undecideButton.clicked.connect(lambda *_args: self.on_review(UNDECIDED))
        ui.noteEdit.editingFinished.connect(self.on_note)
        ui.clusterTable.itemSelectionChanged.connect(self.on_cluster_chosen)

    def _attempt(self, action: Callable[[], None]) -> None:
        """Do something; a refusal is shown as its sentence."""
        try:
            action()
        except MicrocalcError as error:
            self.ui.stageLabel.setText(str(error))

    def _detect(self) -> None:
        require_usable_volume(self._volume)
        self._tried_threshold = None
        self._surroundings.ensure_packages()
        settings = Settings(
            threshold=self.parameters.threshold,
            device="cpu" if self.parameters.forceCpu else "auto",
        )
        options = Options(settings, self.parameters.model, self.parameters.keepProbability)
        self._detection.start(self._volume, options)
        self._begin_polling()

    def _begin_polling(self) -> None:
        if not self._detection.running:
            return
        self.ui.detectButton.setText(_("Cancel"))
        self.ui.detectButton.setToolTip(_("Stop; the scene stays as it was."))
        self.ui.progressBar.setValue(0)
        self.ui.progressBar.setVisible(True)
        self.ui.stageLabel.setText(_("Starting"))
        for name in (
            "inputSelector",
            "updateButton",
            "exportButton",
            "trainingButton",
            "modelSelector",
        ):
            getattr(self.ui, name).setEnabled(False)
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
        for name in ("inputSelector", "modelSelector"):
            getattr(self.ui, name).setEnabled(True)

    def _check_volume(self) -> None:
        """Say why the chosen volume cannot be used; offer to set a spacing that lacks."""
        reason = ""
        try:
            require_usable_volume(self._volume)
        except InputError as error:
            reason = str(error)
        self.ui.messageLabel.setText(reason)
        self.ui.messageLabel.setVisible(bool(reason))
        self.ui.spacingRow.setVisible("true spacing" in reason)
        if self._detection.running:
            return
        enough = not reason
        self.ui.detectButton.setEnabled(enough)
        tip = _("Find and outline the microcalcifications.")
        self.ui.detectButton.setToolTip(tip if enough else reason)

    def _check_threshold(self) -> None:
        """Before the first run the slider says what to detect with, later what to show."""
        known = self._detection.findings_of(self._volume) is not None
        idle = known and not self._detection.running
        for name, tip in (
            ("updateButton", _("Measure and group what is in the segmentation now.")),
            ("exportButton", _("Write tables, segmentation, points and review into a folder.")),
            ("trainingButton", _("Write image and mask, without rejected clusters, for training.")),
        ):
            getattr(self.ui, name).setEnabled(idle)
            getattr(self.ui, name).setToolTip(tip if known else _(_NO_RUN))
        if idle and self._new_threshold() is not None:
            self._settle.start()

    def _new_threshold(self) -> float | None:
        """The slider's value, when it is neither that of the findings nor just tried."""
        findings = self._detection.findings_of(self._volume)
        if findings is None:
            return None
        wanted = self.parameters.threshold
        stays = abs(wanted - findings.threshold) < _SAME_THRESHOLD
        return None if stays or wanted == self._tried_threshold else wanted

    def _move_threshold(self) -> None:
        """Make the findings of the slider's threshold; the networks do not run."""
        wanted = self._new_threshold() if self.parameters is not None else None
        if wanted is None or self._detection.running:
            return  # a job that runs is followed by another look at the slider
        self._tried_threshold = wanted
        self._attempt(lambda: self._detection.start_threshold(self._volume, wanted))
        self._begin_polling()

    def _export(self, folder: str) -> None:
        files = self._detection.export(self._volume, folder)
        self.ui.stageLabel.setText(f"{len(files)} files written to {files[0].parent}")

    def _add_to_training_set(self, folder: str) -> None:
        image, *_others = self._detection.add_to_training_set(self._volume, folder)
        self.ui.stageLabel.setText(f"added to the training set as {image.name}")

    def _fill_table(self) -> None:
        chosen = self._chosen_cluster()
        self._filling = True
        try:
            table = None
            if self._volume is not None:
                table = find_results(self._scene, self._volume).clusters
            fill_cluster_table(self.ui.clusterTable, table)
            count = self.ui.clusterTable.property("rowCount") if table is not None else 0
            if chosen is not None and chosen <= count:
                self.ui.clusterTable.selectRow(chosen - 1)
        finally:
            self._filling = False
        self._check_review()

    def _chosen_cluster(self) -> int | None:
        """Number of the cluster in the selected row; rows are in the clusters' order."""
        items = self.ui.clusterTable.selectedItems()
        return self.ui.clusterTable.row(items[0]) + 1 if items else None

    def _check_review(self) -> None:
        chosen = self._chosen_cluster() is not None
        for name in ("acceptButton", "rejectButton", "undecideButton", "noteEdit"):
            getattr(self.ui, name).setEnabled(chosen)

    def _review(self, change: Callable[[Review], Review]) -> None:
        cluster = self._chosen_cluster()
        if cluster is None:
            return
        results = find_results(self._scene, self._volume)
        before = {one.cluster: one.review for one in reviews_of(results)}.get(cluster, Review())
        after = change(before)
        if after != before:
            set_review(results, cluster, after)
            self._fill_table()
