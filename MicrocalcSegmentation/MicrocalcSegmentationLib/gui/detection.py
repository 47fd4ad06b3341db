"""What the window and the Python console do: run the worker, write what it finds.

Only the thread that calls these functions touches the scene; the worker is another process.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import Cancelled, InputError, MicrocalcError
from ..findings import Findings
from ..mrml.loading import FindFile
from ..mrml.results import Results, find_results
from ..mrml.volumes import require_usable_volume
from ..progress import Progress, Silent
from . import jobs
from .client import Worker
from .jobs import WAIT, Job, Kept, Options, Outcome, Place

__all__ = ["Detection", "Options", "Outcome"]

POLL_SECONDS = 0.05
STEP_SECONDS = 0.02  # of the window's time for a poll, but that it ends the step it is in
_FIRST_ESTIMATE_SECONDS = 2.0  # before, the time left would be a guess

Made = tuple[Results, Findings]


class Detection:
    """Finds MCs in the volumes of a scene, one or the views of a study at a time.

    Keeps what the networks said of each volume, so that a threshold can be moved and a
    corrected segmentation be measured without running them again. What begins with "start"
    raises InputError when it cannot begin; then `poll` is to be called until the job ends.
    """

    def __init__(self, scene, worker: Worker | None = None, find_file: FindFile | None = None):
        self._scene = scene
        self._worker = worker or Worker()
        self._place = Place(scene, self._worker, find_file)
        self._job: Job | None = None
        self._options = Options()
        self._cancelled = False
        self._began = 0.0

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    @property
    def runs_on(self) -> str:
        """What the last run's networks ran on, and why; "" before the first."""
        return self._place.runs_on

    def segment(
        self, volume, options: Options | None = None, progress: Progress | None = None
    ) -> Made:
        """Find the MCs of a volume and wait for it; returns the nodes and the findings.

        Raises InputError, and ModelError as InputError, with the sentence for the user; lets
        Cancelled from progress pass. The scene is then as it was.
        """
        return self.segment_all([volume], options, progress)[0]

    def segment_all(
        self, volumes: Sequence, options: Options | None = None, progress: Progress | None = None
    ) -> tuple[Made, ...]:
        """`segment` of several volumes: all of them are written into the scene, or none."""
        self.start(volumes, options)
        return self._wait(progress or Silent())

    def rethreshold(self, volume, threshold: float) -> Made:
        """Make the findings of another threshold and wait; the networks do not run."""
        self.start_threshold([volume], threshold)
        return self._wait(Silent())[0]

    def start(self, volumes: Sequence, options: Options | None = None) -> None:
        """Begin to find the MCs of volumes."""
        for volume in volumes:
            require_usable_volume(volume)
        self._options = options or Options()
        self._begin(jobs.detect(self._place, list(volumes), self._options))

    def start_threshold(self, volumes: Sequence, threshold: float) -> None:
        """Begin to make the findings of another threshold; the networks do not run."""
        kept = self._require_kept(volumes)
        keep = self._options.with_probability
        self._begin(jobs.rethreshold(self._place, kept, threshold, keep))

    def start_update(self, volumes: Sequence) -> None:
        """Begin to measure and group what the volumes' segmentations hold now."""
        kept = self._require_kept(volumes)
        for one in kept:
            if find_results(self._scene, one.volume).segmentation is None:
                name = one.volume.GetName()
                raise InputError(f"{name}: its segmentation was deleted; run Detect again")
        self._begin(jobs.update(self._place, kept, self._options.with_probability))

    def start_export(self, volumes: Sequence, folder: Path) -> None:
        """Begin to write `microcalc segment`'s files and `review.csv`, a folder for each."""
        self._begin(jobs.write_files(self._place, self._require_kept(volumes), "export", folder))

    def start_training(self, volumes: Sequence, folder: Path) -> None:
        """Begin to write images and MCs that were not rejected as cases to train on."""
        self._begin(jobs.write_files(self._place, self._require_kept(volumes), "train", folder))

    def poll(self) -> Outcome | None:
        """Go on with the job for a moment; tells how it stands, when there is news."""
        if self._job is None:
            return None
        outcome, until = None, time.monotonic() + STEP_SECONDS
        try:
            while time.monotonic() < until:
                self._heed_cancelling()
                told = next(self._job)
                if told is WAIT:
                    break
                outcome = told or outcome
        except StopIteration as stop:
            outcome = stop.value
        except Cancelled:
            outcome = Outcome("cancelled", "cancelled; the scene is as it was")
        except MicrocalcError as error:
            outcome = Outcome("failed", str(error))
        except MemoryError:
            outcome = Outcome("failed", "not enough memory; close volumes or other programs")
        except BaseException:
            self._end()
            raise
        if outcome is None:
            return None
        if outcome.kind == "progress":
            return replace(outcome, seconds_left=self._seconds_left(outcome.fraction))
        self._end()
        return outcome

    def cancel(self) -> None:
        """Stop the job; `poll` says so within a second. The scene stays as it was."""
        self._cancelled = True
        self._worker.cancel()

    def findings_of(self, volume) -> Findings | None:
        """The volume's last findings, as long as this session knows them."""
        kept = self._kept_of(volume)
        return kept.findings if kept is not None else None

    def forget_closed(self) -> None:
        """Free the memory of volumes that have left the scene."""
        for name, kept in list(self._place.kept.items()):
            if self._scene.GetNodeByID(name) is not kept.volume:
                self._place.forget(name)

    def close(self) -> None:
        """End the worker and free all memory."""
        self._worker.close()
        self._end()
        self._place.kept.clear()

    def _wait(self, progress: Progress) -> tuple[Made, ...]:
        while True:
            try:
                outcome = self.poll()
                if outcome and outcome.kind == "progress":
                    progress.report(outcome.fraction, outcome.text)
            except BaseException:
                self._worker.close()
                self._end()
                raise
            if outcome and outcome.kind != "progress":
                break
            if self._worker.running:
                time.sleep(POLL_SECONDS)
        if outcome.kind == "cancelled":
            raise Cancelled
        if outcome.kind == "failed":
            raise InputError(outcome.text)
        return outcome.made

    def _begin(self, job: Job) -> None:
        if self.running:
            raise InputError("another detection is running; wait for it or cancel it")
        self._job, self._cancelled = job, False
        self._began = time.monotonic()

    def _end(self) -> None:
        self._job, self._place.writing = None, False

    def _heed_cancelling(self) -> None:
        # A worker that is at it says itself that it has stopped.
        if self._cancelled and not self._worker.running and not self._place.writing:
            raise Cancelled

    def _kept_of(self, volume) -> Kept | None:
        kept = self._place.kept.get(volume.GetID() or "") if volume is not None else None
        return kept if kept is not None and kept.volume is volume else None

    def _require_kept(self, volumes: Sequence) -> list[Kept]:
        for volume in volumes:
            if self._kept_of(volume) is None:
                name = volume.GetName() if volume is not None else "no volume"
                raise InputError(
                    f"{name}: what the networks said is not in memory; run Detect first"
                )
        return [self._kept_of(volume) for volume in volumes]

    def _seconds_left(self, fraction: float) -> float | None:
        elapsed = time.monotonic() - self._began
        if elapsed < _FIRST_ESTIMATE_SECONDS or fraction <= 0:
            return None
        return elapsed / fraction - elapsed
