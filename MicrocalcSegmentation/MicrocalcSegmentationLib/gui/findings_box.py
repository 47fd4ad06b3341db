"""The panel's table of clusters, and what the reader says of the chosen one."""

from collections.abc import Callable, Mapping

from ..mrml.hanging import slice_view_of
from ..mrml.results import find_results
from ..mrml.review import ACCEPTED, REJECTED, UNDECIDED, Review, highlight, reviews_of, set_review
from ..mrml.views import show_cluster
from .detection import Detection
from .table import fill_cluster_table

_OF_CHOSEN = ("acceptButton", "rejectButton", "undecideButton", "noteEdit")


class FindingsBox:
    """Shows the clusters of volumes, and brings a clicked one into view."""

    def __init__(self, ui, scene, detection: Detection):
        self._ui = ui
        self._scene = scene
        self._detection = detection
        self._volumes: list = []
        self._rows: list[tuple[int, int]] = []
        self._filling = False
        ui.acceptButton.clicked.connect(lambda *_args: self.on_review(ACCEPTED))
        ui.rejectButton.clicked.connect(lambda *_args: self.on_review(REJECTED))
        ui.undecideButton.clicked.connect(lambda *_args: self.on_review(UNDECIDED))
        ui.noteEdit.editingFinished.connect(self.on_note)
        ui.clusterTable.itemSelectionChanged.connect(self.on_cluster_chosen)

    def fill(self, volumes: Mapping[str, object]) -> None:
        """Show the clusters of view -> volume; of a single image the view is ""."""
        chosen = self._chosen()
        self._filling = True
        try:
            self._volumes = list(volumes.values())
            tables = [
                (view, find_results(self._scene, volume).clusters)
                for view, volume in volumes.items()
            ]
            self._rows = fill_cluster_table(self._ui.clusterTable, tables)
            row = self._row_of(chosen)
            if row is not None:
                self._ui.clusterTable.selectRow(row)
        finally:
            self._filling = False
        self._enable()

    def clear(self) -> None:
        """Show nothing: the scene is gone."""
        self._volumes, self._rows = [], []
        self._ui.clusterTable.setRowCount(0)

    def on_cluster_chosen(self) -> None:
        """Show the chosen row's cluster: in its own view of a study, else in every view."""
        chosen = self._chosen()
        if self._filling or chosen is None:
            return
        volume, cluster = chosen
        for other in self._volumes:
            # No cluster has the number 0, but isolated MCs; they are to stand back, too.
            highlight(find_results(self._scene, other), cluster if other is volume else -1)
        reviews = {one.cluster: one.review for one in self._reviews(volume)}
        self._ui.noteEdit.setText(reviews.get(cluster, Review()).note)
        findings = self._detection.findings_of(volume)
        if findings is not None:
            own = slice_view_of(self._scene, volume) if len(self._volumes) > 1 else None
            shown = findings.clusters[cluster - 1]
            show_cluster(self._scene, volume, findings, shown, own)
        self._enable()

    def on_review(self, state: str) -> None:
        """Keep the reader's decision on the chosen cluster."""
        self._change(lambda before: Review(state, before.note))

    def on_note(self) -> None:
        """Keep the reader's note on the chosen cluster."""
        text = self._ui.noteEdit.property("text")
        self._change(lambda before: Review(before.state, text))

    def _change(self, change: Callable[[Review], Review]) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        volume, cluster = chosen
        before = {one.cluster: one.review for one in self._reviews(volume)}.get(cluster, Review())
        after = change(before)
        if after != before:
            set_review(find_results(self._scene, volume), cluster, after)
            self._show_again(after)

    def _show_again(self, review: Review) -> None:
        """Write a review into the chosen row; nothing else has changed."""
        row = self._row_of(self._chosen())
        last = self._ui.clusterTable.property("columnCount") - 1
        for col, text in ((last - 1, review.state), (last, review.note)):
            self._ui.clusterTable.item(row, col).setText(text)
        self._ui.clusterTable.resizeColumnToContents(last - 1)

    def _reviews(self, volume) -> list:
        return reviews_of(find_results(self._scene, volume))

    def _chosen(self) -> tuple[object, int] | None:
        """Volume and cluster of the selected row."""
        items = self._ui.clusterTable.selectedItems()
        if not items:
            return None
        row = self._ui.clusterTable.row(items[0])
        if row >= len(self._rows):
            return None
        number, cluster = self._rows[row]
        return self._volumes[number], cluster

    def _row_of(self, chosen: tuple[object, int] | None) -> int | None:
        if chosen is None:
            return None
        for row, (number, cluster) in enumerate(self._rows):
            if (self._volumes[number], cluster) == chosen:
                return row
        return None

    def _enable(self) -> None:
        for name in _OF_CHOSEN:
            getattr(self._ui, name).setEnabled(self._chosen() is not None)
